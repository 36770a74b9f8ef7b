from __future__ import annotations

import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.layout import DatasetError
from data.samples import SAMPLES_DIR
from model import dataset as dataset_module
from model.config import CLASS_NAMES, AugmentationConfig, TrainingConfig
from model.dataset import (
    ImageSet,
    TrainingFlow,
    augment,
    augmenter,
    cached_phantoms,
    load_gallery,
    load_split,
    make_phantoms,
    one_hot,
    split_validation,
    to_float,
    to_uint8,
)
from model.preprocessing import load_image
from tests.model_helpers import smooth_images

STILL = AugmentationConfig(0.0, 0.0, 0.0, 0.0, 0.0, False, (1.0, 1.0), 0.0)
"""Augmentation that changes nothing."""


def image_set(n: int, seed: int = 0) -> ImageSet:
    labels = np.arange(n) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{i}" for i, label in enumerate(labels))
    return ImageSet(smooth_images(n, seed), labels, names, f"hash-{seed}")


def numbered(values: range) -> ImageSet:
    """Images that carry their own number as grey value; the label is the number modulo 4."""
    numbers = np.array(values)
    images = np.broadcast_to(numbers[:, None, None, None], (len(numbers), 224, 224, 1))
    return ImageSet(images.astype(np.uint8), numbers % 4, tuple(map(str, values)), "numbered")


def contents(flow: TrainingFlow) -> tuple[np.ndarray, np.ndarray]:
    """Grey value at the centre and label of each image of a flow over `numbered` images."""
    batches = [flow[i] for i in range(len(flow))]
    images = np.concatenate([batch[0] for batch in batches])
    labels = np.concatenate([batch[1] for batch in batches])
    assert images.dtype == labels.dtype == np.float32
    return np.rint(images[:, 112, 112, 0] * 255).astype(int), labels.argmax(axis=1)


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


# validation split


def test_the_split_is_disjoint_complete_stratified_and_seeded() -> None:
    images = image_set(80)
    train, validation = split_validation(images, 0.1, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(80))
    np.testing.assert_array_equal(train, np.sort(train))
    np.testing.assert_array_equal(validation, np.sort(validation))
    assert Counter(images.labels[validation].tolist()) == dict.fromkeys(range(4), 2)
    again = split_validation(images, 0.1, seed=3)[1]
    np.testing.assert_array_equal(again, validation)
    assert split_validation(images, 0.1, seed=4)[1].tolist() != validation.tolist()


def test_copies_and_mirror_images_stay_on_one_side() -> None:
    images = image_set(80)
    images.images[40:60] = images.images[:20]
    images.images[60:80] = images.images[:20, :, ::-1]
    for seed in range(3):
        validation = set(split_validation(images, 0.25, seed)[1].tolist())
        assert 10 <= len(validation) <= 30
        for row in range(20):
            assert len({row in validation, row + 40 in validation, row + 60 in validation}) == 1


# epochs

CONFIG = TrainingConfig(batch_size=8, phantom_share=0.0, augmentation=STILL, seed=7)


def test_every_real_image_comes_once_an_epoch_in_a_new_order() -> None:
    images = numbered(range(1, 31))
    flow = TrainingFlow(images, None, CONFIG, 0)
    assert len(flow) == 4
    assert [len(flow[i][0]) for i in range(4)] == [8, 8, 8, 6]
    first, labels = contents(flow)
    assert sorted(first) == list(range(1, 31))
    assert first.tolist() != sorted(first)
    np.testing.assert_array_equal(labels, first % 4)
    second = contents(TrainingFlow(images, None, CONFIG, 1))[0]
    assert sorted(second) == list(range(1, 31))
    assert first.tolist() != second.tolist()
    other = contents(TrainingFlow(images, None, replace(CONFIG, seed=8), 0))[0]
    assert first.tolist() != other.tolist()


