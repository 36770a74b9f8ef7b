"""NIfTI: which way is up, whatever the order of the axes in the file, and what values become."""

from __future__ import annotations

import gzip
import zlib
from itertools import permutations

import nibabel
import numpy as np
import pytest

from model.preprocessing import ImageError
from model.reading.open_scan import read_scan
from model.reading.volumes.nifti import NiftiScan
from tests.model.reading.volumes.made import EXPECTED, FRONT, RIGHT, TOP, corners, head, mgh
from tests.scan_files import nifti


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_slices_look_the_same_however_they_are_stored(
    order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    voxels = head()
    for axis, sign in enumerate(signs):
        if sign < 0:
            voxels = np.flip(voxels, axis)
    voxels = np.ascontiguousarray(voxels.transpose(order))
    affine = np.zeros((4, 4))
    for axis, body in enumerate(order):
        affine[body, axis] = signs[body]
    affine[3, 3] = 1
    scan = NiftiScan(nifti(voxels, affine))
    for plane, expected in EXPECTED.items():
        assert corners(scan, plane, 3) == expected, plane
    assert corners(scan, "axial", 0)[0] == [FRONT + RIGHT, FRONT]  # slice 0 lies at the feet
    assert corners(scan, "coronal", 0)[0] == [TOP + RIGHT, TOP]  # at the back
    assert corners(scan, "sagittal", 0)[0] == [TOP + FRONT, TOP]  # at the left


def test_an_oblique_affine_takes_the_nearest_axes() -> None:
    turn = np.radians(20)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    assert corners(NiftiScan(nifti(head(), affine)), "axial", 3) == EXPECTED["axial"]


def test_anisotropic_voxels_become_proportional() -> None:
    voxels = np.ones((6, 8, 4), np.int16)
    scan = NiftiScan(nifti(voxels, np.diag([1.0, 1.0, 3.0, 1.0])))
    assert scan.planes == {"axial": 4, "coronal": 8, "sagittal": 6}
    assert scan.pixels("axial", 0).shape == (8, 8)
    assert scan.pixels("coronal", 0).shape == (12, 12)  # 6 wide, 4 x 3 mm high
    assert scan.pixels("sagittal", 0).shape == (12, 12)


def test_two_dimensions_are_a_volume_of_one_slice() -> None:
    scan = NiftiScan(nifti(head()[:, :, 3]))
    assert scan.planes == {"axial": 1, "coronal": 4, "sagittal": 4}
    assert corners(scan, "axial", 0) == EXPECTED["axial"]


def test_of_four_dimensions_the_first_volume_is_taken() -> None:
    voxels = np.stack([head(), head() + 50], axis=3)
    scan = NiftiScan(nifti(voxels))
    assert scan.planes["axial"] == 4
    assert corners(scan, "axial", 3) == EXPECTED["axial"]


def test_gzipped_and_plain_are_the_same() -> None:
    plain, packed = NiftiScan(nifti(head())), NiftiScan(nifti(head(), packed=True))
    assert (plain.pixels("coronal", 1) == packed.pixels("coronal", 1)).all()


def test_the_scale_of_the_header_applies() -> None:
    content = bytearray(nifti(head()))
    content[112:120] = np.array([2, 10], "<f4").tobytes()  # scl_slope and scl_inter
    assert NiftiScan(bytes(content)).pixels("axial", 3).max() == 2 * (TOP + FRONT + RIGHT) + 10


@pytest.mark.parametrize("shape", [(4, 4, 4, 1), (4, 4, 4, 1, 1), (4, 4, 4, 1, 1, 1, 1)])
def test_trailing_sides_of_one_are_nothing(shape: tuple[int, ...]) -> None:
    scan = NiftiScan(nifti(head().reshape(shape)))
    assert corners(scan, "axial", 3) == EXPECTED["axial"]


@pytest.mark.parametrize("names", ["RGB", "RGBA"])
def test_colours_become_luminance(names: str) -> None:
    voxels = np.zeros((4, 4, 4), [(name, "u1") for name in names])
    voxels["R"][2:] = 100  # the patient's right
    voxels["B"][:, 2:] = 50  # the front
    pixels = NiftiScan(nifti(voxels)).pixels("axial", 0)[::3, ::3]
    expected = [[100 * 0.299 + 50 * 0.114, 50 * 0.114], [100 * 0.299, 0]]
    assert pixels == pytest.approx(np.array(expected), abs=1e-3)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_values_that_are_none_are_background(value: float) -> None:
    voxels = head().astype(np.float32) + 3
    voxels[:2, :2] = value
    pixels = NiftiScan(nifti(voxels)).pixels("axial", 3)
    shown = TOP + 3
    assert pixels[::3, ::3].tolist() == [
        [shown + FRONT + RIGHT, shown + FRONT], [shown + RIGHT, shown + RIGHT],
    ]  # fmt: skip


def test_a_slice_without_values_is_blank_in_a_volume_that_has_some() -> None:
    voxels = head().astype(np.float32)
    voxels[:, :, 0] = np.nan
    scan = NiftiScan(nifti(voxels))
    assert scan.pixels("axial", 0).tolist() == np.zeros((4, 4)).tolist()
    with pytest.raises(ImageError, match="must have finite values"):
        NiftiScan(nifti(np.full((4, 4, 4), np.nan, np.float32))).pixels("axial", 0)


@pytest.mark.parametrize("kind", [">f8", "<f8", "<i8", "<u8"])
@pytest.mark.parametrize("packed", [True, False])
def test_values_of_eight_bytes_are_held_in_four(kind: str, packed: bool) -> None:
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, 10**6, (60, 70, 80)).astype(kind)
    image = nibabel.Nifti1Image(voxels, np.eye(4), dtype=voxels.dtype)
    scan = NiftiScan(gzip.compress(image.to_bytes(), 1) if packed else image.to_bytes())
    assert scan._voxels.dtype == np.float32
    pixels = scan.pixels("axial", 79)[:, 5:75].T  # padded to 70 from 60 columns
    assert scan._voxels[:, :, 79].tolist() == voxels[:, :, 79].tolist()
    assert pixels.max() == voxels[:, :, 79].max()


