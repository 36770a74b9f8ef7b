"""Deletion and insertion on a network whose answer is known, and the checks built on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.network.heat_map_checks import LAYERS, harmless, randomisation_report, shuffled
from benchmarks.network.heat_map_methods import (
    KINDS,
    MIDDLE,
    SERVED_CUTS,
    Tally,
    best,
    gradient_times_input,
    middle_maps,
    served,
)
from benchmarks.network.heat_map_phantoms import PHANTOM_SEED, cached
from data.dataset.image_set import to_float
from model.probes.faithfulness import blur, faithfulness, fractions, random_maps, rank_correlation
from model.probes.pointing import DEFAULT
from model.probes.shortcuts import Outlined
from tests.model_helpers import smooth_images

pytest_plugins = ["tests.model_fixtures"]

LESION = np.zeros((224, 224), bool)
LESION[100:114, 60:74] = True  # 196 of 50,176 pixels: 0.4%


def image() -> np.ndarray:
    picture = np.full((224, 224, 1), 100, np.uint8)
    picture[LESION] = 250
    return picture


def sees_lesion(images: np.ndarray) -> np.ndarray:
    """Class 0 with the share of the lesion's pixels that are still bright."""
    share = (images[:, LESION, 0] > 200).mean(axis=1)
    return np.stack([share, 0 * share, 1 - share, 0 * share], axis=1).astype(np.float32)


def test_a_perfect_map_takes_all_at_the_first_step() -> None:
    maps = np.stack([LESION, ~LESION]).astype(np.float32)
    (perfect, inverse) = faithfulness(sees_lesion, image(), 0, maps)
    # The first step of 1/64 takes the whole lesion: a triangle of half its width is left.
    assert perfect[0] == pytest.approx(1 / 64 / 2)
    assert perfect[1] == pytest.approx(1 - 1 / 64 / 2)
    # The last step, from 49/64 to 1, takes it at last.
    assert inverse[0] == pytest.approx(1 - (1 - 49 / 64) / 2, abs=0.01)
    assert inverse[1] == pytest.approx((1 - 49 / 64) / 2, abs=0.01)


def test_equal_pixels_go_by_lot_and_another_class_is_followed() -> None:
    flat = np.zeros((1, 224, 224), np.float32)
    by_seed = {round(faithfulness(sees_lesion, image(), 0, flat, seed=s)[0, 0], 6) for s in (1, 2)}
    assert len(by_seed) == 2
    lot = random_maps(1, 1)
    np.testing.assert_allclose(
        faithfulness(sees_lesion, image(), 0, flat, seed=1),
        faithfulness(sees_lesion, image(), 0, lot, seed=5),
    )
    (other,) = faithfulness(sees_lesion, image(), 2, LESION[np.newaxis].astype(np.float32))
    assert other[0] == pytest.approx(1 - 1 / 64 / 2)


def test_steps_run_from_nothing_to_everything() -> None:
    np.testing.assert_allclose(fractions(4), [0, 1 / 16, 1 / 4, 9 / 16, 1])


def test_the_blurred_picture_has_no_lesion_left() -> None:
    assert blur(image()).shape == (224, 224, 1)
    assert blur(image()).max() < 120
    np.testing.assert_array_equal(blur(np.full((224, 224, 1), 77, np.uint8)), 77)


def test_random_maps_repeat_and_differ() -> None:
    first, again, other = random_maps(1, 3), random_maps(1, 3), random_maps(1, 4)
    np.testing.assert_array_equal(first, again)
    assert abs(rank_correlation(first, other)) < 0.5
    assert first.max() == 1.0


def test_rank_correlation() -> None:
    rising = np.array([1.0, 2.0, 5.0, 7.0], np.float32)
    assert rank_correlation(rising, np.exp(rising)) == pytest.approx(1)
    assert rank_correlation(rising, -rising) == pytest.approx(-1)
    # 1 - 6 * sum(d^2) / (n (n^2 - 1)) with d = 0, 1, -1, 0
    assert rank_correlation(rising, rising[[0, 2, 1, 3]]) == pytest.approx(1 - 12 / 60)
    assert np.isnan(rank_correlation(rising, np.ones(4, np.float32)))


