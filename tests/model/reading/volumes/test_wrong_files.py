"""Volumes that lie, are too large or damaged: refused in a sentence, before they are held."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
from numpy.typing import NDArray

from model.preprocessing import ImageError
from model.reading.open_scan import read_scan
from model.reading.volumes.nifti import MAX_UNPACKED_BYTES, NiftiScan
from tests.model.reading.volumes.made import EXPECTED, corners, head, mgh
from tests.scan_files import nifti


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