def test_an_epoch_is_decided_by_its_config_and_number() -> None:
    images, phantoms = image_set(16), image_set(8, seed=1)
    config = TrainingConfig(batch_size=8, phantom_share=0.5, phantom_start_epoch=1, seed=7)
    first = TrainingFlow(images, phantoms, config, 1)
    second = TrainingFlow(images, phantoms, config, 1)
    other = TrainingFlow(images, phantoms, config, 2)
    backwards = [second[i] for i in (1, 0)][::-1]  # the order of asking does not matter
    for i in range(2):
        np.testing.assert_array_equal(first[i][0], backwards[i][0])
        np.testing.assert_array_equal(first[i][1], backwards[i][1])
        assert not np.array_equal(first[i][0], other[i][0])
    assert 0 <= first[0][0].min() < first[0][0].max() <= 1


def test_phantoms_take_their_share_from_their_first_epoch_on() -> None:
    images, phantoms = numbered(range(1, 101)), numbered(range(101, 200))
    config = replace(CONFIG, phantom_share=0.3, phantom_start_epoch=2)
    for epoch in (0, 1):
        numbers, labels = contents(TrainingFlow(images, phantoms, config, epoch))
        assert sorted(numbers) == list(range(1, 101))
        np.testing.assert_array_equal(labels, numbers % 4)
    drawn = []
    for epoch in range(2, 7):
        numbers, labels = contents(TrainingFlow(images, phantoms, config, epoch))
        np.testing.assert_array_equal(labels, numbers % 4)
        real = numbers[numbers <= 100]
        assert len(numbers) == 100
        assert len(set(real.tolist())) == len(real)
        drawn.append(int((numbers > 100).sum()))
    assert sum(drawn) == pytest.approx(0.3 * 500, abs=4 * np.sqrt(500 * 0.3 * 0.7))
    numbers = contents(TrainingFlow(images, None, config, 2))[0]
    assert sorted(numbers) == list(range(1, 101))


def test_augmentation_changes_images_within_the_range() -> None:
    image = smooth_images(1, seed=3)[0]
    config = AugmentationConfig()
    variants = [augment(image, augmenter(config), config, seed) for seed in range(6)]
    for variant in variants:
        assert variant.shape == (224, 224, 1)
        assert variant.dtype == np.float32
        assert 0 <= variant.min() < variant.max() <= 1
    assert len({variant.tobytes() for variant in variants}) == 6
    np.testing.assert_array_equal(augment(image, augmenter(STILL), STILL, 1), to_float(image))


def test_degrading_alone_keeps_the_picture() -> None:
    image = smooth_images(1, seed=3)[0]
    config = replace(STILL, degrade=1.0)
    variant = augment(image, augmenter(config), config, 5)
    difference = np.abs(variant - to_float(image))
    assert 0 < difference.mean() < 0.05


def test_augmentation_in_sixteen_threads_equals_one() -> None:
    images = smooth_images(4, seed=4)
    config = AugmentationConfig()
    generator = augmenter(config)

    def variant(seed: int) -> bytes:
        return augment(images[seed % 4], generator, config, seed).tobytes()

    serial = [variant(seed) for seed in range(48)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(variant, range(48))) == serial


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


def test_cached_phantoms_read_back_equal(
    phantoms: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def draw(per_class: int, seed: int) -> ImageSet:
        calls.append((per_class, seed))
        return phantoms

    monkeypatch.setattr(dataset_module, "make_phantoms", draw)
    for _ in range(2):
        found = cached_phantoms(2, 500, tmp_path / "run")
        np.testing.assert_array_equal(found.images, phantoms.images)
        np.testing.assert_array_equal(found.labels, phantoms.labels)
        assert found.images.dtype == np.uint8
        assert found.labels.dtype == np.int64
        assert found.names == phantoms.names
        assert found.sha256 == phantoms.sha256
    assert calls == [(2, 500)]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["phantoms-2-500.npz"]
    cached_phantoms(2, 501, tmp_path / "run")
    assert calls == [(2, 500), (2, 501)]


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
