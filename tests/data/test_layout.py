"""`data.layout`: which files are the dataset, how many, and can they be read?"""

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data import layout
from data.layout import DatasetError, ImageFile
from model.config import CLASS_NAMES

REAL_DATA = Path(__file__).parents[3] / "shared" / "brain-tumor-mri"


def jpeg_bytes(size: tuple[int, int] = (8, 8), value: int = 90) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", size, value).save(buffer, "JPEG")
    return buffer.getvalue()


def make_dataset(root: Path, counts: dict[str, dict[str, int]]) -> Path:
    """A dataset of hard links to one image: thousands of files at the cost of one."""
    first = root / "Training" / CLASS_NAMES[0] / "Tr_0000.jpg"
    for split, classes in counts.items():
        for label, number in classes.items():
            folder = root / split / label
            folder.mkdir(parents=True)
            for index in range(number):
                path = folder / f"{split[:2]}_{index:04d}.jpg"
                if first.exists():
                    os.link(first, path)
                else:
                    path.write_bytes(jpeg_bytes())
    return root


def small_counts(number: int = 2) -> dict[str, dict[str, int]]:
    return {split: dict.fromkeys(CLASS_NAMES, number) for split in layout.SPLITS}


@pytest.mark.parametrize(
    ("name", "training", "testing"),
    [
        ("5712", 5712, 1311),
        ("5708", 5708, 1311),
        ("7200", 5600, 1600),
    ],
)
def test_known_layouts_are_recognised_on_disk(
    tmp_path: Path, name: str, training: int, testing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = layout.KNOWN_LAYOUTS[name]
    assert sum(known["Training"].values()) == training
    assert sum(known["Testing"].values()) == testing
    assert layout.layout_of(known) == name

    # on the disk with a fortieth of the files: each is decoded
    fewer = {
        split: {label: number // 40 for label, number in classes.items()}
        for split, classes in known.items()
    }
    monkeypatch.setitem(layout.KNOWN_LAYOUTS, name, fewer)
    report = layout.check_images(layout.list_images(make_dataset(tmp_path, fewer)))

    assert report.layout == name
    assert report.counts == fewer
    assert report.rejected == ()


def test_one_image_more_is_another_layout() -> None:
    counts = {split: dict(classes) for split, classes in layout.KNOWN_LAYOUTS["5712"].items()}
    counts["Testing"]["notumor"] += 1
    assert layout.layout_of(counts) == "other"
    # the totals alone do not make the layout
    counts["Testing"]["glioma"] -= 1
    assert layout.layout_of(counts) == "other"


def test_files_are_listed_by_split_class_and_name(tmp_path: Path) -> None:
    root = make_dataset(tmp_path, small_counts(1))
    (root / "Training" / "glioma" / "A.PNG").write_bytes(b"")
    (root / "Training" / "glioma" / ".DS_Store").write_bytes(b"")
    (root / "Training" / "glioma" / "._A.jpg").write_bytes(b"")
    (root / "Training" / "glioma" / "notes.txt").write_bytes(b"")

    images = layout.list_images(root)

    assert [(i.split, i.label, i.path.name) for i in images[:3]] == [
        ("Training", "glioma", "A.PNG"),
        ("Training", "glioma", "Tr_0000.jpg"),
        ("Training", "meningioma", "Tr_0000.jpg"),
    ]
    assert len(images) == 9
    assert images[-1] == ImageFile(
        root / "Testing" / "pituitary" / "Te_0000.jpg", "pituitary", "Testing"
    )
    assert layout.list_strays(root) == [root / "Training" / "glioma" / "notes.txt"]


def test_splits_are_listed_as_asked_and_the_other_need_not_exist(tmp_path: Path) -> None:
    make_dataset(tmp_path, {"Testing": dict.fromkeys(CLASS_NAMES, 1)})
    assert [i.label for i in layout.list_images(tmp_path, splits=("Testing",))] == [*CLASS_NAMES]
    with pytest.raises(DatasetError, match="No folder that holds Training/ and Testing/"):
        layout.list_images(tmp_path)


@pytest.mark.parametrize("splits", [(), ("Validation",), ("Training", "testing")])
def test_unknown_splits_are_named(tmp_path: Path, splits: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"`splits` must be some of .*Received"):
        layout.list_images(tmp_path, splits=splits)


@pytest.mark.parametrize("wrapping", [".", "archive", "a/b/c"])
def test_find_root_looks_through_wrapping_folders(tmp_path: Path, wrapping: str) -> None:
    root = make_dataset(tmp_path / wrapping, small_counts(1))
    (tmp_path / "__MACOSX" / "Training").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "Testing").mkdir()
    assert layout.find_root(tmp_path).resolve() == root.resolve()


def test_find_root_refuses_what_it_cannot_decide(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must be a folder .* Received: .*absent"):
        layout.find_root(tmp_path / "absent")
    make_dataset(tmp_path / "one", small_counts(1))
    make_dataset(tmp_path / "two", small_counts(1))
    with pytest.raises(DatasetError, match=r"Several folders .*one.*two"):
        layout.find_root(tmp_path)


def test_too_deep_is_not_searched(tmp_path: Path) -> None:
    make_dataset(tmp_path / "a/b/c/d", small_counts(1))
    with pytest.raises(DatasetError, match="No folder that holds"):
        layout.find_root(tmp_path)


def test_missing_and_empty_classes_are_errors(tmp_path: Path) -> None:
    root = make_dataset(tmp_path, small_counts(1))
    (root / "Testing" / "notumor" / "Te_0000.jpg").unlink()
    with pytest.raises(DatasetError, match=r"Testing/notumor .* holds no image"):
        layout.list_images(root)
    (root / "Testing" / "notumor").rmdir()
    with pytest.raises(DatasetError, match="Testing/notumor is missing"):
        layout.list_images(root)


def test_unreadable_and_non_images_are_told_apart(tmp_path: Path) -> None:
    root = make_dataset(tmp_path, small_counts(3))
    folder = root / "Training" / "pituitary"
    whole = jpeg_bytes((200, 200))
    broken, text, huge, empty = (folder / name for name in ("b.jpg", "c.jpg", "d.png", "e.jpg"))
    broken.write_bytes(whole[: len(whole) // 2])
    text.write_text("<html>not an image</html>", encoding="utf-8")
    Image.new("1", (5000, 4001)).save(huge)  # decodes, at more than MAX_PIXELS
    empty.write_bytes(b"")

    for workers in (1, 4):
        report = layout.check_images(layout.list_images(root), workers=workers)
        assert report.unreadable == (broken, huge)
        assert report.non_images == (text, empty)
        assert report.rejected == (broken, text, huge, empty)
        assert report.counts["Training"]["pituitary"] == 3
        assert report.counts["Training"]["glioma"] == 3
        assert report.layout == "other"


def test_a_decompression_bomb_is_unreadable_and_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (300, 300)).save(bomb)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50_000)  # 90,000 warns, above 100,000 raises
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = layout.check_images([ImageFile(bomb, "glioma", "Training")])
    assert report.unreadable == (bomb,)


def test_progress_sees_every_image(tmp_path: Path) -> None:
    images = layout.list_images(make_dataset(tmp_path, small_counts(1)))
    seen: list[str] = []

    def progress(verdicts: Iterable[Any]) -> Iterator[Any]:
        for verdict in verdicts:
            seen.append(verdict)
            yield verdict

    layout.check_images(images, progress=progress)
    assert seen == ["ok"] * 8


def test_empty_classes_are_named_and_counts_described() -> None:
    counts = small_counts(2)
    layout.require_every_class(counts)
    counts["Training"]["meningioma"] = 0
    with pytest.raises(DatasetError, match="Training/meningioma"):
        layout.require_every_class(counts)
    assert layout.describe_counts(counts) == (
        "Training 6 (glioma 2, meningioma 0, notumor 2, pituitary 2), "
        "Testing 8 (glioma 2, meningioma 2, notumor 2, pituitary 2)"
    )


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real dataset is not here")
def test_the_real_dataset_is_whole() -> None:
    report = layout.check_images(layout.list_images(REAL_DATA))
    assert report.layout == "5708"
    assert report.rejected == ()
