"""`python -m model classify`: rows, formats, going on after a kill, and past deadly files."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from flask import Flask
from PIL import Image

import model.batch.chunks
from model.__main__ import main
from model.batch.cluster import Actor, write_listing
from model.batch.command import Batch, Outcome, classify_to_file
from model.batch.rows import COLUMNS
from model.batch.sources import list_sources
from model.batch.store import Store
from model.batch.tables import FORMATS, read_rows, write_rows
from model.config import CLASS_NAMES
from model.inference.answer_text import NOT_AN_MRI, reason, verdict
from model.inference.classifier import DEFAULT_MODEL_PATH, Classifier
from model.inference.model_files import ModelFileError
from model.inference.prediction import Prediction
from model.preprocessing import load_image, prepare
from model.reading.open_scan import read_scan
from tests.scan_files import dicom, nifti
from web.pages import display

ROOT = Path(__file__).resolve().parents[3]
NUMBERS = dict.fromkeys(("confidence", "ood_score", *(f"probability_{n}" for n in CLASS_NAMES)))
SAMPLES = sorted((ROOT / "data" / "samples").glob("*.png"))


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load(threads=1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture, a frame series, a volume, an archive, and two files that cannot be read."""
    folder = tmp_path_factory.mktemp("mixed")
    phantom = np.asarray(Image.open(SAMPLES[0]).convert("L").resize((96, 96)))
    (folder / "a.png").write_bytes(SAMPLES[0].read_bytes())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    frames = np.stack([phantom, phantom.T]).astype(np.uint16)
    (folder / "IM1").write_bytes(dicom(frames))
    volume = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    volume[0, 0, 0] = np.nan
    (folder / "v.nii.gz").write_bytes(nifti(volume, packed=True))
    with zipfile.ZipFile(folder / "z.zip", "w") as archive:
        archive.write(SAMPLES[1], "deep/p.png")
        archive.writestr("bad.png", b"no picture")
    return folder


