"""The galleries: the embedded one is what the generator draws, the real one is a faithful copy."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data import samples
from data.dataset.division import COLUMNS, load_manifest
from data.layout import DatasetError
from data.phantoms import LABELS

ROOT = Path(__file__).resolve().parents[2]


def manifest_of(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Every row tells the truth about its file, and there is no other file."""
    rows = manifest["samples"]
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        content = (folder / row["file"]).read_bytes()
        assert samples.ID_PATTERN.match(row["id"])
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == (row["width"], row["height"])
    kept = {row["file"] for row in rows} | {"manifest.json"}
    assert {path.name for path in folder.iterdir()} == kept


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A small stand-in for the dataset: six images a class to test with, six to leave alone."""
    rng = np.random.default_rng(0)
    root = tmp_path / "dataset"
    for split in ("Training", "Testing"):
        for label in LABELS:
            folder = root / split / label
            folder.mkdir(parents=True)
            for k in range(6):
                pixels = rng.integers(0, 256, (20, 24), np.uint8)
                Image.fromarray(pixels).save(folder / f"{split[:2]}-{label[:2]}_{k:04d}.jpg")
    return root


@pytest.fixture(autouse=True)
def splits(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest that names every file the tests make, none of them with a copy, as the default."""
    path = tmp_path_factory.mktemp("manifest") / "splits.csv"
    names = [f"{split[:2]}-{{}}_{k:04d}.jpg" for split in ("Testing",) for k in range(6)]
    names += ["Bild (1).jpg", "bild 1 .jpeg"]
    files = [f"Testing/{label}/{name.format(label[:2])}" for label in LABELS for name in names]
    rows = [f"{file},{k},{file},0.5,0,{k},test,test,0" for k, file in enumerate(sorted(files))]
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    monkeypatch.setattr(samples.build_real, "__defaults__", (samples.GALLERY_DIR, 25, 7, path))
    return path


def test_the_embedded_gallery_is_complete_and_matches_its_manifest() -> None:
    manifest = manifest_of(samples.SAMPLES_DIR)
    check_files(samples.SAMPLES_DIR, manifest)
    assert (manifest["origin"], manifest["seed"]) == ("synthetic", 1_000_000)
    assert "no patient" in manifest["notice"]
    rows = manifest["samples"]
    assert [row["seed"] for row in rows] == list(range(1_000_000, 1_000_040))
    assert [row["true_label"] for row in rows] == [label for label in LABELS for _ in range(10)]
    assert {(row["width"], row["height"], row["origin"]) for row in rows} == {(448, 448, "phantom")}
    assert {row["plane"] for row in rows} == {"axial", "coronal", "sagittal"}
    total = sum((samples.SAMPLES_DIR / row["file"]).stat().st_size for row in rows)
    assert total < 4_000_000


@pytest.mark.parametrize("index", [0, 13, 27, 39])
def test_the_embedded_gallery_is_what_the_generator_draws(index: int) -> None:
    row = manifest_of(samples.SAMPLES_DIR)["samples"][index]
    drawn, facts = samples.phantom_png(row["true_label"], row["seed"])
    assert facts == {"plane": row["plane"], "contrast": row["contrast"]}
    with (
        Image.open(io.BytesIO(drawn)) as image,
        Image.open(samples.SAMPLES_DIR / row["file"]) as kept,
    ):
        assert image.mode == kept.mode == "L"
        change = np.abs(np.asarray(image).astype(int) - np.asarray(kept))
    # the same processor gives the same bytes; another one's exp() may round a few pixels otherwise
    assert change.max() <= 1
    assert (change > 0).mean() < 0.001


def test_the_embedded_gallery_can_be_rebuilt_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "SAMPLE_SIZE", 64)
    monkeypatch.setattr(samples.phantom_png, "__defaults__", (64,))
    path = samples.build_phantoms(tmp_path / "gallery")
    first = path.read_bytes()
    check_files(tmp_path / "gallery", manifest_of(tmp_path / "gallery"))
    assert samples.build_phantoms(tmp_path / "gallery").read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["gallery"]