def test_a_large_volume_of_eight_bytes_is_read() -> None:
    """68 MiB as `nibabel.save(image.get_fdata())` makes of an atlas of 1 mm."""
    stream = zlib.compressobj(1, wbits=31)
    voxels = np.zeros((240, 240, 155))
    voxels[:, :, 154] = 5
    content = stream.compress(nifti(voxels)) + stream.flush()
    scan = NiftiScan(content)
    assert scan.planes == {"axial": 155, "coronal": 240, "sagittal": 240}
    assert scan.pixels("axial", 154).min() == 5
    assert scan.pixels("axial", 153).max() == 0


@pytest.mark.parametrize(
    ("shape", "zooms", "plane"),
    [
        ((8, 3, 8), (0.6, 6, 0.6), "coronal"),
        ((3, 8, 8), (6, 0.6, 0.6), "sagittal"),
        ((8, 8, 3), (1, 1, 3), "axial"),
        ((1, 8, 8), (1, 1, 1), "sagittal"),  # no spacing: the two largest sides
        ((8, 3, 8), (0, 0, 0), "coronal"),
        ((240, 240, 155), (1, 1, 1), "axial"),
        ((160, 256, 256), (1.2, 1, 1), "axial"),  # nearly the same in each direction
    ],
)
def test_the_acquired_plane_is_the_default(
    shape: tuple[int, ...], zooms: tuple[float, ...], plane: str
) -> None:
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), np.eye(4))
    image.header["pixdim"][1:4] = zooms
    content = bytearray(image.to_bytes())
    content[80:92] = np.array(zooms, "<f4").tobytes()
    scan = NiftiScan(bytes(content))
    assert scan.acquired == plane
    (found,) = scan.slices()
    assert (found.plane, found.count) == (plane, scan.planes[plane])
    assert scan.slices("axial")[0].plane == "axial"


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("packed", [True, False])
def test_freesurfers_files_are_read(kind: type[np.generic], packed: bool) -> None:
    affine = np.diag([-1.0, 1, -1, 1])
    affine[:3, 3] = 3
    content = mgh(head().astype(kind)[::-1, :, ::-1], affine)
    scan = read_scan(gzip.compress(content) if packed else content)
    assert scan.kind == "nifti"
    for plane, expected in EXPECTED.items():
        assert scan.pixels(plane, 3)[::3, ::3].tolist() == expected, plane
