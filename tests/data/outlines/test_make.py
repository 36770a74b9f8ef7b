"""data/outlines/make.py: slices are read, matched plain and mirrored, and written as outlines."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.dataset.outline_files import OutlinesError, load_outlines, outline_mask
from data.outlines.make import main, make_outlines
from tests.data.outlines.conftest import SLICES
from tests.mat_files import drawn, halved, overlap, save_jpeg


@pytest.fixture(scope="module")
def collection(mats: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collection")
    for name, content in mats.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each slice plain (small) and mirrored (large), two tumours without a slice, no conflicts."""
    root = tmp_path_factory.mktemp("dataset")
    for number, label, seed, _ in SLICES:
        folder = root / "Training" / label
        image = drawn(label, seed).image
        save_jpeg(image, folder / f"Tr-{number}.jpg")
        bright = np.clip(image[:, ::-1] * 0.8 + 30, 0, 255).astype(np.uint8)
        save_jpeg(bright, folder / f"Tr-{number}-mirrored.jpg", size=512, quality=60)
        save_jpeg(image, root / "Testing" / label / f"Te-{number}.jpg", quality=90)
    for seed in (50, 51):
        save_jpeg(drawn("glioma", seed).image, root / f"Training/glioma/Tr-other-{seed}.jpg")
    for split in ("Training", "Testing"):
        save_jpeg(drawn("notumor", 9).image, root / split / "notumor" / f"{split[:2]}-no.jpg")
    return root


