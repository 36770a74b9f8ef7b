"""`python -m data.download --also`: what is said, and what becomes of what was downloaded."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset.collections import load_collections, part_of, person_of
from data.download.__main__ import main
from data.lgg_slices import EACH
from tests.data.audit.test_audit import heads


def _zip(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder.parent))
    return archive


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    folder = tmp_path / "wrapped" / "hospital-flair"
    for number, label in enumerate(("notumor", "tumor")):
        (folder / label).mkdir(parents=True)
        Image.fromarray(heads(1, seed=number)[0, :, :, 0]).save(folder / label / "07-1.png")
    (folder / "boxes.json").write_text(json.dumps({"07-1.png": [[0.25, 0.25, 0.75, 0.75]]}))
    return folder


def test_without_a_download_the_sources_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--also"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("None of these is downloaded for you")
    for name in ("web", "lgg-flair", "progression-t1c", "nichart-t1", "brats-stripped", "oasis-t1"):
        assert name in printed
    assert "https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation" in printed
    assert printed.count("licence: ") == 6


@pytest.mark.parametrize("packed", [False, True])
def test_a_collection_by_the_convention_is_copied(
    tmp_path: Path, hospital: Path, packed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    source = _zip(hospital.parent, tmp_path / "a.zip") if packed else hospital.parent
    out = tmp_path / "data" / "other"
    assert main(["--also", str(source), "--out", str(out)]) == 0
    assert f"{out / 'hospital-flair'}: 2 images." in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["other"]  # nothing else is left
    found = load_collections([out])
    assert found.names == ("hospital-flair/notumor/07-1.png", "hospital-flair/tumor/07-1.png")
    assert found.known.tolist() == [True, True]

    assert main(["--also", str(source), "--out", str(out)]) == 1
    assert "already holds hospital-flair; --force" in capsys.readouterr().err
    assert main(["--also", str(source), "--out", str(out), "--force"]) == 0


def test_pictures_without_people_are_named_by_their_copies(tmp_path: Path) -> None:
    pictures = heads(3, seed=5)[..., 0]
    for name, picture in (
        ("archive/yes/y0.png", pictures[0]),
        ("archive/yes/y1.png", pictures[1]),
        ("archive/no/n0.png", pictures[2]),
        ("earlier/yes/Y7.png", np.rot90(pictures[0])),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / name)
    out = tmp_path / "other"
    sources = [str(tmp_path / "archive"), str(tmp_path / "earlier")]
    assert main(["--also", *sources, "--out", str(out)]) == 0
    names = [path.name for path in sorted((out / "web" / "tumor").iterdir())]
    assert names == ["0000-0000.png", "0000-0002.png", "0001-0001.png"]
    assert not (out / "web" / "notumor").exists()


def _person(folder: Path, *, contrast: bool) -> None:
    folder.mkdir(parents=True)
    for place in range(1, 21):
        image = np.repeat(heads(1, seed=place)[0], 3, axis=2)[::2, ::2].copy()
        if contrast:
            image[..., 2] //= 2
        mask = np.zeros(image.shape[:2], np.uint8)
        if place > 9:
            mask[20:40, 28:84] = 255
        Image.fromarray(image).save(folder / f"{folder.name}_{place}.tif")
        Image.fromarray(mask).save(folder / f"{folder.name}_{place}_mask.tif")


def test_the_slices_of_lgg_become_two_collections(tmp_path: Path) -> None:
    root = tmp_path / "kaggle_3m"
    _person(root / "TCGA_CS_4941_19960909", contrast=True)
    _person(root / "TCGA_DU_A5TP_19970614", contrast=False)
    out = tmp_path / "other"
    assert main(["--also", str(root), "--out", str(out)]) == 0
    found = load_collections([out])
    assert {name: int((found.collections == name).sum()) for name in set(found.collections)} == {
        "lgg-flair": 4 * EACH, "lgg-t1c": 2 * EACH,
    }  # fmt: skip
    assert {person_of(name) for name in found.names} == {"lgg/000", "lgg/001"}
    assert len({part_of(name) for name in found.names if "/000-" in name}) == 1
    assert found.known.all()
    row = found.names.index("lgg-t1c/glioma/000-10.png")
    lesion = found.lesions[row] > 0  # of 112 pixels: rows 20..39, columns 28..83
    assert lesion.mean() == pytest.approx(19 / 112 * 55 / 112, abs=0.002)
    assert lesion[60, 112]
    assert not lesion[100, 112]
    assert not found.lesions[found.healthy].any()


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nothing", "with nothing of these"),
        ("Training/glioma", "another collection than the dataset"),
        (None, "There is no"),
    ],
)
def test_what_is_no_collection_is_refused(
    tmp_path: Path, folder: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if folder:
        (tmp_path / "given" / folder).mkdir(parents=True)
    out = tmp_path / "other"
    assert main(["--also", str(tmp_path / "given"), "--out", str(out)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_from_and_also_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--also", "--from", "a.zip"])
    assert "not allowed with argument" in capsys.readouterr().err
