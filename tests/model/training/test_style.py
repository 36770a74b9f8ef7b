"""Restyled images, on a head whose parts are known: scalp, dark skull, brain, tumor, air."""

from __future__ import annotations

import inspect
from dataclasses import replace

import cv2
import numpy as np
import pytest

from model.config import AugmentationConfig
from model.training.counterfactuals import head_mask
from model.training.style import brain_mask, restyle

CHANGES = ("recolor", "strip", "curve", "frame", "background", "marks", "turn")
NONE = replace(AugmentationConfig(), **dict.fromkeys(CHANGES, 0.0))
SCALP, SKULL, BRAIN, TUMOR = 200, 25, 110, 255
CENTRE = (104, 118)


def head() -> tuple[np.ndarray, np.ndarray]:
    """A head on black and the mask of its tumor, both uint8 (224, 224)."""
    image, mask = np.zeros((2, 224, 224), np.uint8)
    for axes, grey in (((80, 96), SCALP), ((74, 90), SKULL), ((66, 82), BRAIN)):
        cv2.ellipse(image, CENTRE, axes, 0, 0, 360, grey, -1)
    cv2.circle(mask, (84, 100), 15, 255, -1)
    image[mask > 0] = TUMOR
    return image, mask


def brain() -> np.ndarray:
    image = np.zeros((224, 224), np.uint8)
    cv2.ellipse(image, CENTRE, (66, 82), 0, 0, 360, 1, -1)
    return np.asarray(image > 0)


def restyled(seed: int, **shares: float) -> tuple[np.ndarray, np.ndarray]:
    image, mask = head()
    found, moved = restyle(image, mask, replace(NONE, **shares), np.random.default_rng(seed))
    assert moved is not None
    assert found.shape == moved.shape == (224, 224)
    assert found.dtype == moved.dtype == np.uint8
    return found, moved


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_no_label_reaches_the_restyling() -> None:
    """Style can tell nothing of the class when it is drawn without a look at it."""
    assert list(inspect.signature(restyle).parameters) == ["image", "mask", "config", "rng"]


def test_without_changes_an_image_stays_as_it_is() -> None:
    image, mask = head()
    found, moved = restyled(1)
    np.testing.assert_array_equal(found, image)
    np.testing.assert_array_equal(moved, mask)
    assert restyle(image, None, NONE, np.random.default_rng(0))[1] is None


def test_the_draws_decide_the_style() -> None:
    everything = dict.fromkeys(CHANGES, 1.0)
    for left, right in zip(restyled(4, **everything), restyled(4, **everything), strict=True):
        np.testing.assert_array_equal(left, right)
    assert (restyled(4, **everything)[0] != restyled(5, **everything)[0]).any()


@pytest.mark.parametrize("change", ["frame", "turn"])
def test_the_mask_moves_with_the_image(change: str) -> None:
    places = set()
    for seed in range(12):
        found, moved = restyled(seed, **{change: 1.0})
        assert overlap(found > (TUMOR + SCALP) / 2, moved > 127) > 0.85
        places.add(tuple(np.argwhere(moved > 127).mean(axis=0).round().astype(int)))
    assert len(places) >= (4 if change == "turn" else 10)


@pytest.mark.parametrize("change", ["recolor", "strip", "curve", "background", "marks"])
def test_what_moves_nothing_leaves_the_mask(change: str) -> None:
    for seed in range(6):
        found, moved = restyled(seed, **{change: 1.0})
        np.testing.assert_array_equal(moved, head()[1])
        assert (found != head()[0]).any()


def test_black_stays_black_under_every_tone_curve() -> None:
    """And equal tones stay equal: a curve is a table, not a filter."""
    image, _ = head()
    risen = 0
    for seed in range(30):
        found, _ = restyled(seed, curve=1.0)
        assert not found[image == 0].any()
        tones = [np.unique(found[image == grey]) for grey in (SKULL, BRAIN, SCALP, TUMOR)]
        assert [len(values) for values in tones] == [1] * 4
        risen += all(np.diff([int(values[0]) for values in tones]) >= 0)
    assert 15 <= risen < 30  # most rise; in the others tissues change places


def test_the_brain_is_found_within_the_skull() -> None:
    image, _ = head()
    found = brain_mask(image, head_mask(image))
    assert found is not None
    assert overlap(found, brain()) > 0.93
    assert brain_mask(np.zeros_like(image), np.zeros(image.shape, bool)) is None


def test_stripping_takes_skull_and_scalp_and_keeps_the_tumor() -> None:
    image, mask = head()
    for seed in range(6):
        found, _ = restyled(seed, strip=1.0)
        outside = cv2.dilate(brain().astype(np.uint8), np.ones((13, 13), np.uint8)) == 0
        assert found[outside].max() <= 2
        assert (found[mask > 0] > 200).mean() > 0.95
        inner = cv2.erode(brain().astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
        assert np.abs(found[inner].astype(int) - image[inner]).mean() < 3


def test_a_tumor_in_the_skull_is_not_stripped_away() -> None:
    image, _ = head()
    mask = np.zeros_like(image)
    cv2.circle(mask, (104, 27), 5, 255, -1)  # in the scalp, which stripping takes away
    image[mask > 0] = TUMOR
    for seed in range(4):
        found, _ = restyle(image, mask, replace(NONE, strip=1.0), np.random.default_rng(seed))
        np.testing.assert_array_equal(found, image)


def test_a_recolored_tumor_changes_alone() -> None:
    image, mask = head()
    image[mask > 0] = 150
    signs = set()
    for seed in range(12):
        found, _ = restyle(image, mask, replace(NONE, recolor=1.0), np.random.default_rng(seed))
        away = cv2.dilate(mask, np.ones((41, 41), np.uint8)) == 0
        # tones are brought back to the whole range afterwards, which moves all of them alike
        bright = found.astype(float) / max(1, int(np.median(found[away & (image == SCALP)])))
        change = bright[mask > 0].mean() - 150 / SCALP
        assert abs(change) > 0.03
        signs.add(change > 0)
    assert signs == {False, True}


def test_the_air_is_lifted_in_the_whole_picture_or_around_it() -> None:
    image, _ = head()
    levels = set()
    for seed in range(20):
        found, _ = restyled(seed, background=1.0)
        floor = int(found[image == 0].min())
        levels.add("whole" if 5 <= floor <= 60 else "rim")
        if floor >= 5:
            assert len(np.unique(found[image == 0])) == 1
        else:
            assert (found[20:204, 20:204] == image[20:204, 20:204]).all()
    assert levels == {"whole", "rim"}


def test_marks_stay_near_the_rim() -> None:
    image, _ = head()
    for seed in range(10):
        found, _ = restyled(seed, marks=1.0)
        rows, columns = np.nonzero(found != image)
        assert len(rows) > 0
        near = np.minimum.reduce([rows, 223 - rows, columns, 223 - columns])
        assert (near <= 40).mean() > 0.5