def test_gradient_times_input_of_a_linear_network() -> None:
    inputs = keras.Input((224, 224, 1))
    flat = keras.layers.AveragePooling2D(224, name="mean")(inputs)
    flat = keras.layers.Flatten()(flat)
    model = keras.Model(inputs, keras.layers.Dense(4, use_bias=False, name="logits")(flat))
    model.get_layer("logits").set_weights([np.array([[3.0, 0.0, 1.0, 0.0]], np.float32)])
    pictures = smooth_images(1, seed=1)
    found = gradient_times_input(model)(pictures, np.array([0]))  # contrast: 3 - 1
    np.testing.assert_allclose(found, to_float(pictures)[..., 0] * 2 / 224**2, rtol=1e-5)


def test_middle_maps_peak_at_the_head_s_middle() -> None:
    heads = np.zeros((2, 224, 224), bool)
    heads[0, 20:61, 100:141] = True
    found = middle_maps(heads)
    assert np.unravel_index(found[0].argmax(), (224, 224)) == (40, 120)
    assert np.unravel_index(found[1].argmax(), (224, 224)) == (112, 112)  # no head


def test_a_tally_counts_hits_overlap_and_heat_outside() -> None:
    heat = np.zeros((2, 224, 224), np.float32)
    heat[0][LESION] = 1.0
    heat[1, 200:210, 200:210] = 1.0
    heads = np.zeros((2, 224, 224), bool)
    heads[:, 50:205, 50:224] = True  # half of the second spot lies outside
    tally = Tally()
    for row in (0, 1):
        one = slice(row, row + 1)
        tally.add(heat[one], LESION[np.newaxis], heads[one])
    report = tally.report(np.array([0, 3]))
    assert report["hits"]["all"]["count"] == 1
    assert report["hits"]["glioma"]["share"] == 1.0
    assert report["iou"]["glioma"] == 1.0
    assert report["share_of_heat_outside_head"] == pytest.approx(0.25)
    assert tally.hits.tolist() == [True, False]


def test_the_best_has_most_hits_then_overlap() -> None:
    def figures(count: int, iou: float) -> dict[str, Any]:
        return {"hits": {"all": {"count": count}}, "iou": {"all": iou}}

    assert best({"a": figures(3, 0.2), "b": figures(4, 0.1), "c": figures(4, 0.3)}) == "c"
    masking = {"without_mask": figures(3, 0.2), "with_mask": figures(3, 0.2)}
    assert harmless(masking)
    assert not harmless(masking | {"with_mask": figures(2, 0.5)})
    assert not harmless(masking | {"with_mask": figures(5, 0.1)})
    assert served(DEFAULT.name)
    assert not served(MIDDLE)
    assert not served("elu4 hirescam contrast sigma8")
    assert {cut for kind in KINDS for cut in kind.cuts} >= set(SERVED_CUTS)


def test_shuffled_weights_keep_their_values() -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    found = shuffled(values, np.random.default_rng(0))
    assert found.shape == values.shape
    assert (found != values).any()
    assert sorted(found.ravel()) == sorted(values.ravel())


def test_randomisation_starts_equal_and_leaves_the_network_alone(network: Any) -> None:
    before = [values.copy() for values in network.get_weights()]
    pictures = smooth_images(1, seed=2)
    outlined = Outlined(pictures, np.array([1]), LESION[np.newaxis], ("meningioma/x",))
    report = randomisation_report(network, outlined, layers=LAYERS[:1])
    assert list(report["stages"]) == ["none", "logits"]
    assert report["stages"]["none"]["rank_correlation"] == pytest.approx(1)
    assert report["stages"]["logits"]["rank_correlation"] < 0.999
    for values, kept in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(values, kept)
    assert {layer.name for layer in network.layers if layer.weights} == set(LAYERS)


def test_phantoms_are_kept_as_drawn(tmp_path: Path) -> None:
    drawn, heads = cached(1, tmp_path)
    again, kept = cached(1, tmp_path)
    assert drawn.names == again.names
    assert drawn.names[2] == f"pituitary/phantom-{PHANTOM_SEED + 2}"
    for first, second in ((drawn.images, again.images), (drawn.masks, again.masks), (heads, kept)):
        np.testing.assert_array_equal(first, second)
    assert drawn.labels.tolist() == [0, 1, 3]
    assert drawn.images.shape == (3, 224, 224, 1)
    assert heads[drawn.masks].all()
