"""`python -m model judge`: a folder of phantoms, and another model's answers."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.dataset.division import load_manifest
from model.__main__ import main
from model.config import CLASS_NAMES, NO_TUMOUR
from model.inference.classifier import Classifier
from model.judge import report as report_module
from model.judge.command import judge
from model.judge.copies import Known
from model.judge.signatures import write_signatures
from model.preprocessing import load_image
from tests.scan_files import dicom, nifti

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = sorted((ROOT / "data" / "samples").glob("*.png"))
FOLDERS = {
    "glioma": "T1c/glioma", "meningioma": "yes", "notumor": "No Tumor", "pituitary": "Pituitary",
}  # fmt: skip
TRUE = {"glioma": 0, "meningioma": 4, "notumor": 2, "pituitary": 3}
COPIED = "phantom-glioma-00"


def class_of(path: Path) -> str:
    return path.stem.split("-")[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Phantoms under other names, a mirrored copy, a damaged file, a DICOM and a NIfTI file."""
    root = tmp_path_factory.mktemp("judge") / "mine"
    for path in SAMPLES[::2]:
        place = root / FOLDERS[class_of(path)]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    with Image.open(root / "T1c" / "glioma" / f"{COPIED}.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
            root / "T1c" / "glioma" / f"{COPIED}.png"
        )
    (root / "yes" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    pixels = np.asarray(Image.open(SAMPLES[1]).convert("L"), dtype=np.uint16)
    (root / "yes" / "one.dcm").write_bytes(dicom(pixels, SeriesDescription="COR T2 FLAIR"))
    volume = np.stack([pixels.astype(np.int16)] * 5, axis=2)
    (root / "yes" / "five.nii").write_bytes(nifti(volume))
    return root


@pytest.fixture(scope="module")
def page(folder: Path) -> Path:
    """The page about `folder`; COPIED is the one image that was trained on."""
    signatures, out = folder.parent / "known.npz", folder.parent / "page.html"
    write_signatures({f"web/tumor/{COPIED}.jpg": SAMPLES[0]}, signatures)
    known = Known.load(signatures)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Known, "load", lambda: known)
        judge(folder, out, workers=1)
    return out


@pytest.fixture(scope="module")
def report(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    return found


def test_the_folders_figures_are_those_of_the_network(folder: Path, report: dict[str, Any]) -> None:
    classifier = Classifier.load()
    confusion = np.zeros((5, 5), int)
    tumors = 0
    for path in SAMPLES[::2]:
        if path.stem == COPIED:
            continue
        found = classifier.predict(load_image(path))
        confusion[TRUE[class_of(path)], CLASS_NAMES.index(found.label)] += 1
        tumor = found.probabilities["notumor"] < 0.5
        tumors += tumor and class_of(path) != "notumor"
    written = np.array(report["new"]["confusion"])
    scans = written - confusion  # the DICOM file and the volume
    assert (scans >= 0).all()
    assert scans.sum(axis=1).tolist() == [0, 0, 0, 0, 2]
    assert report["new"]["sensitivity"]["of"] == 14 + 2
    assert report["new"]["specificity"]["of"] == 5
    assert tumors <= report["new"]["sensitivity"]["right"] <= tumors + 2
    assert report["new"]["kinds"]["images"] == confusion[: NO_TUMOUR + 2].sum()


def test_copies_are_counted_apart(report: dict[str, Any]) -> None:
    assert report["images"] == 22
    assert report["new"]["images"] == 21
    assert report["copies"]["images"] == 1
    assert report["copies_found"] == [
        {
            "file": f"T1c/glioma/{COPIED}.png",
            "copy_of": f"web/tumor/{COPIED}.jpg",
            "mirrored": True,
        }
    ]


def test_what_cannot_be_read_is_listed_and_volumes_give_one_slice(report: dict[str, Any]) -> None:
    assert [error["file"] for error in report["errors"]] == ["yes/damaged.png"]
    assert report["not_readable"] == report["of_several_slices"] == 1


def test_contrast_and_plane_are_known_where_they_are_said(report: dict[str, Any]) -> None:
    assert {name: row["images"] for name, row in report["by"]["contrast"].items()} == {
        "t1c": 4, "flair": 1, "unknown": 16,
    }  # fmt: skip
    assert {name: row["images"] for name, row in report["by"]["plane"].items()} == {
        "axial": 1, "unknown": 20,
    }  # fmt: skip


def test_the_page_is_one_file_and_the_json_has_no_picture_and_no_place(
    page: Path, folder: Path
) -> None:
    html = page.read_text(encoding="utf-8")
    assert not re.search(r'(?:src|href)="(?!data:image/webp;base64,)', html)
    assert not re.search(r"url\(|@import|<script", html)
    assert "1 of 22 are copies, 1 of them mirrored" in html
    text = page.with_suffix(".json").read_text(encoding="utf-8")
    assert "base64" not in text
    assert str(folder.parent) not in text


def test_pictures_outside_class_folders_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("gliom", "glioma", "."):
        (tmp_path / "mine" / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES[0], tmp_path / "mine" / place)
    out = str(tmp_path / "page.html")
    assert main(["judge", str(tmp_path / "mine"), "--out", out]) == 1
    said = capsys.readouterr().err
    assert "glioma, meningioma, notumor (or no_tumor" in said
    assert said.rstrip().endswith("Received: pictures in FOLDER itself, gliom")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "{}/x.html"], "`FOLDER` or `--predictions` must be given"),
        (["{}/none", "--out", "{}/x.html"], "`FOLDER` must be a folder"),
        (["{}", "--out", "{}/x.html"], "empty"),
        (["{}", "--out", "{}/x.pdf"], "`--out` must end in .html"),
    ],
)
def test_wrong_arguments_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["judge", *(argument.format(tmp_path) for argument in arguments)]) == 1
    assert said in capsys.readouterr().err


