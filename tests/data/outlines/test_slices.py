"""Slices with outlines: read upright, borders in order, faulty ones refused in a sentence."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset.outline_files import OutlinesError, fill_polygon
from data.outlines import collection as collection_module
from data.outlines.collection import open_collection
from data.outlines.mat import MatError, border_outline, read_slice
from tests.mat_files import drawn, fields, mat_bytes, matlab_border, overlap


def test_a_slice_is_read_upright(mats: dict[str, bytes]) -> None:
    phantom = drawn("glioma", 2)
    content = fields(phantom, "MR040241I")
    content["image"], content["tumorMask"] = content["image"][40:], content["tumorMask"][40:]
    content["tumorBorder"] = matlab_border(phantom.mask[40:]).reshape(1, -1)
    found = read_slice(mat_bytes(content), 12, "12.mat")
    assert (found.number, found.label, found.patient) == (12, "glioma", "MR040241I")
    assert found.image.shape == (408, 448)
    assert found.image.dtype == np.float32
    assert np.array_equal(found.image, phantom.image[40:].astype(np.float32) * 9 + 40)
    assert not found.traced
    assert overlap(fill_polygon(found.outline, 408, 448), phantom.mask[40:]) >= 0.95


def test_a_border_is_read_in_the_order_that_fits_the_mask() -> None:
    mask = np.zeros((50, 80), bool)
    mask[10:20, 30:70] = True
    corners = np.array([[30.0, 10.0], [70.0, 10.0], [70.0, 20.0], [30.0, 20.0]])
    for pairs in (corners, corners[:, ::-1]):
        outline, traced = border_outline(pairs.ravel() + 0.5, mask)
        assert np.array_equal(outline, corners)
        assert not traced


def test_a_border_that_fits_nothing_gives_way_to_the_masks_largest_part() -> None:
    mask = np.zeros((50, 80), bool)
    mask[10:20, 30:70] = True
    mask[40:43, 5:8] = True
    outline, traced = border_outline(np.array([1.0, 1, 9, 1, 9, 9]), mask)
    assert traced
    mask[40:43, 5:8] = False
    assert overlap(fill_polygon(outline, 50, 80), mask) == 1.0


def test_a_patient_may_be_a_number() -> None:
    content = {**fields(drawn("glioma", 2)), "PID": np.array([[98233.0]])}
    assert read_slice(mat_bytes(content), 1, "1.mat").patient == "98233"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tumorMask": None}, "`cjdata` has no `tumorMask`"),
        ({"label": None, "PID": None}, "`cjdata` has no `label`, `PID`"),
        ({"label": [[4.0]]}, r"one of 1 \(meningioma\), 2 \(glioma\), .* Received: 4"),
        ({"label": [[1.5]]}, "Received: 1.5"),
        ({"label": [[1.0, 2.0]]}, "Received: 2 values"),
        ({"label": [[np.nan]]}, "Received: nan"),
        ({"PID": np.zeros((1, 3), np.uint16)}, "`PID` must be a text that is not empty"),
        ({"PID": np.array([[32, 32]], np.uint16)}, "`PID` must be a text that is not empty"),
        ({"PID": np.zeros((0, 0), np.uint16)}, "`PID` is empty"),
        ({"image": np.zeros((4, 4, 3))}, r"`image` must have shape \(height, width\)"),
        ({"image": np.full((448, 448), np.nan)}, "`image` must be finite"),
        ({"image": np.full((448, 448), 7)}, "`image` is flat"),
        ({"image": np.array(b"text")}, "`image` must hold numbers"),
        ({"tumorMask": np.ones((448, 447))}, r"must be as `image`, \(448, 448\).* \(448, 447\)"),
        ({"tumorMask": np.zeros((448, 448))}, "`tumorMask` has no tumour in it"),
        ({"tumorBorder": np.ones((1, 7))}, "at least 3 pairs of coordinates. Received: 7 values"),
        ({"tumorBorder": np.ones((1, 4))}, "at least 3 pairs of coordinates. Received: 4 values"),
        ({"tumorBorder": np.full((1, 8), np.nan)}, "`tumorBorder` lies outside the image"),
        ({"tumorBorder": np.full((1, 8), 5e3)}, "`tumorBorder` lies outside the image"),
    ],
)  # fmt: skip
def test_a_faulty_slice_is_refused_in_a_sentence(change: dict[str, Any], sentence: str) -> None:
    content = {**fields(drawn("glioma", 2)), **change}
    present = {name: value for name, value in content.items() if value is not None}
    with pytest.raises(MatError, match=sentence) as caught:
        read_slice(mat_bytes(present), 5, "5.mat")
    assert str(caught.value).startswith("5.mat: ")


def test_what_is_no_slice_at_all_is_refused_in_a_sentence() -> None:
    content = fields(drawn("glioma", 2))
    for wrong, sentence in (
        (b"", "5.mat is not HDF5"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "5.mat is an older MATLAB file; v7.3"),
        (mat_bytes(content, struct="data"), "has no struct `cjdata`. It holds: data"),
    ):
        with pytest.raises(MatError, match=sentence):
            read_slice(wrong, 5, "5.mat")


def test_zips_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    third, second, first = (tmp_path / f"{name}.zip" for name in ("third", "second", "first"))
    with zipfile.ZipFile(third, "w") as packed:
        packed.writestr("1.mat", b"x" * 100)
    for outer, inner in ((second, third), (first, second)):
        with zipfile.ZipFile(outer, "w") as packed:
            packed.write(inner, inner.name)
    with pytest.raises(OutlinesError, match="has zips in it again"), open_collection(first):
        pass
    monkeypatch.setattr(collection_module, "MAX_FILE_BYTES", 99)
    with open_collection(second) as found, pytest.raises(OutlinesError, match="is too large"):
        found.files[1].read()
    monkeypatch.setattr(collection_module, "MAX_ZIP_BYTES", 99)
    with pytest.raises(OutlinesError, match=r"third.zip is too large"), open_collection(second):
        pass