@pytest.fixture
def run(
    collection: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line; returns its status, output and errors."""

    def call(*more: str, mat: Path = collection, data: Path = dataset) -> tuple[int, str, str]:
        out = str(tmp_path / "out" / "outlines.json")
        status = main(["--mat", str(mat), "--data", str(data), "--out", out, *more])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


Run = Callable[..., tuple[int, str, str]]


def test_plain_and_mirrored_copies_get_the_tumours_outline(run: Run, tmp_path: Path) -> None:
    status, said, _ = run()
    assert status == 0
    outlines = load_outlines(tmp_path / "out" / "outlines.json")
    assert len(outlines) == 2 * len(SLICES)
    for number, label, seed, patient in SLICES:
        truth = halved(drawn(label, seed).mask)
        plain = outlines[f"{label}/Tr-{number}.jpg"]
        mirrored = outlines[f"{label}/Tr-{number}-mirrored.jpg"]
        for found in (plain, mirrored):
            assert (found.source_slice, found.patient) == (number, patient)
        assert (plain.mirrored, mirrored.mirrored) == (False, True)
        assert overlap(outline_mask(plain), truth) >= 0.95
        assert overlap(outline_mask(mirrored), truth[:, ::-1]) >= 0.95
    assert "6 slices of 5 patients: glioma 2, meningioma 2, pituitary 2." in said
    assert "6 of the 12 outlined images are mirrored." in said
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    # images, outlined, without, slices, unmatched slices
    assert rows["glioma"] == ["6", "4", "2", "2", "0"]
    assert rows["pituitary"] == ["4", "4", "0", "2", "0"]


def test_the_split_is_chosen(run: Run, tmp_path: Path) -> None:
    for split, expected in (("Testing", {"Te"}), ("all", {"Te", "Tr"})):
        assert run("--split", split)[0] == 0
        names = load_outlines(tmp_path / "out" / "outlines.json")
        assert {name.split("/")[1][:2] for name in names} == expected


def test_zips_in_folders_and_zips_in_zips_give_the_same_file(
    run: Run, mats: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out" / "outlines.json"
    run()
    expected = out.read_bytes()
    inner = tmp_path / "folder" / "deep" / "brainTumorDataPublic_1-766.zip"
    inner.parent.mkdir(parents=True)
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in mats.items():
            packed.writestr(f"data/{name}", content)
    with zipfile.ZipFile(tmp_path / "1512427.zip", "w") as packed:
        packed.write(inner, "brainTumorDataPublic_1-766.zip")
        packed.writestr("cvind.mat", b"folds")
    for source in (tmp_path / "folder", inner, tmp_path / "1512427.zip"):
        out.unlink()
        status, _, warned = run(mat=source)
        assert status == 0
        assert out.read_bytes() == expected
        assert ("1 .mat files are no slice, and are not read" in warned) == (
            source.stem == "1512427"
        )


def test_what_is_missing_or_there_twice_is_named(
    run: Run, mats: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "mats"
    (folder / "again").mkdir(parents=True)
    for name, content in mats.items():
        (folder / name).write_bytes(content)
    (folder / "again" / "4.mat").write_bytes(b"not read")
    (folder / "again" / "._4.mat").write_bytes(b"hidden")
    status, _, warned = run(mat=folder)
    assert status == 0
    assert "3058 of 3064 slices are missing; their images get no outline: 1, 2, 5, 6," in warned
    assert "1 files are of a slice that was found before, and are not read" in warned


def test_labels_that_disagree_are_reported(run: Run, dataset: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for label in ("glioma", "meningioma", "notumor", "pituitary"):
        save_jpeg(drawn("glioma", 2).image, root / "Training" / label / "Tr.jpg")
    status, said, _ = run(data=root)
    assert status == 0
    assert "3 images are filed under another class than their slice:" in said
    assert "  meningioma/Tr.jpg shows slice 3, glioma\n" in said
    assert "  notumor/Tr.jpg shows slice 3, glioma; no outline written\n" in said
    names = list(load_outlines(tmp_path / "out" / "outlines.json"))
    assert names == ["glioma/Tr.jpg", "meningioma/Tr.jpg", "pituitary/Tr.jpg"]


def test_images_that_cannot_be_read_are_named(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for label in ("glioma", "meningioma", "notumor", "pituitary"):
        save_jpeg(drawn("glioma", 2).image, root / "Training" / label / "Tr.jpg")
    (root / "Training/glioma/broken.jpg").write_bytes(b"no image")
    (root / "Training/glioma/notes.txt").write_text("text", encoding="utf-8")
    status, _, warned = run(data=root)
    assert status == 0
    assert "1 images cannot be read and get no outline: glioma/broken.jpg" in warned
    assert "1 files are no images: notes.txt" in warned


def test_one_name_in_both_splits_is_refused(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for split in ("Training", "Testing"):
        for label in ("glioma", "meningioma", "notumor", "pituitary"):
            save_jpeg(drawn("glioma", 2).image, root / split / label / "1.jpg")
    status, _, said = run("--split", "all", data=root)
    assert status == 1
    assert "error: 4 names are in both splits" in said


def test_a_wrong_folder_or_zip_is_an_error_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    text = tmp_path / "text.zip"
    text.write_text("no zip", encoding="utf-8")
    for mat, sentence in (
        (tmp_path / "nowhere", "`--mat` must be a folder or a zip. There is no"),
        (empty, "No slice (1.mat to 3064.mat, or brainTumorDataPublic_*.zip) in"),
        (text, "text.zip is not a zip, or it is damaged"),
    ):
        status, _, said = run(mat=mat)
        assert (status, sentence in said) == (1, True), said
    status, _, said = run(data=empty)
    assert status == 1
    assert "No folder that holds Training/" in said
    assert not (tmp_path / "out").exists()


def test_other_images_are_an_error_and_keep_the_earlier_file(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    for label in ("glioma", "meningioma", "notumor", "pituitary"):
        save_jpeg(drawn("glioma", 60).image, root / "Training" / label / "Tr.jpg")
    run()
    before = (tmp_path / "out" / "outlines.json").read_bytes()
    status, _, said = run(data=root)
    assert status == 1
    assert "No image of a tumour in" in said
    assert (tmp_path / "out" / "outlines.json").read_bytes() == before


def test_the_output_must_be_a_file(collection: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(OutlinesError, match="`--out` must be a file"):
        make_outlines(collection, dataset, tmp_path)


def test_a_damaged_slice_stops_unless_it_is_to_be_left_out(
    run: Run, mats: dict[str, bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "mats"
    folder.mkdir()
    for name, content in mats.items():
        (folder / name).write_bytes(content if name != "4.mat" else content[:500])
    status, _, said = run(mat=folder)
    assert status == 1
    assert "1 of 6 slices cannot be used:" in said
    assert "4.mat is not HDF5 (MATLAB v7.3), or it is damaged" in said
    assert "--skip-damaged" in said
    status, _, said = run("--skip-damaged", mat=folder)
    assert status == 0
    assert "warning: 1 of 6 slices cannot be used:" in said
    assert "glioma/Tr-4.jpg" not in load_outlines(tmp_path / "out" / "outlines.json")


def test_a_damaged_zip_member_stops_the_run(
    run: Run, mats: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "broken.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("3.mat", mats["3.mat"])
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)
    status, _, said = run(mat=path)
    assert status == 1
    assert "broken.zip is not a zip, or it is damaged: Bad CRC-32" in said
