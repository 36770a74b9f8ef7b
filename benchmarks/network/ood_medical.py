"""Medical pictures from libraries' own sample files: DICOM, NIfTI and an InVesalius project."""

from __future__ import annotations

import gzip
import importlib.util
import plistlib
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SLICES = 8


def shown(pixels: NDArray[Any], low: float = 0.5, high: float = 99.5) -> Image.Image:
    """A grey picture of intensities between two percentiles."""
    bottom, top = np.percentile(pixels, (low, high))
    scaled = (pixels.astype(np.float64) - bottom) / max(float(top - bottom), 1e-9)
    return Image.fromarray((np.clip(scaled, 0, 1) * 255).astype(np.uint8))


def windowed(pixels: NDArray[Any], centre: float, width: float) -> Image.Image:
    """A grey picture of CT numbers in a window."""
    scaled = (pixels.astype(np.float64) - centre) / width + 0.5
    return Image.fromarray((np.clip(scaled, 0, 1) * 255).astype(np.uint8))


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"No module named {package!r}", name=package)
    return Path(spec.submodule_search_locations[0])


def _dicom(path: Path) -> Iterator[Image.Image]:
    """The file's pictures: at most three frames, colour where it has some."""
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        pixels = dataset.pixel_array
    colour = int(dataset.get("SamplesPerPixel", 1)) == 3
    if pixels.ndim == (4 if colour else 3):
        frames = [pixels[i] for i in np.linspace(0, len(pixels) - 1, 3).astype(int)]
    else:
        frames = [pixels]
    for frame in frames:
        if colour:
            yield Image.fromarray(frame.astype(np.uint8))
            continue
        if dataset.get("Modality") == "CT":
            numbers = frame * float(dataset.get("RescaleSlope", 1))
            numbers = numbers + float(dataset.get("RescaleIntercept", 0))
            yield windowed(numbers, 40, 400)
        inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
        yield shown(-frame.astype(np.float64) if inverted else frame)


def _dicoms(package: str, folder: str, names: tuple[str, ...]) -> Iterator[Image.Image]:
    importlib.import_module("pydicom")
    for name in names:
        path = _folder(package) / folder / name
        if path.exists():
            yield from _dicom(path)


def pydicom_development(_: Path) -> Iterator[Image.Image]:
    names = (
        "CT_small.dcm", "693_J2KI.dcm", "JPGExtended.dcm", "examples_jpeg2k.dcm",
        "examples_palette.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm",
        "SC_rgb_jpeg.dcm",
    )  # fmt: skip
    readable = tuple(name for name in names if _has_decoder(name))
    yield from _dicoms("pydicom", "data/test_files", readable)


def _has_decoder(name: str) -> bool:
    compressed = "jpeg" in name.lower() or "j2k" in name.lower() or "JPG" in name
    return not compressed or importlib.util.find_spec("pylibjpeg") is not None


def xrays(_: Path) -> Iterator[Image.Image]:
    yield from _dicoms("data_store", "data", ("RG1_UNCR.dcm", "RG3_UNCR.dcm"))


def body_ct(_: Path) -> Iterator[Image.Image]:
    names = ("693_UNCR.dcm", "bad_sequence.dcm", "explicit_VR-UN.dcm", "eCT_Supplemental.dcm")
    yield from _dicoms("data_store", "data", names)


def ultrasound(_: Path) -> Iterator[Image.Image]:
    names = (
        "US1_UNCR.dcm", "OBXXXX1A.dcm", "gdcm-US-ALOKA-16.dcm", "color-pl.dcm",
    )  # fmt: skip
    yield from _dicoms("data_store", "data", names)


def other_mri(_: Path) -> Iterator[Image.Image]:
    names = ("MR2_UNCR.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm")
    yield from _dicoms("data_store", "data", names)
    yield from _dicoms("pydicom", "data/test_files", ("MR_small.dcm",))


