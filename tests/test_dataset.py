from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.layout import DatasetError
from data.samples import SAMPLES_DIR
from model.config import CLASS_NAMES
from model.dataset import (
    ImageSet,
    load_gallery,
    load_split,
    make_phantoms,
    merge,
    one_hot,
    to_float,
    to_uint8,
)
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
    with caplog.at_level(logging.WARNING, "model.dataset"):
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


# phantoms and gallery


@pytest.fixture(scope="module")
def phantoms() -> ImageSet:
    return make_phantoms(2, seed=500)


def test_phantoms_come_class_by_class_each_with_its_seed(phantoms: ImageSet) -> None:
    assert phantoms.images.shape == (8, 224, 224, 1)
    assert phantoms.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert phantoms.names[0] == "glioma/phantom-500"
    assert phantoms.names[7] == "pituitary/phantom-507"
    assert (phantoms.images.max(axis=(1, 2, 3)) == 255).all()
    assert len({image.tobytes() for image in phantoms.images}) == 8


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
