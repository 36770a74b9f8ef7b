"""NIfTI: which way is up, whatever the order of the axes in the file, and files that lie."""

from __future__ import annotations

import gzip
import io
import zlib
from itertools import permutations
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from model.preprocessing import ImageError
from model.reading.open_scan import read_scan
from model.reading.volumes.nifti import MAX_UNPACKED_BYTES, NiftiScan
from tests.scan_files import nifti

RIGHT, FRONT, TOP = 1, 2, 4


def head() -> NDArray[np.int16]:
    """Right-anterior-superior voxels: each half of the head adds a number of its own."""
    voxels = np.zeros((4, 4, 4), np.int16)
    voxels[2:] += RIGHT
    voxels[:, 2:] += FRONT
    voxels[:, :, 2:] += TOP
    return voxels


def corners(scan: NiftiScan, plane: str, index: int) -> list[list[float]]:
    """The four corner values of a slice."""
    found: list[list[float]] = scan.pixels(plane, index)[::3, ::3].tolist()
    return found


EXPECTED = {  # rows from the top, columns from the left, of the slice with the highest number
    "axial": [[TOP + FRONT + RIGHT, TOP + FRONT], [TOP + RIGHT, TOP]],
    "coronal": [[FRONT + TOP + RIGHT, FRONT + TOP], [FRONT + RIGHT, FRONT]],
    "sagittal": [[RIGHT + TOP + FRONT, RIGHT + TOP], [RIGHT + FRONT, RIGHT]],
}


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


def test_a_gzip_bomb_ends_early() -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        file.write(nifti(head()))
        for _ in range(MAX_UNPACKED_BYTES // 2**20):
            file.write(bytes(2**20))
    assert len(buffer.getvalue()) < 2 * 2**20
    with pytest.raises(ImageError, match="at most 256 MiB once decompressed") as caught:
        NiftiScan(buffer.getvalue())
    assert caught.value.kind == "too-large"


def test_a_volume_larger_than_what_is_held_is_refused_by_its_header() -> None:
    content = with_header(40, np.array([3, 512, 512, 129], "<i2"))
    with pytest.raises(ImageError, match=r"at most 64 MiB.*save it in 16 bits") as caught:
        NiftiScan(content)
    assert caught.value.kind == "too-large"


def test_other_volumes_are_read_past_and_counted() -> None:
    voxels = np.stack([head()] * 30, axis=3)
    content = gzip.compress(nifti(voxels))
    assert corners(NiftiScan(content), "axial", 3) == EXPECTED["axial"]
    with pytest.raises(ImageError, match="truncated NIfTI file"):
        NiftiScan(gzip.compress(nifti(voxels)[:-1]))


def test_the_header_of_a_pair_is_no_volume() -> None:
    with pytest.raises(ImageError, match=r"single NIfTI file.*header \(.hdr\) of a pair"):
        NiftiScan(with_header(344, np.frombuffer(b"ni1\0", np.uint8)))


def test_other_archives_are_of_no_known_kind() -> None:
    with pytest.raises(ImageError, match="a gzip archive of something else") as caught:
        NiftiScan(gzip.compress(b"a text" * 100))
    assert caught.value.kind == "unsupported-format"


@pytest.mark.parametrize("cut", [100, 20])
def test_a_truncated_archive_is_damage(cut: int) -> None:
    content = nifti(np.random.default_rng(0).integers(0, 999, (20, 20, 20)).astype(np.int16))
    with pytest.raises(ImageError, match="damaged gzip file") as caught:
        NiftiScan(gzip.compress(content)[:-cut])
    assert caught.value.kind == "damaged"


def test_fewer_voxels_than_the_header_says_are_truncation() -> None:
    with pytest.raises(ImageError, match="truncated NIfTI file"):
        NiftiScan(nifti(head())[:-1])


def test_sides_above_512_are_read() -> None:
    voxels = np.zeros((640, 600, 3), np.uint8)
    voxels[500:, :, 1] = 7
    pixels = NiftiScan(nifti(voxels)).pixels("axial", 1)
    assert pixels.shape == (640, 640)
    assert (pixels[320, :140] == 7).all()  # the patient's right is on the left
    assert (pixels[320, 140:] == 0).all()


def test_a_volume_of_too_many_voxels_is_refused() -> None:
    with pytest.raises(ImageError, match=r"Received: 1000 of 1000 x 1000") as caught:
        NiftiScan(with_header(40, np.array([3, 1000, 1000, 1000], "<i2")))
    assert caught.value.kind == "too-large"


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


def mgh(voxels: NDArray[Any], affine: NDArray[np.float64] | None = None) -> bytes:
    image = nibabel.MGHImage(voxels, np.eye(4) if affine is None else affine)
    content: bytes = image.to_bytes()
    return content


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


def test_a_truncated_freesurfer_file_is_damage() -> None:
    with pytest.raises(ImageError, match="truncated"):
        read_scan(mgh(head())[:400])


def test_what_nibabel_says_is_not_repeated() -> None:
    for content in (with_header(70, np.array([999, 16], "<i2")), gzip.compress(nifti(head()))[:-9]):
        with pytest.raises(ImageError, match=r"is a damaged (NIfTI|gzip) file") as caught:
            NiftiScan(content)
        assert str(caught.value).endswith(("cannot be read", "cannot be unpacked to its end"))


def with_header(place: int, values: NDArray[np.generic]) -> bytes:
    content = bytearray(nifti(head()))
    raw = values.tobytes()
    content[place : place + len(raw)] = raw
    return bytes(content)


@pytest.mark.parametrize(
    ("place", "values", "kind"),
    [
        (40, np.array([3, 30000, 4, 4], "<i2"), "too-large"),  # dim
        (40, np.array([3, 0, 4, 4], "<i2"), "too-large"),
        (40, np.array([5, 4, 4, 4, 1, 2], "<i2"), "damaged"),
        (70, np.array([32, 64], "<i2"), "damaged"),  # complex numbers
        (70, np.array([128, 24], "<i2"), "damaged"),  # colours, of more bytes than there are
        (70, np.array([999, 16], "<i2"), "damaged"),  # no such type
        (280, np.zeros(12, "<f4"), "damaged"),  # an affine without directions
        (280, np.full(12, np.nan, "<f4"), "damaged"),
        (108, np.array([1e9], "<f4"), "damaged"),  # voxels behind the end
        (108, np.array([100], "<f4"), "damaged"),  # or inside the header
        (108, np.array([np.nan], "<f4"), "damaged"),
        (0, np.array([349], "<i4"), "damaged"),  # the size of the header
        (40, np.array([8, 4, 4, 4], "<i2"), "damaged"),
        (40, np.array([3, -4, 4, 4], "<i2"), "too-large"),
        (40, np.array([4, 4, 4, 4, 0], "<i2"), "damaged"),
    ],
)
def test_a_wrong_header_is_refused(place: int, values: NDArray[np.generic], kind: str) -> None:
    with pytest.raises(ImageError) as caught:
        NiftiScan(with_header(place, values)).pixels("axial", 0)
    assert caught.value.kind == kind
