"""Files told apart by what they hold, and slices in their physical proportions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.preprocessing import ImageError
from model.reading.open_scan import read_scan
from model.reading.scan import MAX_SIDE, MAX_SLICES, as_square, check_size
from tests.scan_files import dicom, nifti, png, white_share

ROOT = Path(__file__).resolve().parents[3]


def test_kinds_are_told_by_content() -> None:
    picture = read_scan(png(white_share(3)))
    assert (picture.kind, picture.planes, picture.frames) == ("image", {}, 1)
    assert picture.pixels(None, 0)[0, :3].tolist() == [255, 255, 255]
    assert read_scan(dicom(np.ones((4, 5)))).kind == "dicom"
    voxels = np.zeros((3, 4, 5), np.int16)
    assert read_scan(nifti(voxels)).kind == "nifti"
    assert read_scan(nifti(voxels, packed=True)).kind == "nifti"


def test_a_picture_needs_no_scan_libraries() -> None:
    """They take seconds to import on a small host."""
    program = (
        "import sys; from model.reading.open_scan import read_scan; "
        "read_scan(sys.stdin.buffer.read()); "
        "print(sorted({'nibabel', 'pydicom'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        input=png(white_share(3)),
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == b"[]"


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(ImageError, match=r"must not be empty. Received: 0 bytes"):
        read_scan(b"")


def test_an_unknown_kind_names_those_that_are_known() -> None:
    with pytest.raises(ImageError, match="DICOM and NIfTI") as caught:
        read_scan(b"%PDF-1.7 and more of it")
    assert caught.value.kind == "unsupported-format"
    assert "Received: 23 bytes" in str(caught.value)


def test_planes_and_slices_are_chosen() -> None:
    volume = read_scan(nifti(np.zeros((3, 4, 5), np.int16)))
    assert volume.planes == {"axial": 5, "coronal": 4, "sagittal": 3}
    assert [(s.plane, s.index, s.count) for s in volume.slices()] == [("axial", 2, 5)]
    assert [(s.plane, s.index) for s in volume.slices("coronal")] == [("coronal", 2)]
    assert [s.index for s in volume.slices("axial", 4)] == [4]
    assert [s.index for s in volume.slices("axial", range(1, 4))] == [1, 2, 3]
    assert [s.number for s in volume.slices("axial", "all")] == [0, 1, 2, 3, 4]
    for wanted in (5, range(3, 6)):
        with pytest.raises(ImageError, match=r"must be in 0..4 for this file. Received: 5"):
            volume.slices("axial", wanted)
    with pytest.raises(ImageError, match=r"must be in 0..4 for this file. Received: -1"):
        volume.slices("axial", -1)


def test_a_picture_has_no_planes() -> None:
    picture = read_scan(png(white_share(1)))
    assert [(s.plane, s.number, s.count) for s in picture.slices()] == [(None, None, 1)]
    with pytest.raises(ImageError, match=r"NIfTI volumes alone. Received: 'axial'"):
        picture.slices("axial")


def test_a_slice_is_padded_to_a_square_with_its_darkest_value() -> None:
    pixels = np.full((2, 4), 7, np.float32)
    pixels[0, 0] = 3
    assert as_square(pixels).tolist() == [[3, 3, 3, 3], [3, 7, 7, 7], [7, 7, 7, 7], [3, 3, 3, 3]]


def test_anisotropic_pixels_become_proportional() -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    square = as_square(pixels, (2.0, 1.0))  # rows 2 mm apart: 3 rows are 6 mm high, 4 columns 4 mm
    assert square.shape == (6, 6)
    assert (square[:, 0] == 0).all()  # one column of background on either side
    assert (square[:, 5] == 0).all()
    assert square[2:4, 1].mean() == pytest.approx(4, abs=0.01)  # the middle row of three
    assert square[0, 4] == 3


@pytest.mark.parametrize("spacing", [(0, 1), (float("nan"), 1), (1, float("inf")), (-1, 1)])
def test_a_spacing_that_is_none_counts_as_one(spacing: tuple[float, float]) -> None:
    assert as_square(np.zeros((3, 3), np.float32), spacing).shape == (3, 3)


@pytest.mark.parametrize("spacing", [(1e300, 1e-300), (1e-30, 1.0), (1.0, 5000.0)])
def test_an_absurd_spacing_leaves_the_slice_as_it_is(spacing: tuple[float, float]) -> None:
    assert as_square(np.zeros((3, 3), np.float32), spacing).shape == (3, 3)


@pytest.mark.parametrize(
    ("sides", "fits"),
    [
        ((MAX_SIDE, MAX_SIDE, 32), True),
        ((MAX_SIDE, MAX_SIDE, 33), False),
        ((512, 512, 512), True),
        ((1, 1, MAX_SLICES), True),
        ((MAX_SIDE + 1, 1, 1), False),
        ((1, MAX_SIDE + 1, 1), False),
        ((1, 1, MAX_SLICES + 1), False),
        ((0, 1, 1), False),
        ((1, 1, 0), False),
    ],
)
def test_absurd_sizes_are_refused(sides: tuple[int, int, int], fits: bool) -> None:
    if fits:
        check_size(*sides)
        return
    with pytest.raises(ImageError, match="must have sides of 1 to 2,048 pixels") as caught:
        check_size(*sides)
    assert caught.value.kind == "too-large"
