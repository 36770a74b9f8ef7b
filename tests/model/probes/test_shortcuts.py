"""Shares and pairs on answers that are known beforehand, and the images they are measured on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.network.held_out import held_out, outlined
from data.dataset.division import MANIFEST, Manifest
from data.dataset.image_set import ImageSet
from data.dataset.protocols import Parts
from data.phantoms.sets import PAIR_SEED, Pairs, cached_pairs, make_pairs
from model.predictors import predict_in_batches
from model.probes.pointing import DEFAULT, distance, features_of, point, tails_of
from model.probes.shortcuts import BARS, NOTUMOR, Outlined, measure, share, shares
from tests.model.probes.drawn import disc, tumours

pytest_plugins = ["tests.model_fixtures"]


def sees_white(images: np.ndarray) -> np.ndarray:
    """Glioma where something is white, else notumor."""
    white = (images > 200).any(axis=(1, 2, 3))
    return np.eye(4, dtype=np.float32)[np.where(white, 0, NOTUMOR)]


def test_a_network_that_sees_the_tumour_passes() -> None:
    report = measure(sees_white, tumours())
    assert report["summary"] == {
        "painted_out_to_notumor": 1.0, "painted_out_left_class": 1.0, "control_changed": 0.0,
    }  # fmt: skip
    assert report["original"]["right"]["all"]["count"] == 2  # it calls all of them glioma
    assert report["painted_out"]["to_notumor"]["pituitary"] == share(2, 2)
    assert report["control"]["without"] == 0


def test_a_network_that_sees_only_style_fails() -> None:
    def always_meningioma(images: np.ndarray) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[np.ones(len(images), int)]

    report = measure(always_meningioma, tumours())
    assert report["summary"]["painted_out_to_notumor"] == 0.0
    assert report["summary"]["control_changed"] == 0.0


def test_a_network_that_is_upset_by_any_change_shows_in_the_controls() -> None:
    known = {image.tobytes() for image in tumours().images}

    def upset(images: np.ndarray) -> np.ndarray:
        return np.eye(4, dtype=np.float32)[[0 if i.tobytes() in known else 3 for i in images]]

    report = measure(upset, tumours())
    assert report["summary"]["control_changed"] == 1.0
    assert report["control"]["changed"]["all"]["images"] == 6


def test_images_without_a_place_for_a_control_are_counted_apart() -> None:
    given = tumours(2)
    masks = given.masks.copy()
    masks[1] = disc(112, 112, 70)
    report = measure(sees_white, Outlined(given.images, given.labels, masks, given.names))
    assert report["control"]["without"] == 1
    assert report["control"]["changed"]["all"]["images"] == 1


def test_pairs_need_both_answers() -> None:
    labels = np.array([0, 0, 1], dtype=np.int64)
    white, grey = np.full((3, 224, 224, 1), 255, np.uint8), np.full((3, 224, 224, 1), 9, np.uint8)
    grey[1] = 255  # one lesion-free phantom is taken for a glioma
    masks = np.zeros((3, 224, 224), bool)
    report = measure(sees_white, None, Pairs(white, grey, labels, masks))
    assert report["pairs"]["with_lesion_right"]["all"]["count"] == 2
    assert report["pairs"]["without_right"]["all"]["count"] == 2
    assert report["pairs"]["both_right"]["all"]["count"] == 1
    assert report["pairs"]["both_right"]["meningioma"]["share"] == 0.0
    assert report["summary"] == {"pairs_both_right": pytest.approx(1 / 3)}


def test_shares_have_wilson_intervals_and_null_of_nothing() -> None:
    found = shares(np.array([True, False]), np.array([0, 0], dtype=np.int64))
    assert found["all"]["share"] == 0.5
    assert found["all"]["interval_95"] == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert found["pituitary"] == {
        "share": None, "count": 0, "images": 0, "interval_95": [0.0, 1.0],
    }  # fmt: skip


def test_a_sample_is_seeded_and_counted_by_class() -> None:
    given = tumours(9)
    assert given.at_most(None) is given
    few = given.at_most(2)
    assert np.bincount(few.labels, minlength=4).tolist() == [2, 2, 0, 2]
    assert few.names == given.at_most(2).names
    assert few.names != given.at_most(2, seed=1).names


@pytest.mark.slow
def test_pairs_differ_in_the_lesion_alone_and_are_cached(tmp_path: Path) -> None:
    pairs = make_pairs(1)
    assert pairs.labels.tolist() == [0, 1, 3]
    assert PAIR_SEED == 3_000_000
    for there, gone, mask in zip(pairs.with_lesion, pairs.without, pairs.masks, strict=True):
        changed = np.abs(there.astype(int) - gone.astype(int))[:, :, 0]
        assert mask.any()
        assert changed[mask].mean() > 4 * changed[distance(mask) > 60].mean()
    cached = cached_pairs(1, tmp_path)
    np.testing.assert_array_equal(cached.with_lesion, pairs.with_lesion)
    again = cached_pairs(1, tmp_path)
    np.testing.assert_array_equal(again.without, pairs.without)
    np.testing.assert_array_equal(again.masks, pairs.masks)
    assert [path.name for path in tmp_path.iterdir()] == ["lesion-pairs-1-3000000.npz"]


def test_one_call_measures_a_keras_network(network: Any) -> None:
    given = tumours(3)
    pairs = Pairs(given.images, given.images, given.labels, given.masks)
    report = measure(partial(predict_in_batches, network), given, pairs)
    assert set(report["summary"]) == {*BARS, "painted_out_left_class"} - {"heat_map_hits"}
    methods = (features_of(network, DEFAULT.cuts), tails_of(network, DEFAULT.cuts))
    heat_map = point(*methods, given.at_most(1), (DEFAULT,))[DEFAULT.name]
    assert heat_map["hits"]["all"]["images"] == 3
    expected = network.predict(given.images.astype(np.float32) / 255, verbose=0)
    np.testing.assert_allclose(predict_in_batches(network, given.images), expected, atol=1e-6)
    found = features_of(network, ("elu4", "elu8"))(given.images)
    assert {cut: value.shape for cut, value in found.items()} == {
        "elu4": (3, 14, 14, 128), "elu8": (3, 3, 3, 256),
    }  # fmt: skip
    logits = tails_of(network, ("elu4",))["elu4"].logits(found["elu4"])
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, expected, atol=1e-5)


def test_held_out_are_the_validation_images_of_the_official_protocol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = ImageSet(np.zeros((1, 224, 224, 1), np.uint8), np.array([2]), ("notumor/b.jpg",), "")
    none, asked = images.take(np.array([], dtype=np.int64)), []
    answers = iter((images, None, none))

    def load_parts(data: Path, manifest: Manifest, protocol: str) -> Parts:
        asked.append((data, manifest.path, protocol))
        return Parts(images, next(answers), images)

    monkeypatch.setattr("benchmarks.network.held_out.load_parts", load_parts)
    assert held_out(Path("data")) is images
    assert asked == [(Path("data"), MANIFEST, "official")]
    for _ in range(2):
        with pytest.raises(ValueError, match="`data` must have validation images"):
            held_out(Path("data"))


def test_outlines_become_masks_of_the_images_that_have_one(tmp_path: Path) -> None:
    path = tmp_path / "outlines.json"
    path.write_text(
        '{"glioma/a.jpg": {"source_slice": 1, "mirrored": false,'
        ' "outline": [[10, 20], [30, 20], [30, 50], [10, 50]]},'
        ' "glioma/z.jpg": {"source_slice": 2, "mirrored": true,'
        ' "outline": [[1, 1], [2, 1], [2, 2]]}}',
        encoding="utf-8",
    )
    images = np.zeros((2, 224, 224, 1), np.uint8)
    names = ("notumor/b.jpg", "glioma/a.jpg")
    found = outlined(ImageSet(images, np.array([2, 0]), names, ""), path)
    assert found.names == ("glioma/a.jpg",)
    assert found.masks[0, 20:50, 10:30].all()
    assert found.masks[0].sum() == pytest.approx(600, rel=0.1)
    with pytest.raises(ValueError, match="`outlines` must hold held-out images"):
        outlined(ImageSet(images[:1], np.array([2]), names[:1], ""), path)