@pytest.fixture
def official(tmp_path: Path) -> Path:
    """Answers to the official test split by a model that knows what it saw, and is else wrong."""
    manifest, path = load_manifest(), tmp_path / "answers.csv"
    unseen = set(manifest.unseen())
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label"])
        for name in manifest.select("official", "test"):
            true = name.split("/")[1]
            wrong = "glioma" if true == "notumor" else "notumor"
            writer.writerow([Path(name).name, wrong if name in unseen else true])
    return path


def test_the_leak_of_the_official_split_is_taken_apart(
    official: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "page.html"
    assert main(["judge", "--predictions", str(official), "--out", str(out)]) == 0
    found = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    unseen = len(load_manifest().unseen())
    assert (found["new"]["images"], found["copies"]["images"]) == (unseen, 1311 - unseen)
    assert (found["new"]["balanced"], found["copies"]["balanced"]) == (0, 1)
    assert found["copies"]["kinds"]["accuracy"] == 1
    assert f"{1311 - unseen} of 1,311 pictures are copies" in capsys.readouterr().out
    assert "looked up in its division" in out.read_text(encoding="utf-8")


def test_answers_about_pictures_at_hand_are_compared_with_the_training_images(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_signatures({f"web/tumor/{COPIED}.jpg": SAMPLES[0]}, tmp_path / "known.npz")
    known = Known.load(tmp_path / "known.npz")
    monkeypatch.setattr(Known, "load", lambda: known)
    answers = tmp_path / "answers.csv"
    answers.write_text(
        f"file,tumor\nT1c/glioma/{COPIED}.png,0.9\nyes/one.dcm,0.2\n", encoding="utf-8"
    )
    found = judge(folder, tmp_path / "page.html", predictions=answers)
    assert [copy["mirrored"] for copy in found["copies_found"]] == [True]
    assert list(found["by"]["contrast"]) == ["flair"]
    assert [one["file"] for one in found["mistakes"]] == ["yes/one.dcm"]
    assert "data:image/webp" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_other_collections_stand_beside_where_the_evaluation_has_them(
    page: Path, report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mean = {"sensitivity": 0.815, "specificity": None, "balanced": 0.7}
    section = {"mean": mean, "mean_95": {"sensitivity": [0.75, 0.875]}}
    (tmp_path / "evaluation.json").write_text(json.dumps({"other_collections": section}))
    monkeypatch.setattr(report_module, "ARTIFACTS", tmp_path)
    found = report | {"other_collections": report_module.other_collections()}
    here = report["new"]
    assert report_module._compared(found) == [
        ("tumors found", here["sensitivity"]["share"], 0.815, [0.75, 0.875]),
        ("mean of both", here["balanced"], 0.7, None),
    ]
    (tmp_path / "evaluation.json").write_text("{}")
    assert report_module.other_collections() is None
