"""Files to upload, made from phantoms in memory, never from the dataset: good ones and bad ones."""

from __future__ import annotations

import functools
import gzip
import io
import struct
import zlib
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from data.phantoms import LABELS, make_phantom

SEED = 3_000_000  # apart from the phantoms of training, gallery and evaluation
PHOTO = (4000, 3000)  # pixels of a telephone's photo
VOLUME = (96, 112, 96)  # voxels of a head at 2 mm


@functools.cache
def phantom_image(index: int, size: int = 224) -> NDArray[np.uint8]:
    """The `index`-th phantom: uint8 (size, size), the classes in turn."""
    label = LABELS[index % len(LABELS)]
    return make_phantom(label, seed=SEED + index, size=size).image


def good_files(count: int = 4) -> dict[str, list[tuple[str, bytes]]]:
    """Files that the service reads, (name, content), by kind; `count` of a kind."""
    small = [phantom_image(k) for k in range(count)]
    large = [phantom_image(k, size=512) for k in range(count)]
    return {
        "jpeg": [("slice.jpg", encoded(image, "JPEG", quality=92)) for image in small],
        "png": [("slice.png", encoded(image, "PNG")) for image in large],
        "photo": [("photo.jpg", photo(large[0]))],
        "dicom": [("slice.dcm", dicom(image)) for image in large],
        "nifti": [("head.nii.gz", nifti(large))],
    }


def bad_files() -> dict[str, tuple[str, bytes]]:
    """Files that the service must refuse, (name, content), by what is wrong with them."""
    image = phantom_image(0)
    jpeg, volume = encoded(image, "JPEG"), nifti([phantom_image(0, size=512)])
    return {
        "empty": ("slice.jpg", b""),
        "text": ("slice.png", b"not an image\n" * 40),
        "svg": ("slice.svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        "truncated jpeg": ("slice.jpg", jpeg[: len(jpeg) // 2]),
        "bomb png": ("slice.png", bomb_png(50_000)),
        "truncated nifti": ("head.nii", gzip.decompress(volume)[:4000]),
        "damaged gzip": ("head.nii.gz", volume[: len(volume) // 3]),
        "dicom without pixels": ("slice.dcm", dicom(image, pixels=False)),
    }


def encoded(image: NDArray[np.uint8], kind: str, **settings: Any) -> bytes:
    """A picture in one of Pillow's formats."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **settings)
    return buffer.getvalue()


def photo(image: NDArray[np.uint8]) -> bytes:
    """A telephone's colour photo of a slice, turned by its EXIF data."""
    picture = Image.fromarray(image).resize(PHOTO, Image.Resampling.BILINEAR).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85, exif=exif)
    return buffer.getvalue()


def bomb_png(side: int) -> bytes:
    """A PNG of a few hundred bytes whose header claims side x side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def dicom(image: NDArray[np.uint8], *, pixels: bool = True, **tags: Any) -> bytes:
    """A slice as a 16-bit DICOM file, with further tags by name."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["benchmark"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.Modality = "MR"
    dataset.Rows, dataset.Columns = image.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    for name, value in tags.items():
        setattr(dataset, name, value)
    if pixels:
        dataset.PixelData = (image.astype("<u2") * 16).tobytes()
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def nifti(images: list[NDArray[np.uint8]]) -> bytes:
    """A gzipped NIfTI volume whose axial slices are the pictures in turn."""
    wide, high, deep = VOLUME
    slices = [
        np.asarray(Image.fromarray(image).resize((wide, high), Image.Resampling.BILINEAR))
        for image in images
    ]
    voxels = np.stack([slices[k % len(slices)][::-1].T for k in range(deep)], axis=2)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    content: bytes = nibabel.Nifti1Image(voxels.astype(np.int16), affine).to_bytes()
    return gzip.compress(content, mtime=0)