def head_ct(root: Path) -> Iterator[Image.Image]:
    """InVesalius's example project: a CT of a head, in the three planes and two windows."""
    path = root / "usr/share/doc/invesalius-examples/examples/Cranium.inv3"
    if not path.exists():
        raise FileNotFoundError(f"the Debian package invesalius-examples is missing below {root}")
    with tarfile.open(path) as archive:
        names = {Path(name).name: name for name in archive.getnames()}
        plan = plistlib.loads(archive.extractfile(names["main.plist"]).read())  # type: ignore[union-attr]
        content = archive.extractfile(names["matrix.dat"]).read()  # type: ignore[union-attr]
    volume = np.frombuffer(content, plan["matrix"]["dtype"]).reshape(plan["matrix"]["shape"])
    for axis in range(3):
        side = volume.shape[axis]
        for place in np.linspace(side * 0.3, side * 0.8, 4).astype(int):
            flat = np.take(volume, place, axis=axis)
            if axis:  # slices are thicker than pixels are wide
                flat = np.repeat(flat[::-1], 2, axis=0)
            yield windowed(flat, 40, 100)
            yield windowed(flat, 300, 1500)


def nifti_slices(path: Path) -> Iterator[Image.Image]:
    """Slices of a volume in three planes, upright."""
    import nibabel

    image = nibabel.as_closest_canonical(nibabel.load(path))
    volume = np.asarray(image.dataobj, dtype=np.float32)
    volume = volume[..., 0] if volume.ndim == 4 else volume
    for axis in range(3):
        side = volume.shape[axis]
        for place in np.linspace(side * 0.35, side * 0.65, _SLICES // 2).astype(int):
            flat = np.take(volume, place, axis=axis).T[::-1]
            if min(flat.shape) >= 32 and np.ptp(flat) > 0:
                extent = max(flat.shape)
                square = np.full((extent, extent), flat.min(), np.float32)
                top, left = (extent - flat.shape[0]) // 2, (extent - flat.shape[1]) // 2
                square[top : top + flat.shape[0], left : left + flat.shape[1]] = flat
                yield shown(square)


def mricron(root: Path) -> Iterator[Image.Image]:
    folder = root / "usr/share/mricron/templates"
    if not folder.is_dir():
        raise FileNotFoundError(f"the Debian package mricron-data is missing below {root}")
    for name in ("ch2.nii.gz", "ch2bet.nii.gz"):
        yield from nifti_slices(folder / name)


def nilearn_template(_: Path) -> Iterator[Image.Image]:
    folder = _folder("nilearn") / "datasets/data"
    yield from nifti_slices(folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")


def matplotlib_mri(_: Path) -> Iterator[Image.Image]:
    path = _folder("matplotlib") / "mpl-data/sample_data/s1045.ima.gz"
    with gzip.open(path) as file:
        yield shown(np.frombuffer(file.read(), np.uint16).reshape(256, 256))


def nibabel_mri(_: Path) -> Iterator[Image.Image]:
    importlib.import_module("nibabel")
    folder = "nicom/tests/data"
    yield from _dicoms("nibabel", folder, ("slicethickness_empty_string.dcm",))


SETS = (
    ("pydicom: CT, nuclear medicine, ultrasound", "development", "medical", pydicom_development),
    ("pydicom-data: X-rays of chest and leg", "held_out", "medical", xrays),
    ("pydicom-data: CT of trunk and neck", "held_out", "medical", body_ct),
    ("pydicom-data: ultrasound", "held_out", "medical", ultrasound),
    ("pydicom-data: MRI of liver, shoulder and another organ", "near", "medical", other_mri),
    ("invesalius-examples: CT of a head", "near", "medical", head_ct),
    ("matplotlib: s1045, a brain MRI", "brain", "medical", matplotlib_mri),
    ("mricron-data: ch2, a brain MRI", "brain", "medical", mricron),
    ("nilearn: ICBM 152, an averaged brain", "brain", "medical", nilearn_template),
    ("nibabel: projection of a brain", "near", "medical", nibabel_mri),
)
