from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset.image_set import (
    ImageSet,
    dataset_names,
    load_gallery,
    load_split,
    merge,
    one_hot,
    to_float,
    to_uint8,
)
from data.dataset.outline_files import Outline, outlines_of, save_outlines
from data.layout import DatasetError
from data.samples import SAMPLES_DIR
from model.config import CLASS_NAMES
from model.preprocessing import load_image
from tests.model_helpers import smooth_images


def image_set(n: int, seed: int = 0) -> ImageSet:
    labels = np.arange(n) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{i}" for i, label in enumerate(labels))
    return ImageSet(smooth_images(n, seed), labels, names, f"hash-{seed}")


# arrays


def test_uint8_and_float_round_trip() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    scaled = to_float(every)
    assert scaled.dtype == np.float32
    assert (scaled.min(), scaled.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(to_uint8(scaled), every)
    np.testing.assert_array_equal(to_uint8(np.float32([0.5 / 255 + 1e-6, 0.49 / 255])), [1, 0])


def test_one_hot() -> None:
    rows = one_hot(np.array([2, 0, 3]))
    assert rows.dtype == np.float32
    assert rows.tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]


def test_take_keeps_rows_together_and_has_a_hash_of_its_own() -> None:
    whole = image_set(6)
    part = whole.take(np.array([4, 1]))
    np.testing.assert_array_equal(part.images, whole.images[[4, 1]])
    assert part.labels.tolist() == [0, 1]
    assert part.names == ("glioma/4", "meningioma/1")
    assert part.counts() == {"glioma": 1, "meningioma": 1, "notumor": 0, "pituitary": 0}
    hashes = {whole.sha256, part.sha256, whole.take(np.array([1, 4])).sha256}
    assert len(hashes) == 3
    assert whole.take(np.array([4, 1])).sha256 == part.sha256


def test_merge_puts_sets_one_after_the_other() -> None:
    one, other = image_set(3), image_set(2, seed=1)
    both = merge([one, other])
    np.testing.assert_array_equal(both.images, np.concatenate([one.images, other.images]))
    assert both.images.dtype == np.uint8
    assert both.labels.tolist() == [0, 1, 2, 0, 1]
    assert both.names == ("glioma/0", "meningioma/1", "notumor/2", "glioma/0", "meningioma/1")
    hashes = {one.sha256, other.sha256, both.sha256, merge([other, one]).sha256}
    assert len(hashes) == 4
    assert merge([one, other]).sha256 == both.sha256


def test_merging_with_an_empty_set_keeps_the_images() -> None:
    whole = image_set(3)
    none = whole.take(np.array([], dtype=np.int64))
    both = merge([none, whole])
    np.testing.assert_array_equal(both.images, whole.images)
    assert both.names == whole.names
    assert both.counts() == whole.counts()


def test_merging_one_set_gives_it_back() -> None:
    whole = image_set(3)
    assert merge([whole]) is whole


def test_merging_no_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`sets` must hold at least one set\. Received: none"):
        merge([])


# folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = smooth_images(8, seed=1)
    (tmp_path / "archive" / "Testing").mkdir(parents=True)
    for number, image in enumerate(images):
        path = tmp_path / "archive" / "Training" / CLASS_NAMES[number // 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(path)
    return tmp_path


def test_a_split_is_read_in_order_with_its_labels(folder: Path) -> None:
    found = load_split(folder, "Training")
    assert found.images.shape == (8, 224, 224, 1)
    assert found.images.dtype == np.uint8
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert found.labels.dtype == np.int64
    assert found.names[:3] == ("glioma/0.png", "glioma/1.png", "meningioma/2.png")
    path = folder / "archive" / "Training" / "pituitary" / "7.png"
    np.testing.assert_array_equal(found.images[7], to_uint8(load_image(path)))


def test_the_hash_covers_names_and_contents(folder: Path) -> None:
    first = load_split(folder, "Training").sha256
    assert load_split(folder, "Training").sha256 == first
    path = folder / "archive" / "Training" / "glioma" / "0.png"
    path.rename(path.with_name("00.png"))
    renamed = load_split(folder, "Training").sha256
    Image.fromarray(smooth_images(1, seed=2)[0, :, :, 0]).save(path.with_name("00.png"))
    assert len({first, renamed, load_split(folder, "Training").sha256}) == 3


def test_unreadable_images_are_left_out_and_named(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = folder / "archive" / "Training" / "notumor" / "4.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with caplog.at_level(logging.WARNING, "data.dataset.image_set"):
        found = load_split(folder, "Training")
    assert found.counts() == {"glioma": 2, "meningioma": 2, "notumor": 1, "pituitary": 2}
    assert found.names[4:6] == ("notumor/5.png", "pituitary/6.png")
    (message,) = caplog.messages
    assert message == "1 of 8 images in Training could not be read and are left out: 4.png"


def test_a_class_without_a_readable_image_is_an_error(folder: Path) -> None:
    for path in (folder / "archive" / "Training" / "notumor").iterdir():
        path.write_text("not an image")
    with pytest.raises(DatasetError, match="No readable image in Training/notumor"):
        load_split(folder, "Training")


def test_an_empty_split_is_an_error(folder: Path) -> None:
    with pytest.raises(DatasetError, match="Testing/glioma is missing"):
        load_split(folder, "Testing")


# the gallery


def test_the_embedded_gallery() -> None:
    gallery = load_gallery(SAMPLES_DIR)
    assert gallery.counts() == dict.fromkeys(CLASS_NAMES, 10)
    manifest = json.loads((SAMPLES_DIR / "manifest.json").read_text(encoding="utf-8"))
    for row in (0, 17, 39):
        sample = manifest["samples"][row]
        expected = to_uint8(load_image(SAMPLES_DIR / sample["file"]))
        np.testing.assert_array_equal(gallery.images[row], expected)
        assert gallery.names[row] == f"{sample['true_label']}/{sample['file']}"
        assert CLASS_NAMES[gallery.labels[row]] == sample["true_label"]


def test_a_gallery_with_a_missing_image_is_an_error(tmp_path: Path) -> None:
    samples = [{"file": "none.png", "true_label": "glioma"}]
    (tmp_path / "manifest.json").write_text(json.dumps({"samples": samples}))
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        load_gallery(tmp_path)


# several datasets


def write_dataset(root: Path, seed: int, files: tuple[str, ...] = ("a.png", "b.png")) -> Path:
    """Those files in every class of both splits."""
    pictures = iter(smooth_images(8 * len(files), seed))
    for split in ("Training", "Testing"):
        for label in CLASS_NAMES:
            (root / split / label).mkdir(parents=True)
            for name in files:
                Image.fromarray(next(pictures)[:, :, 0]).save(root / split / label / name)
    return root


def test_several_datasets_are_read_one_after_the_other(tmp_path: Path) -> None:
    one, two = write_dataset(tmp_path / "one", 1), write_dataset(tmp_path / "two", 2, ("a.png",))
    both = load_split([one, two], "Training")
    assert both.names == (
        *(f"{label}/one/{name}.png" for label in CLASS_NAMES for name in "ab"),
        *(f"{label}/two/a.png" for label in CLASS_NAMES),
    )
    parts = [load_split(root, "Training") for root in (one, two)]
    np.testing.assert_array_equal(both.images, np.concatenate([p.images for p in parts]))
    np.testing.assert_array_equal(both.labels, np.concatenate([p.labels for p in parts]))
    alone = load_split([one], "Training")
    assert (alone.names, alone.sha256) == (parts[0].names, parts[0].sha256)
    assert both.sha256 not in {part.sha256 for part in parts}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("a/raw",), [""]),
        (("a/raw", "a/other"), ["raw", "other"]),
        (("a/raw", "b/raw", "b/other"), ["a~raw", "b~raw", "b~other"]),
        (("a/raw", "a/b/raw"), ["a~raw", "b~raw"]),
    ],
)
def test_datasets_are_told_apart_by_their_folders(
    folders: tuple[str, ...], expected: list[str]
) -> None:
    assert dataset_names([Path("/data") / folder for folder in folders]) == expected


def test_a_dataset_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"each of them once\. Received: .*x, .*x$"):
        dataset_names([tmp_path / "x", tmp_path / "y" / ".." / "x"])
    with pytest.raises(DatasetError, match=r"each of them once\. Received: none$"):
        dataset_names([])


def test_each_dataset_has_its_own_outlines(tmp_path: Path) -> None:
    roots = [write_dataset(tmp_path / name, 1) for name in ("one", "two")]
    points = np.array([[1, 2], [9, 2], [9, 8]], np.float32)
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    save_outlines({"glioma/a.png": Outline(1, False, points)}, files[0])
    save_outlines({"glioma/b.png": Outline(2, False, points)}, files[1])
    names = load_split(roots, "Training").names
    found = outlines_of(roots, files)
    assert list(found) == ["glioma/one/a.png", "glioma/two/b.png"]
    assert set(found) < set(names)
    assert list(outlines_of(roots, files[:1])) == ["glioma/one/a.png"]
    assert list(outlines_of(roots[0], files[0])) == ["glioma/a.png"]
    with pytest.raises(ValueError, match="Received: 2 files for 1 datasets"):
        outlines_of(roots[:1], files)
