"""The file of outlines is checked, written whole, and rasterised at pixel centres."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset.outline_files import (
    Outline,
    OutlinesError,
    fill_polygon,
    load_outlines,
    outline_mask,
    save_outlines,
)

ROOT = Path(__file__).resolve().parents[3]
DATASET = Path(os.environ.get("DATASET_DIR", ROOT.parent / "shared" / "brain-tumor-mri"))
REAL_OUTLINES = DATASET.parent / "training-outlines.json"
BOX = [[10.0, 20.0], [30.0, 20.0], [30.0, 60.0], [10.0, 60.0]]
ENTRY = {"source_slice": 7, "mirrored": False, "outline": BOX}


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "outlines.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_file_is_read_with_types_and_shapes(tmp_path: Path) -> None:
    entry = {**ENTRY, "patient": "MR0402", "unknown": 1}
    path = written(tmp_path, {"glioma/a.jpg": entry, "pituitary/b.jpg": ENTRY})
    outlines = load_outlines(str(path))
    first = outlines["glioma/a.jpg"]
    assert list(outlines) == ["glioma/a.jpg", "pituitary/b.jpg"]
    assert (first.source_slice, first.mirrored, first.patient) == (7, False, "MR0402")
    assert outlines["pituitary/b.jpg"].patient is None
    assert first.outline.dtype == np.float32
    assert first.outline.tolist() == BOX


def test_a_written_file_is_sorted_one_entry_a_line_and_reads_the_same(tmp_path: Path) -> None:
    points = np.array([[1.04, 2.0], [3.06, 224.0], [0.0, 7.25]], np.float32)
    path = tmp_path / "new" / "outlines.json"
    save_outlines(
        {
            "pituitary/b.jpg": Outline(3, True, points),
            "glioma/a.jpg": Outline(1, False, points, "p"),
        },
        path,
    )
    assert path.read_text(encoding="utf-8").splitlines() == [
        "{",
        '"glioma/a.jpg": {"source_slice": 1, "mirrored": false, '
        '"outline": [[1.0, 2.0], [3.1, 224.0], [0.0, 7.2]], "patient": "p"},',
        '"pituitary/b.jpg": {"source_slice": 3, "mirrored": true, '
        '"outline": [[1.0, 2.0], [3.1, 224.0], [0.0, 7.2]]}',
        "}",
    ]
    assert load_outlines(path)["pituitary/b.jpg"].mirrored is True
    assert [child.name for child in path.parent.iterdir()] == ["outlines.json"]


def test_a_failed_write_leaves_the_earlier_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, {"glioma/a.jpg": ENTRY})
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        save_outlines(load_outlines(path), path)
    assert path.read_bytes() == before
    assert [child.name for child in tmp_path.iterdir()] == ["outlines.json"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ([], "must be a JSON object with at least one entry"),
        ({}, "must be a JSON object with at least one entry"),
        ("[" * 100_000, "nested too deeply"),
        ('{"glioma/a.jpg": 1, "glioma/a.jpg": 2}', "named more than once: glioma/a.jpg"),
        ({"a.jpg": ENTRY}, "'a.jpg': the key must be class/file name"),
        ({"tumour/a.jpg": ENTRY}, "the class one of glioma, meningioma, notumor, pituitary"),
        ({"glioma/": ENTRY}, "the key must be class/file name"),
        ({"glioma/x/a.jpg": ENTRY}, "the key must be class/file name"),
        ({"glioma/a.jpg": 3}, "'glioma/a.jpg': must be an object. Received: int"),
        ({"glioma/a.jpg": {"outline": BOX}}, "has no `source_slice` and no `mirrored`"),
        ({"glioma/a.jpg": {**ENTRY, "source_slice": 0}}, "an integer from 1. Received: 0"),
        ({"glioma/a.jpg": {**ENTRY, "source_slice": True}}, "an integer from 1. Received: True"),
        ({"glioma/a.jpg": {**ENTRY, "mirrored": 1}}, "`mirrored` must be true or false"),
        ({"glioma/a.jpg": {**ENTRY, "patient": ""}}, "`patient` must be a text"),
        ({"glioma/a.jpg": {**ENTRY, "outline": BOX[:2]}}, r"at least 3 pairs .*shape \(2, 2\)"),
        ({"glioma/a.jpg": {**ENTRY, "outline": [[1, 2], [3]]}}, "rows of different lengths"),
        ({"glioma/a.jpg": {**ENTRY, "outline": [["1", "2"]] * 3}}, "values that are not numbers"),
        ({"glioma/a.jpg": {**ENTRY, "outline": [*BOX, [1, 225]]}}, "from 0 to 224.* to 225"),
        ({"glioma/a.jpg": {**ENTRY, "outline": [*BOX, [1, float("nan")]]}}, "Received: nan"),
    ],
)  # fmt: skip
def test_a_faulty_file_is_refused_in_a_sentence(
    tmp_path: Path, content: Any, sentence: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(OutlinesError, match=sentence) as caught:
        load_outlines(path)
    assert str(path) in str(caught.value)


def test_a_file_of_other_bytes_or_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outlines.json"
    with pytest.raises(FileNotFoundError):
        load_outlines(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OutlinesError, match="is not JSON"):
        load_outlines(path)


def test_a_mask_has_the_pixels_whose_centres_are_inside() -> None:
    outline = Outline(1, False, np.array(BOX, np.float32))
    expected = np.zeros((224, 224), bool)
    expected[20:60, 10:30] = True
    mask = outline_mask(outline)
    assert mask.dtype == bool
    assert np.array_equal(mask, expected)
    assert np.array_equal(outline_mask(outline.outline, 448), expected.repeat(2, 0).repeat(2, 1))
    assert outline_mask(outline, 112).sum() == 10 * 20


def test_a_mirrored_outline_is_the_mirrored_mask() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    points = np.stack([70.3 + 21 * np.cos(angles), 90.8 + 13 * np.sin(angles)], 1)
    plain = outline_mask(points.astype(np.float32))
    points[:, 0] = 224 - points[:, 0]
    assert abs(int(plain.sum()) - np.pi * 21 * 13) < 12
    mirrored = outline_mask(points.astype(np.float32))
    assert (mirrored ^ plain[:, ::-1]).sum() <= 2  # ties at a pixel's centre


def test_a_polygon_may_leave_the_picture() -> None:
    mask = fill_polygon(np.array([[-5.0, -5.0], [3.0, -5.0], [3.0, 9.0], [-5.0, 9.0]]), 4, 6)
    assert mask.shape == (4, 6)
    assert mask.sum(axis=0).tolist() == [4, 4, 4, 0, 0, 0]


def test_wrong_arguments_of_a_mask_are_named() -> None:
    with pytest.raises(ValueError, match=r"`size` must be at least 1\. Received: 0"):
        outline_mask(np.array(BOX, np.float32), 0)
    with pytest.raises(ValueError, match=r"`outline` must have shape \(k, 2\), k >= 3"):
        outline_mask(np.zeros((2, 2), np.float32))


def test_importing_it_imports_neither_h5py_nor_the_audit_nor_keras() -> None:
    code = (
        "import sys, data.dataset.outline_files\n"
        "print([m for m in ('h5py', 'data.audit', 'keras', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not REAL_OUTLINES.is_file(), reason="the real outlines are not here")
def test_the_real_outlines_are_read_and_written_back_byte_for_byte(tmp_path: Path) -> None:
    outlines = load_outlines(REAL_OUTLINES)
    counts = Counter(name.partition("/")[0] for name in outlines)
    assert counts == {"glioma": 1321, "meningioma": 1199, "pituitary": 1442}
    areas = np.array([outline_mask(outline).sum() for outline in outlines.values()])
    assert areas.min() >= 20
    assert areas.max() <= 5_000
    save_outlines(outlines, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == REAL_OUTLINES.read_bytes()
