"""The whole audit on a small drawn dataset: the manifest, the figures and the text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from data.audit import blocks
from data.audit.command import run_audit
from data.audit.published_folds import load_published_folds
from data.audit.report import peak_memory
from data.dataset.division import load_manifest
from model.__main__ import main
from model.config import CLASS_NAMES
from tests.data.audit.test_audit import heads


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images a class to train and two to test with; known copies are planted."""
    root = tmp_path_factory.mktemp("dataset")
    for number, label in enumerate(CLASS_NAMES):
        images = heads(14, seed=100 + number)[..., 0]
        images[1] = images[0][:, ::-1]  # mirrored, within Training
        images[12] = images[2]  # across
        images[3] = images[13][::-1]  # upside down, across
        for k, image in enumerate(images):
            folder = root / ("Testing" if k > 11 else "Training") / label
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{k:02d}.png")
    conflicting = root / "Training" / "pituitary" / "05.png"
    conflicting.write_bytes((root / "Training" / "glioma" / "05.png").read_bytes())
    return root


@pytest.fixture(autouse=True)
def _strict_likeness(monkeypatch: pytest.MonkeyPatch) -> None:
    """The drawn heads share their outline, which would make one block of a class."""
    monkeypatch.setattr(blocks, "LIKENESS", 0.995)


def test_the_audit_finds_what_was_planted(dataset: Path, tmp_path: Path) -> None:
    report = run_audit(dataset, tmp_path / "s.csv", tmp_path / "r" / "audit.json", plant=1)
    assert json.loads((tmp_path / "r" / "audit.json").read_text(encoding="utf-8")) == report
    each = dict.fromkeys(CLASS_NAMES, 1) | {"all": 4}
    assert report["images"]["Training"]["all"] == 48
    assert report["pairs"]["within Training"]["mirrored"] == each
    assert report["pairs"]["within Training"]["identity"]["all"] == 1
    assert report["pairs"]["across"]["identity"] == each
    assert report["pairs"]["across"]["upside_down"] == each
    assert report["pairs"]["within Testing"]["identity"]["all"] == 0
    assert report["test"]["with_copy_in_training"] == each
    assert report["test"]["with_turned_copy_alone"] == each
    assert report["test"]["unseen"] == each
    assert report["groups"] == {"1": 38, "2": 9}
    assert report["label_conflicts"] == [["Training/glioma/05.png", "Training/pituitary/05.png"]]
    assert report["outlines"] is None
    assert report["blocks"] == {"made_from": "likeness"}
    assert report["roles"]["clean"]["excluded"] == each
    assert report["planted"]["kinds"]["JPEG 90"]["all"]["recall"] == 1.0
    assert 0 < report["peak_memory_mb"] < 100_000

    manifest = load_manifest(tmp_path / "s.csv")
    row = manifest.rows["Training/glioma/00.png"]
    assert row["nearest"] == "Training/glioma/01.png"
    assert (row["similarity"], row["mirrored"]) == ("1.0000", "1")
    assert manifest.unseen() == [f"Testing/{label}/13.png" for label in CLASS_NAMES]
    assert manifest.select("clean", "excluded") == [
        f"Training/{label}/02.png" for label in CLASS_NAMES
    ]
    text = (tmp_path / "r" / "audit.md").read_text(encoding="utf-8")
    assert "**4 of the 8 test images have a copy or a mirrored copy in Training.**" in text
    assert "`Training/glioma/05.png`, `Training/pituitary/05.png`" in text


def test_outlines_are_what_is_measured_against(dataset: Path, tmp_path: Path) -> None:
    square = [[80, 80], [120, 80], [120, 120]]
    known = {
        f"glioma/{k:02d}.png": {
            "source_slice": 1993 + max(k, 1), "mirrored": k == 1, "outline": square,
        }
        for k in range(12)
    }  # fmt: skip
    known["glioma/06.png"]["source_slice"] = 2000  # said to be a copy, and is none
    outlines = tmp_path / "outlines.json"
    outlines.write_text(json.dumps(known), encoding="utf-8")
    arguments = ["audit", "--data", str(dataset), "--outlines", str(outlines)]
    arguments += ["--out", str(tmp_path / "s.csv"), "--report", str(tmp_path / "audit.json")]
    assert main(arguments) == 0
    report = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert report["outlines"] == {
        "plain": {"true": 1, "found": 0, "precision": None, "recall": 0.0},
        "mirrored": {"true": 1, "found": 1, "precision": 1.0, "recall": 1.0},
    }
    assert report["blocks"]["made_from"] == "numbers"
    assert report["blocks"]["numbers"] == 10
    manifest, published = load_manifest(tmp_path / "s.csv"), load_published_folds()
    names = [f"glioma/{k:02d}.png" for k in range(12)]
    assert manifest.folds(names, "Training").tolist() == [
        published[known[name]["source_slice"]] for name in names
    ]
    assert manifest.folds(["pituitary/05.png"], "Training")[0] == published[1998]  # a copy
    assert len({manifest.rows[f"Training/{name}"]["block"] for name in names}) == 1
    assert report["folds_from"]["images_with_known_slice"] == 12
    text = (tmp_path / "audit.md").read_text(encoding="utf-8")
    assert "12 images have the fold of their own slice" in text


def test_a_missing_dataset_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "s.csv")]) == 1
    assert "error: `directory` must be a folder that holds" in capsys.readouterr().err
    assert not (tmp_path / "s.csv").exists()


def test_windows_does_not_tell_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("sys.platform", "win32")
        assert peak_memory() is None
    assert peak_memory() is not None