@pytest.fixture(scope="module")
def rows(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    out = tmp_path_factory.mktemp("out") / "rows.jsonl"
    done = classify_to_file(Batch([str(mixed)], DEFAULT_MODEL_PATH, workers=1), out)
    assert done == Outcome(files=6, skipped=0, rows=11, errors=2)
    return list(read_rows(out))


def test_a_row_for_each_picture_slice_and_frame(rows: list[dict[str, Any]], mixed: Path) -> None:
    places = [(Path(row["path"]).relative_to(mixed).as_posix(), row["plane"], row["slice"])
              for row in rows]  # fmt: skip
    assert places == [
        ("IM1", None, 0), ("IM1", None, 1), ("a.png", None, None), ("broken.jpg", None, None),
        *(("v.nii.gz", "axial", index) for index in range(5)),
        ("z.zip!/deep/p.png", None, None), ("z.zip!/bad.png", None, None),
    ]  # fmt: skip
    assert all(tuple(row) == COLUMNS for row in rows)


def test_rows_say_what_the_classifier_says(
    rows: list[dict[str, Any]], mixed: Path, shipped: Classifier
) -> None:
    found = {(Path(row["path"]).name, row["slice"]): row for row in rows}
    frame = read_scan((mixed / "IM1").read_bytes()).pixels(None, 1)
    for row, image in (
        (found["a.png", None], load_image(SAMPLES[0])),
        (found["p.png", None], load_image(SAMPLES[1])),
        (found["IM1", 1], prepare(frame)),
    ):
        expected = shipped.predict(image)
        shares = [row[f"probability_{name}"] for name in CLASS_NAMES]
        assert row["label"] == expected.label
        assert row["confidence"] == max(shares)
        assert shares == pytest.approx(list(expected.probabilities.values()), abs=1e-6)
        assert row["prediction_set"] == list(expected.prediction_set)
        assert (row["abstained"], row["reason"]) == (expected.abstained, reason(expected))
        assert row["ood_score"] == pytest.approx(expected.ood_score, rel=1e-5)
        assert (row["error"], row["model_sha256"]) == (None, shipped.sha256)
    sha256 = hashlib.sha256(SAMPLES[1].read_bytes()).hexdigest()
    assert found["p.png", None]["sha256"] == sha256


def test_what_cannot_be_read_says_why(rows: list[dict[str, Any]]) -> None:
    errors = {Path(row["path"]).name: row for row in rows if row["error"] is not None}
    assert set(errors) == {"broken.jpg", "bad.png"}
    assert "none of these" in errors["bad.png"]["error"]
    assert all(row["label"] is None and len(row["sha256"]) == 64 for row in errors.values())


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_keeps_every_value(
    rows: list[dict[str, Any]], tmp_path: Path, ending: str
) -> None:
    odd = [*rows, rows[0] | {"path": 'a "quoted", é\u2028\n.png'}]
    out = tmp_path / f"rows{ending}"
    write_rows(out, odd)
    assert list(map(repr, read_rows(out))) == list(map(repr, odd))
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_csv_has_a_column_for_each_class(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {f"probability_{name}" for name in CLASS_NAMES} < set(lines[0])
    assert lines[2]["abstained"] in ("true", "false")


ODD_NAMES = (
    "=cmd|'/c calc'!A1.png", "+1.png", "-1.png", "@a.png", "\ta.png", "a\rb.png", "a\nb.png", "'=a",
    "''-a", "'a", '"a,b".png', "a\\b.png",
)  # fmt: skip


def test_csv_is_safe_for_spreadsheets_and_read_again(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    odd = [rows[0] | {"path": name, "error": None} for name in ODD_NAMES]
    write_rows(tmp_path / "rows.csv", odd)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        cells = [line["path"] for line in csv.DictReader(file)]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [row["path"] for row in read_rows(tmp_path / "rows.csv")] == list(ODD_NAMES)
    # Python before 3.11.9 leaves a carriage return unquoted where lines end with a line feed alone.
    assert b'"a\rb.png"' in (tmp_path / "rows.csv").read_bytes()


def test_a_csv_whose_rows_are_broken_is_no_output(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    write_rows(path, rows[:1])
    head, line = path.read_bytes().split(b"\r\n")[:2]
    path.write_bytes(head + b"\r\n" + line[:40] + b"\r\n")
    with pytest.raises(ValueError, match="must be an output of classify"):
        list(read_rows(path))


def test_the_command_says_what_it_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.cr2", "b.cr2", "c.txt", ".d.png", "_e.png", "f"):
        (tmp_path / name).write_bytes(b"no picture")  # beside the output and its parts
    assert main(["classify", str(tmp_path), "--out", str(tmp_path / "o.jsonl")]) == 0
    assert (
        "0 files, 0 rows, 0 not readable; passed over: 2 .cr2, 2 hidden, 1 .txt, "
        "1 without an ending"
    ) in capsys.readouterr().err


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("model.batch.tables.find_spec", lambda name: None)
    assert main(["classify", str(SAMPLES[0]), "--out", str(tmp_path / "x.parquet")]) == 1
    assert "pip install -r requirements-scale.txt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--out", "x.xlsx"), "`--out` must end in .parquet, .csv, .jsonl. Received: x.xlsx"),
        (("--out", "none/x.csv"), "`--out` must be in a folder that exists"),
        (("--workers", "0"), "`workers` must be at least 1. Received: 0"),
        (("--ray",), "`--out` must be a folder for --ray. Received: none"),
    ],
)
def test_a_wrong_setting_is_an_error(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", str(SAMPLES[0]), *arguments]) == 1
    assert said in capsys.readouterr().err


def test_strict_exits_with_1_once_all_is_written(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.csv"
    command = ["classify", str(mixed / "z.zip"), "--out", str(out), "--workers", "1"]
    assert main([*command, "--strict"]) == 1
    assert "1 rows have an error, and --strict was given" in capsys.readouterr().err
    assert len(list(read_rows(out))) == 2
    assert main(command) == 0
    assert "1 not readable; 2 files were done already" in capsys.readouterr().err


def test_a_second_run_does_what_changed_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both files in one chunk, wherever the folder lies: its name may end a chunk between them.
    monkeypatch.setattr(model.batch.chunks, "END_EVERY", 2**40)
    folder, out = tmp_path / "in", tmp_path / "rows.jsonl"
    folder.mkdir()
    for path in SAMPLES[:3]:
        (folder / path.name).write_bytes(path.read_bytes())
    batch = Batch([str(folder / path.name) for path in SAMPLES[:2]], DEFAULT_MODEL_PATH, workers=1)
    assert classify_to_file(batch, out).skipped == 0
    first = out.read_bytes()
    assert classify_to_file(batch, out).skipped == 2
    assert out.read_bytes() == first

    (folder / SAMPLES[0].name).write_bytes(SAMPLES[5].read_bytes())
    assert classify_to_file(batch, out).skipped == 0
    found = [row["sha256"] for row in read_rows(out)]
    assert found[0] == hashlib.sha256(SAMPLES[5].read_bytes()).hexdigest()
    store = Store.beside(out)
    assert {path.name.split(".")[0] for path in store.folder.rglob("*.gz")} == set(store.order())

    store.begin({"model_sha256": "another"})
    assert classify_to_file(batch, out).skipped == 2  # its rows are of this model all the same
    assert "model_sha256" in caplog.text
    assert classify_to_file(batch, out, fresh=True).skipped == 0


@pytest.mark.parametrize(
    ("inside", "members"),
    [(False, ("glioma",)), (True, ("glioma", "notumor")), (True, ("pituitary",)),
     (True, ("glioma", "meningioma", "pituitary"))],
)  # fmt: skip
def test_the_reason_is_the_pages(web_app: Flask, inside: bool, members: tuple[str, ...]) -> None:
    shares = dict.fromkeys(CLASS_NAMES, 0.25)
    found = Prediction("glioma", 0.25, shares, 1.0, members, inside, 0.5, 1.0)
    with web_app.test_request_context("/", headers={"Accept-Language": "en"}):
        assert reason(found) == display.reason(found)
        assert verdict(found) == display.verdict(found)
    assert (reason(found) == NOT_AN_MRI) == (not inside)
    assert (verdict(found) == "Not a brain MRI.") == (not inside)


def test_lines_on_standard_output_have_the_time_of_each(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = str(mixed / "a.png")
    assert main(["classify", same, same, str(mixed / "broken.jpg"), "--workers", "1"]) == 0
    said = capsys.readouterr()
    first, second, broken = map(json.loads, said.out.splitlines())
    assert first.pop("milliseconds") > 0
    assert second.pop("milliseconds") > 0
    assert first == second
    assert set(first["probabilities"]) == set(CLASS_NAMES)
    assert broken["error"] is not None
    assert broken["probabilities"] is None
    assert "3 files, 3 rows, 1 not readable" in said.err


def test_an_actor_on_a_cluster_gives_the_same_rows(
    mixed: Path, rows: list[dict[str, Any]], shipped: Classifier, tmp_path: Path
) -> None:
    assert write_listing(list_sources([str(mixed)]), tmp_path) == 6
    blocks = pyarrow.table({"item": list(map(str, tmp_path.iterdir()))})
    found = Actor(None, shipped.sha256, "axial", None)(blocks).to_pylist()
    # the last digits of sums are those of one thread: this process may have more
    assert [row | NUMBERS for row in found] == [row | NUMBERS for row in rows]
    with pytest.raises(ModelFileError, match=r"must be the driver's, 00\. Received: "):
        Actor(None, "00", "axial", None)


def test_ray_takes_a_new_folder_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for out in (tmp_path, tmp_path / "x.parquet"):
        assert main(["classify", str(SAMPLES[0]), "--ray", "--out", str(out)]) == 1
        assert "must be a folder that does not exist yet for --ray" in capsys.readouterr().err
