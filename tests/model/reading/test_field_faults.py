"""Drawn files of every kind that was got wrong once, where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.preprocessing import prepare
from model.reading.errors import ImageError
from model.reading.open_scan import read_scan
from model.reading.pairs import joined
from model.reading.scan import Scan

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "field-faults"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the drawn files are not here")

HEAD, VOLUME = "control-dicom-two-windows.dcm", "control-nifti.nii.gz"
LIKE = {  # the control that each is the picture of, up to compression, and noise of the bit depth
    "dicom-window-width-0.dcm": HEAD,
    "dicom-window-width-below-1-with-small-slope.dcm": HEAD,
    "dicom-jpeg-lossless-sv1.dcm": HEAD,
    "dicom-jpeg-lossless-process14.dcm": HEAD,
    "dicom-jpeg-ls.dcm": HEAD,
    "dicom-jpeg-extended-12bit.dcm": "control-dicom-12-bit.dcm",
    "dicom-no-preamble-implicit.dcm": HEAD,
    "dicom-empty-voi-lut-item.dcm": HEAD,
    "dicom-implicit-data-under-explicit-syntax.dcm": HEAD,
    "dicom-deflated-frames.dcm": HEAD,
    "dicom-palette-colour.dcm": HEAD,
    "dicom-padding-minus-32768-no-window.dcm": HEAD,
    "dicom-enhanced-mr-spacing-in-groups.dcm": "control-dicom-spacing.dcm",
    "nifti-nan-background.nii.gz": VOLUME,
    "nifti-5d-singleton.nii": VOLUME,
    "nifti-rgb24.nii.gz": VOLUME,
    "nifti-pair.img": VOLUME,
    "freesurfer.mgz": VOLUME,
    "tiff-16-bit-min-is-white.tif": "control-tiff-8-bit-min-is-white.tif",
    "tiff-grey-associated-alpha.tif": "control-tiff-16-bit.tif",
    "tiff-unsigned-32-bit.tif": "control-tiff-16-bit.tif",
    "tiff-rgb-planes-16-bit-big-endian.tif": "control-tiff-16-bit.tif",
    "tiff-float-with-nan.tif": "control-tiff-16-bit.tif",
    "tiff-stack-5-pages.tif": "control-tiff-16-bit.tif",
    "jpeg-2000.jp2": "control-tiff-16-bit.tif",
}
REFUSED = {
    "dicom-last-four-rows-missing.dcm": "it is truncated",
    "dicom-siemens-mosaic.dcm": "a Siemens mosaic that does not say how it is divided",
}
DOUBTED = {
    "dicom-modality-ct-accepted.dcm": "modality",
    "png-two-panels-of-a-viewer.png": "shape",
    "webp-4k-screenshot.webp": "shape",
}
CUT = {  # plane, and number of slices in it
    "nifti-640x640x20.nii.gz": ("axial", 20),
    "nifti-brats-shape-float64.nii.gz": ("axial", 155),
    "nifti-coronal-series-15-slices.nii.gz": ("coronal", 15),
}


def read(name: str) -> Scan:
    names = (name, name.replace(".img", ".hdr")) if name.endswith(".img") else (name,)
    ((_, content),) = joined((each, (FOLDER / each).read_bytes()) for each in names)
    return read_scan(content)


def picture(name: str) -> np.ndarray:
    (middle,) = read(name).slices()
    return prepare(middle.pixels())


@pytest.mark.parametrize("name", sorted(LIKE))
def test_a_file_shows_what_its_control_shows(name: str) -> None:
    assert np.abs(picture(name) - picture(LIKE[name])).mean() < 0.03
    assert read(name).doubt is None


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_file_is_refused_in_a_sentence(name: str) -> None:
    with pytest.raises(ImageError, match=REFUSED[name]):
        picture(name)


@pytest.mark.parametrize("name", sorted(DOUBTED))
def test_a_file_is_read_and_doubted(name: str) -> None:
    assert read(name).doubt == DOUBTED[name]
    assert picture(name).max() == 1


@pytest.mark.parametrize("name", sorted(CUT))
def test_a_volume_is_cut_as_it_was_acquired(name: str) -> None:
    (middle,) = read(name).slices()
    assert (middle.plane, middle.count) == CUT[name]
    assert 0.2 < picture(name).mean() < 0.3  # a head, neither a line nor noise