def test_the_real_gallery_copies_test_images_byte_for_byte(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "gallery"
    assert samples.build_real(dataset, out, per_class=4, seed=7) == out / "manifest.json"
    manifest = manifest_of(out)
    check_files(out, manifest)
    assert (manifest["origin"], manifest["seed"], len(manifest["samples"])) == ("dataset", 7, 16)
    originals = {
        hashlib.sha256(path.read_bytes()).hexdigest(): (label, path.stem.lower())
        for label in LABELS
        for path in (dataset / "Testing" / label).iterdir()
    }
    for row in manifest["samples"]:
        label, stem = originals[row["sha256"]]
        assert (row["true_label"], row["id"]) == (label, f"test-{label}-{stem}")
        assert (row["origin"], row["plane"], row["contrast"], row["seed"]) == (
            "dataset", None, None, None,
        )  # fmt: skip
    counts = [sum(r["true_label"] == label for r in manifest["samples"]) for label in LABELS]
    assert counts == [4, 4, 4, 4]


def test_the_choice_hangs_on_the_seed_alone(dataset: Path, tmp_path: Path) -> None:
    first = samples.build_real(dataset, tmp_path / "a", 3, 7).read_bytes()
    assert samples.build_real(dataset, tmp_path / "a", 3, 7).read_bytes() == first  # over itself
    assert samples.build_real(dataset, tmp_path / "b", 3, 7).read_bytes() == first
    assert samples.build_real(dataset, tmp_path / "c", 3, 8).read_bytes() != first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c", "dataset"]


def test_the_dataset_may_lie_one_folder_down(dataset: Path, tmp_path: Path) -> None:
    expected = samples.build_real(dataset, tmp_path / "a", 2).read_bytes()
    wrapped = tmp_path / "wrapped"
    wrapped.mkdir()
    dataset.rename(wrapped / "brain-tumor-mri-dataset")
    assert samples.build_real(wrapped, tmp_path / "b", 2).read_bytes() == expected


def test_unreadable_images_are_named_and_skipped(dataset: Path, tmp_path: Path) -> None:
    folder = dataset / "Testing" / "glioma"
    whole = (folder / "Te-gl_0001.jpg").read_bytes()
    (folder / "Te-gl_0000.jpg").write_bytes(b"not an image")
    (folder / "Te-gl_0001.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(
        samples.UnreadableImageWarning,
        match=r"^2 unreadable in glioma, left out: Te-gl_0000\.jpg, Te-gl_0001\.jpg$",
    ):
        samples.build_real(dataset, tmp_path / "a", 4)
    ids = {row["id"] for row in manifest_of(tmp_path / "a")["samples"]}
    assert {f"test-glioma-te-gl_000{k}" for k in (2, 3, 4, 5)} <= ids


def with_copies(splits: Path, *files: str) -> None:
    """Gives test images a copy in Training."""
    lines = splits.read_text(encoding="utf-8").splitlines()
    for number, file in enumerate(files):
        group = next(line for line in lines if line.startswith(f"{file},")).split(",")[1]
        lines.append(f"Training/x/{number}.jpg,{group},{file},0.999,1,0,train,excluded,0")
    splits.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_test_images_with_a_copy_in_training_are_never_taken(
    dataset: Path, tmp_path: Path, splits: Path
) -> None:
    with_copies(splits, *(f"Testing/glioma/Te-gl_000{k}.jpg" for k in (0, 2, 5)))
    samples.build_real(dataset, tmp_path / "a", 3)
    ids = [row["id"] for row in manifest_of(tmp_path / "a")["samples"]]
    assert ids[:3] == [f"test-glioma-te-gl_000{k}" for k in (1, 3, 4)]
    with pytest.warns(
        samples.FewUnseenWarning, match=r"^3 instead of 4 of glioma: 3 others have a copy in"
    ):
        samples.build_real(dataset, tmp_path / "b", 4)
    rows = manifest_of(tmp_path / "b")["samples"]
    assert [sum(row["true_label"] == label for row in rows) for label in LABELS] == [3, 4, 4, 4]


def test_a_class_without_an_unseen_image_is_an_error(
    dataset: Path, tmp_path: Path, splits: Path
) -> None:
    with_copies(splits, *(f"Testing/glioma/Te-gl_000{k}.jpg" for k in range(6)))
    with pytest.raises(ValueError, match=r"at most 0, .* glioma without a copy in Training"):
        samples.build_real(dataset, tmp_path / "a", 2)


def test_images_that_the_manifest_lacks_are_taken_after_a_warning(
    dataset: Path, tmp_path: Path
) -> None:
    folder = dataset / "Testing" / "notumor"
    (folder / "Te-no_0003.jpg").rename(folder / "mine.jpg")
    with pytest.warns(
        samples.UnlistedImageWarning,
        match=r"^1 of 24 test images are not in splits\.csv, the first mine\.jpg: .* finds out$",
    ):
        samples.build_real(dataset, tmp_path / "a", 6)
    assert any(row["id"] == "test-notumor-mine" for row in manifest_of(tmp_path / "a")["samples"])


def test_the_unseen_images_of_the_dataset_are_enough_for_a_gallery() -> None:
    unseen = load_manifest().unseen()
    counts = {label: sum(f.startswith(f"Testing/{label}/") for f in unseen) for label in LABELS}
    assert counts == {"glioma": 219, "meningioma": 17, "notumor": 5, "pituitary": 81}


def test_too_few_images_is_an_error_and_leaves_nothing(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`per_class` must be at most 6, .*glioma\. Received: 7$"):
        samples.build_real(dataset, tmp_path / "a", 7)
    with pytest.raises(ValueError, match=r"`per_class` must be at least 1\. Received: 0$"):
        samples.build_real(dataset, tmp_path / "a", 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dataset"]


def test_missing_folders_are_named(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must be a folder that holds Testing/.*nowhere"):
        samples.build_real(tmp_path / "nowhere", tmp_path / "a")
    with pytest.raises(DatasetError, match=r"No folder that holds Testing/ in .*Training"):
        samples.build_real(dataset / "Training", tmp_path / "a")
    (dataset / "Testing" / "pituitary").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"class folder Testing/pituitary is missing"):
        samples.build_real(dataset, tmp_path / "a", 2)


def test_two_datasets_in_one_folder_are_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / "Testing").mkdir(parents=True)
    with pytest.raises(DatasetError, match=r"Several folders hold Testing/.*dataset.*other$"):
        samples.build_real(tmp_path, tmp_path / "a")


def test_a_folder_with_other_files_is_never_replaced(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("precious", encoding="utf-8")
    with pytest.raises(ValueError, match=r"`out` must be empty or an earlier gallery.*thesis"):
        samples.build_real(dataset, out, 2)
    assert (out / "chapter1.tex").read_text(encoding="utf-8") == "precious"
    with pytest.raises(
        ValueError, match=r"`out` must be a folder.*chapter1\.tex, which is a file$"
    ):
        samples.build_real(dataset, out / "chapter1.tex", 2)


def test_a_failure_half_way_keeps_the_earlier_gallery(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "gallery"
    before = samples.build_real(dataset, out, 2).read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(samples, "_write_manifest", fail)
    with pytest.raises(OSError, match="disk full"):
        samples.build_real(dataset, out, 3)
    assert (out / "manifest.json").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dataset", "gallery"]


def test_names_that_clash_or_hold_odd_characters_become_distinct_ids(
    dataset: Path, tmp_path: Path
) -> None:
    for label in LABELS:
        folder = dataset / "Testing" / label
        for path in sorted(folder.iterdir())[2:]:
            path.unlink()
        first, second = sorted(folder.iterdir())
        first.rename(folder / "Bild (1).jpg")
        second.rename(folder / "bild 1 .jpeg")
    samples.build_real(dataset, tmp_path / "a", 2)
    ids = [row["id"] for row in manifest_of(tmp_path / "a")["samples"]]
    assert ids[:2] == ["test-glioma-bild-1", "test-glioma-bild-1-2"]


def test_the_command_line_reports_errors_and_results(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "gallery")
    assert samples.main(["real", "--data", str(dataset), "--out", out, "--per-class", "2"]) == 0
    assert capsys.readouterr().out.startswith("8 samples: ")
    assert samples.main(["real", "--data", str(tmp_path / "no"), "--out", out]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: `directory` must be a folder that holds Testing/")


def test_the_module_runs_beside_the_folder_of_its_name() -> None:
    command = [sys.executable, "-m", "data.samples", "real", "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    assert "--per-class" in run.stdout
