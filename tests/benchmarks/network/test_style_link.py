"""Style alone: its features, and whether the measurement finds a link that was planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.network.style_features import features, table
from benchmarks.network.style_link import Drawn, draws_of, load_first_release, measure, names_of
from data.dataset.division import Manifest
from data.dataset.image_set import ImageSet
from data.phantoms.sets import PhantomPool
from model.config import NO_TUMOUR, TrainingConfig
from model.training.batches import TrainingFlow
from model.training.draws import Sources
from tests.data.audit.test_audit import heads


def _drawn(images: NDArray[np.uint8], tumor: NDArray[np.bool_]) -> Drawn:
    n = len(tumor)
    return Drawn(images, tumor, np.array([f"s{k // 2}" for k in range(n)]), np.full(n, "dataset"))


def test_features_say_what_they_are_named_for() -> None:
    image = np.zeros((224, 224), np.uint8)
    image[40:200, 60:180] = 128  # a box of 160 x 120
    found = features(image)
    assert found["framing/top"] == pytest.approx(40, abs=2)
    assert found["framing/bottom"] == pytest.approx(24, abs=2)
    assert found["framing/narrower_side"] == pytest.approx(44, abs=2)
    assert found["framing/wider_side"] == pytest.approx(60, abs=2)
    assert found["framing/aspect"] == pytest.approx(160 / 120, abs=0.03)
    assert found["background/median"] == 0.0
    assert found["histogram/08"] == pytest.approx(160 * 120 / 224**2)
    assert found["histogram/levels"] == 2
    assert found["plane/left_right"] == pytest.approx(1.0, abs=0.01)
    assert found["plane/solidity"] == pytest.approx(1.0, abs=0.02)
    lifted = features(np.maximum(image, 30).astype(np.uint8))
    assert lifted["background/median"] == pytest.approx(30 / 255)


def test_a_mirrored_head_has_the_same_framing() -> None:
    image = heads(1, seed=3)[0, :, :, 0]
    here, there = features(image), features(image[:, ::-1].copy())
    for name in here:
        if name.startswith(("framing/", "background/c", "histogram/")):
            assert there[name] == pytest.approx(here[name], abs=0.02), name


def test_noise_and_blur_move_the_noise_features_and_flat_images_have_some() -> None:
    image = heads(1, seed=4)[0, :, :, 0]
    grain = np.random.default_rng(0).normal(0, 12, image.shape)
    noisy = np.clip(image + grain, 0, 255).astype(np.uint8)
    here, there = features(image), features(noisy)
    assert there["noise/fine_everywhere"] > 2 * here["noise/fine_everywhere"]
    assert there["noise/band12"] > here["noise/band12"]
    rows, names = table([np.zeros((224, 224), np.uint8), image])
    assert rows.shape == (2, len(names))
    assert np.isfinite(rows).all()


def test_a_planted_link_is_found_and_named() -> None:
    images = heads(120, seed=5)[..., 0]
    tumor = np.arange(120) % 4 < 2
    images[tumor] = np.maximum(images[tumor], 40)  # grey air for tumors alone
    found = measure(_drawn(images, tumor))
    assert (found["images"], found["tumors"]) == (120, 60)
    assert found["balanced_accuracy"]["value"] > 0.97
    assert found["auroc"] > 0.97
    assert found["families"]["background"] > 0.97
    assert found["kinds"]["dataset"]["tumors"]["images"] == 60
    assert found["kinds"]["dataset"]["healthy"]["right"] > 0.9


def test_without_a_link_there_is_a_coin_toss() -> None:
    images = heads(160, seed=6)[..., 0]
    tumor = np.random.default_rng(1).permutation(np.repeat([False, True], 40))
    found = measure(_drawn(images, np.repeat(tumor, 2)))
    accuracy = found["balanced_accuracy"]
    assert accuracy["value"] < 0.65
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]


def test_draws_know_their_source(tmp_path: Path) -> None:
    images = heads(8, seed=7)
    labels = np.array([0, 2] * 4, dtype=np.int64)
    training = ImageSet(images, labels, tuple(f"class/{k}.png" for k in range(8)), "")
    pool = PhantomPool(images[:3, :, :, 0], np.zeros((3, 224, 224), np.uint8), np.array([0, 2, 2]))
    rows = {f"Training/{name}": {"group": str(k // 2)} for k, name in enumerate(training.names)}
    sources = Sources(training, {}, pool)
    names = names_of(sources, Manifest(tmp_path, rows))
    assert names["class/0.png"] == names["class/1.png"] == "group 0"
    assert names["phantom 0"] == names["phantom 1"] != names["phantom 2"]
    config = TrainingConfig(phantom_share=0.5, batch_size=4)
    flow = TrainingFlow(sources, config, 3)
    before, after = draws_of(flow, names, 16)
    assert before.images.shape == after.images.shape == (16, 224, 224)
    assert before.images.dtype == after.images.dtype == np.uint8
    assert sorted(set(before.kind)) == ["dataset", "phantom"]
    assert (before.kind == "dataset").sum() == 8
    assert (before.tumor == after.tumor).all()
    batch, target, _ = flow[0]
    shown = np.rint(batch[..., 0] * 255).astype(np.uint8)
    np.testing.assert_array_equal(shown, after.images[:4])
    assert (target["probabilities"][:, NO_TUMOUR] == 0).tolist() == after.tumor[:4].tolist()


def test_draws_of_the_first_release_are_read(tmp_path: Path) -> None:
    images = heads(2, seed=8)[..., 0]
    np.savez(tmp_path / "old.npz", images=images, tumor=[True, False], source=["a", "b"])
    found = load_first_release(tmp_path / "old.npz")
    np.testing.assert_array_equal(found.images, images)
    assert found.tumor.tolist() == [True, False]
    assert found.source.tolist() == ["a", "b"]
