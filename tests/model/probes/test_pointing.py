"""The pointing game and occlusion, on maps and networks whose answers are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from model.inference.evidence import direction, explain
from model.inference.last_layers import Tail
from model.probes.occlusion import occlusion_maps
from model.probes.pointing import (
    CANDIDATES,
    HeatMethod,
    compute,
    distance,
    head_centre_hits,
    hits,
    overlaps,
    point,
)
from model.probes.shortcuts import Outlined
from tests.model.probes.drawn import disc, tumours

pytest_plugins = ["tests.model_fixtures"]


def test_a_hit_is_in_the_mask_or_within_eight_pixels() -> None:
    masks = np.repeat(disc(100, 100, 10)[np.newaxis], 4, axis=0)
    heat = np.zeros((4, 224, 224), np.float32)
    for row, column in enumerate((105, 118, 119)):  # inside; 8 and 9 pixels from the rim
        heat[row, 100, column] = 1.0
    assert hits(heat, masks).tolist() == [True, True, False, False]  # a flat map misses
    assert distance(masks[0])[100, 118] == pytest.approx(8.0)
    assert not np.isfinite(distance(np.zeros((224, 224), bool))).any()


def test_overlap_is_best_at_the_level_of_the_tumour() -> None:
    masks = disc(100, 100, 10)[np.newaxis]
    heat = np.where(masks, 1.0, np.where(disc(100, 100, 20), 0.6, 0.0)).astype(np.float32)
    found = overlaps(heat, masks)[0]
    assert found[-1] == 1.0
    assert found[0] == pytest.approx(
        disc(0, 0, 10).sum() and masks.sum() / disc(100, 100, 20).sum()
    )


def test_the_middle_of_the_head_hits_tumours_at_the_middle_only() -> None:
    given = tumours(2)
    masks = np.stack([disc(112, 112, 5), disc(60, 60, 10)])
    found = head_centre_hits(Outlined(given.images, given.labels, masks, given.names))
    assert found.tolist() == [True, False]


class FeaturesOfWhite:
    """At elu8: channel 0 is bright where the image's third is; the rest of the tail sums it."""

    def __init__(self) -> None:
        weights = {
            "dense1_kernel": np.zeros((2304, 484)), "dense1_bias": np.ones(484),
            "dense2_kernel": np.zeros((484, 284)), "dense2_bias": np.ones(284),
            "logits_kernel": np.zeros((284, 4)), "logits_bias": np.zeros(4),
        }  # fmt: skip
        weights["dense1_kernel"][::256, 0] = 1.0  # channel 0 of each of the nine cells
        weights["dense2_kernel"][0, 0] = 1.0
        weights["logits_kernel"][0, 0] = 1.0
        self.tails = {"elu8": Tail("elu8", weights)}
        self.calls = 0

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.calls += 1
        features = np.zeros((len(images), 3, 3, 256), np.float32)
        for row in range(3):
            for column in range(3):
                window = images[:, row * 75 : row * 75 + 74, column * 75 : column * 75 + 74]
                features[:, row, column, 0] = (window > 200).mean(axis=(1, 2, 3))
        return {"elu8": features}


def test_the_pointing_game_finds_where_the_features_are() -> None:
    images = np.zeros((2, 224, 224, 1), np.uint8)
    images[0, 10:50, 10:50] = 255  # upper left
    images[1, 160:210, 90:140] = 255  # lower middle
    masks = images[:, :, :, 0] > 0
    given = Outlined(images, np.array([0, 0], dtype=np.int64), masks, ("glioma/a", "glioma/b"))
    features = FeaturesOfWhite()
    methods = [
        HeatMethod(("elu8",)),
        HeatMethod(("elu8",), sigma=4.0),
        HeatMethod(("elu8",), target="logit", mirrored=True),
    ]
    assert [method.name for method in methods] == [
        "elu8 hirescam contrast", "elu8 hirescam contrast sigma4", "elu8 hirescam logit mirrored",
    ]  # fmt: skip
    report = point(features, features.tails, given, methods)
    assert features.calls == 2  # once for the images, once mirrored
    assert report["elu8 hirescam contrast"]["hits"]["glioma"]["count"] == 2
    assert report["elu8 hirescam logit mirrored"]["hits"]["all"]["share"] == 1.0
    assert report["elu8 hirescam contrast"]["iou"]["all"] > 0.2
    maps = compute(features, features.tails, images, given.labels, methods)
    plain = explain(features.tails["elu8"], features(images)["elu8"], given.labels)
    np.testing.assert_allclose(maps["elu8 hirescam contrast"], plain, atol=1e-6)


def test_candidates_have_names_of_their_own() -> None:
    names = [method.name for method in CANDIDATES]
    assert len(set(names)) == len(names)


def test_occlusion_finds_the_white_square() -> None:
    def confident(images: np.ndarray) -> np.ndarray:
        white = (images == 255).mean(axis=(1, 2, 3))[:, np.newaxis] * 50
        tumour = 1 / (1 + np.exp(-white))
        return np.hstack([tumour, 0 * white, 1 - tumour, 0 * white]).astype(np.float32)

    images = np.zeros((1, 224, 224, 1), np.uint8)
    images[0, 64:96, 128:160] = 255
    heat = occlusion_maps(confident, images, np.array([0], dtype=np.int64))
    row, column = np.unravel_index(heat[0].argmax(), (224, 224))
    assert 64 <= row < 96
    assert 128 <= column < 160
    assert heat.max() == 1.0
    assert direction(np.array([0]))[0].tolist() == [1, 0, -1, 0]
