"""`python -m model classify --by series`: a row for each series, and no file passed over."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model.__main__ import main
from model.batch.by_series import SERIES_COLUMNS, SeriesTally, Study, sort_out
from model.batch.command import Batch, Outcome, classify_series, classify_to_file
from model.batch.rows import PROBABILITY, failed
from model.batch.sources import Source, list_sources
from model.batch.tables import read_rows
from model.config import CLASS_NAMES
from model.inference.classifier import DEFAULT_MODEL_PATH
from tests.scan_files import dicom

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "data" / "samples").glob("*.png"))
AXIAL = [1, 0, 0, 0, 1, 0]
FILES = 14


def slice_of(pixels: Any, place: int, **about: Any) -> bytes:
    tags: dict[str, Any] = {
        "StudyInstanceUID": "1.2", "ImageOrientationPatient": AXIAL,
        "ImagePositionPatient": [0, 0, 6 * place], "InstanceNumber": place + 1,
    }  # fmt: skip
    return dicom(pixels, **(tags | about))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Series with and without contrast agent, a localizer, a CT, a picture, and broken files."""
    folder = tmp_path_factory.mktemp("study")
    phantoms = [
        np.asarray(Image.open(path).convert("L").resize((96, 96))).astype(np.uint16)
        for path in SAMPLES[:4]
    ]
    after = {"SeriesInstanceUID": "1.2.2", "SeriesNumber": 2, "SeriesDescription": "AX T1 GD"}
    for place in range(4):  # in an order of names that is not that of their places
        content = slice_of(phantoms[place], place, **after)
        (folder / f"{9 - place}.dcm").write_bytes(content)
    before = {"SeriesInstanceUID": "1.2.1", "SeriesNumber": 1, "SeriesDescription": "AX T2"}
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        for place in (1, 0, 1):
            archive.writestr(f"IM{len(archive.namelist())}", slice_of(phantoms[0], place, **before))
    scout = {"SeriesInstanceUID": "1.2.3", "SeriesNumber": 3, "SeriesDescription": "Scout"}
    for place in range(2):
        (folder / f"scout{place}.dcm").write_bytes(slice_of(phantoms[0], place, **scout))
    other = {"SeriesInstanceUID": "1.3.1", "StudyInstanceUID": "1.3", "Modality": "CT"}
    (folder / "ct.dcm").write_bytes(slice_of(phantoms[0], 0, **other))
    frames = slice_of(np.stack(phantoms[:2]), 0, SeriesInstanceUID="1.2.4", SeriesNumber=4)
    (folder / "frames.dcm").write_bytes(frames)
    (folder / "picture.png").write_bytes(SAMPLES[0].read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    broken = dicom(phantoms[0]).replace(b"1.2.840.10008.1.2.1\0", b"1.2.999.10008.1.2.1\0")
    (folder / "broken.dcm").write_bytes(broken)
    return folder


@pytest.fixture(scope="module")
def rows(study: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("out") / "series.jsonl"
    done = classify_series(Batch([str(study)], DEFAULT_MODEL_PATH, workers=1), out)
    assert done == Outcome(files=FILES, skipped=0, rows=8, errors=2)
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


def test_a_row_for_each_series_and_no_file_passed_over(
    rows: list[dict[str, Any]], study: Path
) -> None:
    assert [list(row) for row in rows] == [list(SERIES_COLUMNS)] * len(rows)
    names = [str(Path(row["path"].removeprefix(f"{study}/"))) for row in rows]
    assert names == [
        "broken.jpg", "picture.png", "more.zip!/IM1", "9.dcm", "scout0.dcm", "frames.dcm",
        "ct.dcm", "broken.dcm",
    ]  # fmt: skip
    assert sum(row["files"] for row in rows) == FILES
    assert [row["files"] for row in rows] == [1, 1, 3, 4, 2, 1, 1, 1]
    assert [row["repeats"] for row in rows] == [0, 0, 1, 0, 0, 0, 0, None]
    assert [row["slices"] for row in rows] == [1, 1, 2, 4, 2, 2, 1, None]


def test_rows_tell_what_the_headers_tell(rows: list[dict[str, Any]]) -> None:
    after = rows[3]
    about = {name: after[name] for name in ("description", "plane", "contrast", "millimeters")}
    assert about == {
        "description": "AX T1 GD", "plane": "axial", "contrast": "t1c", "millimeters": 6.0,
    }  # fmt: skip
    assert [row["chosen"] for row in rows] == [False, False, False, True, False, False, False, None]
    assert [row["study"] for row in rows] == [1, 1, 2, 2, 2, 2, 3, None]


def test_what_is_no_brain_mri_is_named_and_not_answered(rows: list[dict[str, Any]]) -> None:
    said = [row["not_answered"] for row in rows]
    assert said == [None, None, None, None, "localizer", None, "modality", None]
    for row in (rows[4], rows[6]):
        assert (row["error"], row["finding"], row["neighbors"]) == (None, None, None)
    assert rows[0]["error"].startswith("`file` must be")
    assert rows[-1]["error"].startswith("`file` must be DICOM of a transfer syntax")


def test_a_series_says_what_its_slices_say(
    rows: list[dict[str, Any]], study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "slices.jsonl"
    places = [str(study / f"{9 - place}.dcm") for place in range(4)]
    classify_to_file(Batch(places, DEFAULT_MODEL_PATH, workers=1), out, summary=False)
    tumor = [1 - row[PROBABILITY + "notumor"] for row in read_rows(out)]
    brain = [row["in_distribution"] for row in read_rows(out)]
    after = rows[3]
    assert after["slices_like_brain_mri"] == sum(brain)
    highest = max(range(4), key=lambda k: tumor[k] * brain[k])
    assert after["highest_tumor_probability"] == tumor[highest]
    assert after["highest_slice"] == places[highest]
    seen = sum(b and t > 0.5 for t, b in zip(tumor, brain, strict=True))
    assert after["slices_with_tumor"] == seen


def answered(path: str, tumor: float | None, **about: Any) -> dict[str, Any]:
    row = failed({"path": path, "sha256": None, "plane": None, "slice": None}, "broken", "m")
    if tumor is None:
        return row
    return row | {
        f"{PROBABILITY}{CLASS_NAMES[2]}": 1 - tumor, "in_distribution": True, "error": None,
    } | about  # fmt: skip


def test_neighbours_are_counted_in_the_order_of_the_places(study: Path) -> None:
    found = sort_out(list_sources([str(study)]))
    chances = {"9.dcm": 0.25, "8.dcm": 0.75, "7.dcm": 0.875, "6.dcm": 0.625}
    slices = [answered(s.label, chances.get(Path(s.label).name)) for s in found.to_read()]
    after = list(found.rows(slices, "m"))[3]
    assert {
        name: after[name] for name in SERIES_COLUMNS if "neighbor" in name or "high" in name
    } == {
        "neighbors": 3,
        "neighbors_needed": 3,
        "first_neighbor": str(study / "8.dcm"),
        "last_neighbor": str(study / "6.dcm"),
        "highest_tumor_probability": 0.875,
        "highest_slice": str(study / "7.dcm"),
    }
    assert (after["finding"], after["slices_with_tumor"], after["model_sha256"]) == (
        "tumor",
        3,
        "m",
    )


def test_slices_of_one_file_are_named_by_their_numbers(study: Path) -> None:
    found = sort_out([Source(str(study / "frames.dcm"), size=1)])
    label = str(study / "frames.dcm")
    slices = [answered(label, 0.25, slice=0), answered(label, 0.75, slice=1)]
    (row,) = found.rows(slices, "m")
    assert (row["highest_slice"], row["first_neighbor"]) == (f"{label} [1]", f"{label} [1]")


def test_slices_that_cannot_be_read_are_counted(study: Path) -> None:
    found = sort_out(list_sources([str(study)]))
    slices = [
        answered(s.label, None if s.label.endswith("7.dcm") else 0.25) for s in found.to_read()
    ]
    after = list(found.rows(slices, "m"))[3]
    assert (after["slices_not_readable"], after["error"]) == (1, None)
    assert (after["slices_like_brain_mri"], after["finding"]) == (3, "notumor")


def test_files_that_are_not_answered_are_counted_by_why(study: Path) -> None:
    found = sort_out(list_sources([str(study)]))
    tally = SeriesTally()
    slices = [answered(s.label, 0.25) for s in found.to_read()]
    assert len(list(tally.counted(found.rows(slices, "m")))) == tally.rows == 8
    assert tally.left_out == {
        "localizer": 2, "modality": 1, "at a place that has a picture": 1,
    }  # fmt: skip


def test_a_file_named_twice_counts_once(study: Path) -> None:
    found: Study = sort_out(list_sources([str(study), str(study / "ct.dcm")]))
    assert len(found.sources) == FILES


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_formats_have_the_same_columns(
    suffix: str, rows: list[dict[str, Any]], study: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / f"series{suffix}"
    paths = [str(study / name) for name in ("scout0.dcm", "scout1.dcm", "ct.dcm")]
    assert main(["classify", *paths, "--by", "series", "--out", str(out), "--workers", "1"]) == 0
    assert "3 files, 2 rows, 0 not readable" in capsys.readouterr().err
    if suffix == ".csv":
        header, first, _ = out.read_text(encoding="utf-8").splitlines()
        assert header == ",".join(SERIES_COLUMNS)
        assert first.startswith(f"1,1,{study}/scout0.dcm,Scout,MR,,axial,")
    else:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(out).to_pylist()
        assert [row["not_answered"] for row in table] == ["localizer", "modality"]
        assert [row["files"] for row in table] == [2, 1]


def test_series_are_for_one_machine(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["classify", str(study), "--by", "series", "--ray", "--out", str(study / "x")]
    assert main(command) == 1
    assert "without --ray" in capsys.readouterr().err
