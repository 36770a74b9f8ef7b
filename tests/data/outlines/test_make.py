"""data/outlines/make.py: slices are read, matched plain and mirrored, and written as outlines."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset.outline_files import OutlinesError, fill_polygon, load_outlines, outline_mask
from data.outlines import collection as collection_module
from data.outlines.collection import open_collection
from data.outlines.make import main, make_outlines
from data.outlines.mat import MatError, border_outline, read_slice
from tests.mat_files import drawn, fields, halved, mat_bytes, matlab_border, overlap, save_jpeg

# number of the slice, class, seed of its phantom, patient
SLICES = (
    (3, "glioma", 2, "100360"), (4, "glioma", 3, "100360"), (21, "meningioma", 0, "MR0402I"),
    (22, "meningioma", 4, "112649"), (700, "pituitary", 3, "99"), (701, "pituitary", 4, "98"),
)  # fmt: skip


@pytest.fixture(scope="module")
def mats() -> dict[str, bytes]:
    """Files of the collection by name; odd slices have their border's coordinates swapped."""
    files = {}
    for number, label, seed, patient in SLICES:
        content = fields(drawn(label, seed), patient)
        if number % 2:
            pairs = content["tumorBorder"].reshape(-1, 2)[:, ::-1]
            content["tumorBorder"] = pairs.reshape(1, -1)
        files[f"{number}.mat"] = mat_bytes(content)
    return files


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
