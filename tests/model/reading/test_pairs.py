"""NIfTI pairs: a header and its voxels, as one file."""

from __future__ import annotations

import gzip
import io
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from model.reading.open_scan import read_scan
from model.reading.pairs import join, joined

VOXELS = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def pair(kind: Any, order: str = "<") -> tuple[bytes, bytes]:
    header = kind.header_class(endianness=order)
    image = kind(VOXELS, np.diag([-1.0, 1, 1, 1]), header)
    image.header["scl_slope"], image.header["scl_inter"] = 2, 1
    files = image.make_file_map({"header": None, "image": None})
    for file in files.values():
        file.fileobj = io.BytesIO()
    image.to_file_map(files)
    return files["header"].fileobj.getvalue(), files["image"].fileobj.getvalue()


def whole(content: bytes) -> NDArray[np.float32]:
    scan = read_scan(content)
    return np.stack([scan.pixels("axial", k) for k in range(scan.planes["axial"])])


@pytest.mark.parametrize("kind", [nibabel.Nifti1Pair, nibabel.Nifti2Pair])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [True, False])
def test_a_pair_is_the_file_that_it_would_be(kind: Any, order: str, packed: bool) -> None:
    header, voxels = pair(kind, order)
    single = {nibabel.Nifti1Pair: nibabel.Nifti1Image, nibabel.Nifti2Pair: nibabel.Nifti2Image}
    expected = 2 * whole(single[kind](VOXELS, np.diag([-1.0, 1, 1, 1])).to_bytes()) + 1
    sent = gzip.compress(voxels, mtime=0) if packed else voxels  # without the second it was made in
    found = join(header, sent)
    assert found is not None
    assert (whole(found) == expected).all()
    assert found == (join(gzip.compress(header, mtime=0), sent) if packed else found)


def test_files_are_paired_by_name_in_any_order() -> None:
    header, voxels = pair(nibabel.Nifti1Pair)
    files = [
        ("a.IMG", voxels),
        ("x.png", b"x"),
        ("b.hdr", header),
        ("a.hdr", header),
        ("c.img", b"c"),
    ]
    found = dict(joined(files))
    assert sorted(found) == ["a.hdr", "b.hdr", "c.img", "x.png"]
    assert found["a.hdr"] == join(header, voxels)
    assert (found["b.hdr"], found["c.img"]) == (header, b"c")


def test_other_headers_are_left_alone() -> None:
    header, voxels = pair(nibabel.Nifti1Pair)
    for other in (b"ENVI", b"", header[:344] + bytes(4), b"\x1f\x8bno gzip"):
        assert join(other, voxels) is None
        assert list(joined([("a.hdr", other), ("a.img", voxels)])) == [
            ("a.hdr", other), ("a.img", voxels),
        ]  # fmt: skip
