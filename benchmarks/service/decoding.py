"""The decoding path's property, and small files of every format: for the tests and `fuzz`.

Whatever the bytes, what comes out is a prepared slice or an `ImageError` of a known kind.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import nibabel
import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    MRImageStorage,
    RLELossless,
    generate_uid,
)

from benchmarks.service.codestreams import ERRORS, codestream
from benchmarks.service.heic import grid, heic
from model.preprocessing import prepare
from model.reading.errors import KINDS, ImageError
from model.reading.open_scan import read_scan

SIDE = 12


def read_or_refuse(content: bytes) -> bool:
    """Reads the first and the last slice in each plane; returns whether the bytes have some.

    Raises:
        AssertionError: What comes out is neither a prepared slice nor a known kind of error.
        Exception: Anything else that the decoding path lets through: a fault.
    """
    try:
        scan = read_scan(content)
        for plane in (None, *scan.planes)[bool(scan.planes) :]:
            slices = scan.slices(plane, "all")
            for one in slices[:1] + slices[-1:]:
                found = prepare(one.pixels())
                assert found.shape == (224, 224, 1), found.shape
                assert found.dtype == np.float32, found.dtype
                assert 0 <= found.min() <= found.max() <= 1, (found.min(), found.max())
    except ImageError as error:
        if error.kind not in KINDS:
            raise AssertionError(error.kind) from error
        return False
    return True


def seeds() -> dict[str, bytes]:
    """A small file of each kind that can be read."""
    colour = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    grey = colour[..., 0]
    found = {name: make(colour) for name, make in _PICTURES.items()}
    voxels = grey.astype(np.int16)[:, :, np.newaxis].repeat(3, axis=2)
    kind: Any  # nibabel has annotations in part
    for name, array, kind in (
        ("nifti", voxels, nibabel.Nifti1Image),
        ("nifti-2", voxels.astype(np.float32), nibabel.Nifti2Image),
        ("nifti-4d", np.stack([voxels] * 2, axis=3), nibabel.Nifti1Image),
        ("nifti-2d", grey, nibabel.Nifti1Image),
    ):
        found[name] = kind(array, np.diag([1, 1, 2, 1])).to_bytes()
    tile = np.pad(colour, ((0, 64 - SIDE), (0, 64 - SIDE), (0, 0)))  # 64: the encoder's own step
    found["heic-grid"] = grid(tile, 2, 1, 100, 64)
    found["nifti-gz"] = gzip.compress(found["nifti"], mtime=0)
    found["dicom"] = _dicom(grey.astype("<u2").tobytes())
    found["dicom-implicit"] = _dicom(grey.astype("<u2").tobytes(), ImplicitVRLittleEndian)
    found["dicom-deflated"] = _dicom(grey.astype("<u2").tobytes(), DeflatedExplicitVRLittleEndian)
    found["dicom-frames"] = _dicom(voxels.T.astype("<u2").tobytes(), NumberOfFrames=3)
    found["dicom-window"] = _dicom(
        grey.astype("<u2").tobytes(), RescaleSlope=2, RescaleIntercept=-5, WindowCenter=90,
        WindowWidth=100, PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    eight: dict[str, Any] = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    found["dicom-colour"] = _dicom(
        colour.tobytes(), SamplesPerPixel=3, PhotometricInterpretation="RGB",
        PlanarConfiguration=0, **eight,
    )  # fmt: skip
    for name, syntax, frame in (
        ("jpeg", JPEGBaseline8Bit, _encoded(grey, "JPEG")),
        ("jpeg2000", JPEG2000Lossless, _encoded(grey, "JPEG2000", no_jp2=True)),
        ("rle", RLELossless, _rle(grey.tobytes())),
    ):
        found[f"dicom-{name}"] = _dicom(encapsulate([frame]), syntax, **eight)
    return found | _odd_dicoms(grey) | _odd_volumes(voxels)


def _odd_dicoms(grey: np.ndarray[Any, Any]) -> dict[str, bytes]:
    """What is read beyond the ordinary: compressions, palettes, groups, and no preamble."""
    plain = grey.astype("<u2").tobytes()
    twelve: dict[str, Any] = {"Rows": 16, "Columns": 16, "BitsStored": 12, "HighBit": 11}
    found = {
        f"dicom-{name}": _dicom(encapsulate([codestream(name)]), getattr(uid, name), **twelve)
        for name in ERRORS
    }
    shades = np.arange(256, dtype="<u2").tobytes()
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for color in ("Red", "Green", "Blue"):
        palette[f"{color}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{color}PaletteColorLookupTableData"] = shades
    found["dicom-palette"] = _dicom(plain, **palette)
    window, groups = Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 90, 100
    groups.FrameVOILUTSequence = [window]
    found["dicom-groups"] = _dicom(plain, PerFrameFunctionalGroupsSequence=[groups])
    found["dicom-padding"] = _dicom(plain, PixelPaddingValue=3, PixelAspectRatio=[1, 2])
    found["dicom-mosaic"] = _dicom(
        plain, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"], AcquisitionMatrix=[6, 0, 0, 6]
    )
    found["dicom-bare"] = _dicom(plain, ImageType=["ORIGINAL", "PRIMARY"])[132:]
    return found


def _odd_volumes(voxels: np.ndarray[Any, Any]) -> dict[str, bytes]:
    colors = np.zeros(voxels.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colors["G"] = voxels % 256
    pages = [Image.fromarray(voxels[..., k].astype(np.uint8)) for k in range(voxels.shape[2])]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    return {
        "mgh": nibabel.MGHImage(voxels, np.eye(4)).to_bytes(),
        "nifti-rgb": nibabel.Nifti1Image(colors, np.eye(4)).to_bytes(),
        "nifti-float64": nibabel.Nifti1Image(voxels.astype(np.float64), np.eye(4)).to_bytes(),
        "tiff-stack": buffer.getvalue(),
    }


def _encoded(pixels: np.ndarray[Any, Any], file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


_PICTURES: dict[str, Callable[[np.ndarray[Any, Any]], bytes]] = {
    "jpeg": lambda c: _encoded(c, "JPEG", exif=_exif()),
    "jpeg-progressive": lambda c: _encoded(c, "JPEG", progressive=True),
    "jpeg-grey": lambda c: _encoded(c[..., 0], "JPEG"),
    "png": lambda c: _encoded(c, "PNG", exif=_exif()),
    "png-16": lambda c: _encoded(c[..., 0].astype(np.uint16) * 257, "PNG"),
    "png-alpha": lambda c: _encoded(np.dstack([c, c[..., :1]]), "PNG"),
    "webp": lambda c: _encoded(c, "WEBP"),
    "webp-lossless": lambda c: _encoded(c, "WEBP", lossless=True),
    "bmp": lambda c: _encoded(c, "BMP"),
    "gif": lambda c: _encoded(c[..., 0], "GIF"),
    "avif": lambda c: _encoded(c, "AVIF"),
    "jpeg2000": lambda c: _encoded(c, "JPEG2000"),
    "heic": heic,
    "heic-grey": lambda c: heic(c[..., 0]),
    "tiff": lambda c: _encoded(c, "TIFF"),
    "tiff-lzw": lambda c: _encoded(c, "TIFF", compression="tiff_lzw", tiffinfo={274: 6}),
    "tiff-deflate": lambda c: _encoded(c[..., 0], "TIFF", compression="tiff_adobe_deflate"),
}


def _rle(pixels: bytes) -> bytes:
    pieces = (pixels[place : place + 128] for place in range(0, len(pixels), 128))
    runs = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
    return (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + runs


def _dicom(pixels: bytes, syntax: str = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["seed"])
    meta.TransferSyntaxUID = UID(syntax)
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    values = {
        "Rows": SIDE, "Columns": SIDE, "SamplesPerPixel": 1, "PixelSpacing": [1, 2],
        "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0,
    }  # fmt: skip
    for name, value in {**values, **tags}.items():
        setattr(dataset, name, value)
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OW"
    if UID(syntax).is_encapsulated:
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
