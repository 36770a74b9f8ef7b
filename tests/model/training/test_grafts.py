"""Tumors blended into healthy heads, and healthy tissue blended alike, on known heads."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from model.training.counterfactuals import dilate, head_mask
from model.training.grafts import graft, graft_control
from model.training.style import brain_mask
from tests.model_helpers import smooth_images


def healthy(seed: int = 1) -> np.ndarray:
    """A head with scalp, dark skull and a brain of slight texture: uint8 (224, 224)."""
    image = np.zeros((224, 224), np.uint8)
    for axes, grey in (((90, 105), 170), ((84, 99), 25), ((76, 91), 90)):
        cv2.ellipse(image, (112, 112), axes, 0, 0, 360, grey, -1)
    texture = smooth_images(1, seed=seed)[0, :, :, 0] // 10
    return np.where(image == 90, image + texture, image).astype(np.uint8)


def tumor(grey: int = 230) -> tuple[np.ndarray, np.ndarray]:
    """Another head with a tumor, and where it is: uint8 and bool (224, 224)."""
    image, region = healthy(seed=2), np.zeros((224, 224), np.uint8)
    cv2.ellipse(region, (90, 120), (16, 12), 30, 0, 360, 1, -1)
    image[region > 0] = grey
    return image, region > 0


def brain() -> np.ndarray:
    image = healthy()
    found = brain_mask(image, head_mask(image))
    assert found is not None
    return found


@pytest.mark.parametrize("grey", [230, 10])
def test_a_graft_is_visible_and_inside_the_brain(grey: int) -> None:
    image, host = healthy(), healthy().astype(int)
    found = 0
    for seed in range(24):
        result = graft(*tumor(grey), image, np.random.default_rng(seed))
        if result is None:
            continue
        found += 1
        blended, place = result
        assert blended.shape == place.shape == (224, 224)
        assert (blended.dtype, place.dtype) == (np.uint8, bool)
        assert not (place & ~brain()).any()
        assert 60 <= place.sum() <= 1.4**2 * tumor()[1].sum() * 1.1
        change = np.abs(blended.astype(int) - host)
        assert change[place].mean() >= 12
        assert change[~dilate(place, 14)].max() <= 1
    assert found >= 16


def test_a_tumor_that_cannot_be_seen_is_not_grafted() -> None:
    """The same tissue as its surroundings: nothing would teach that there is a tumor."""
    image = healthy()
    _, region = tumor()
    flat = np.full_like(image, 100)
    assert all(graft(flat, region, image, np.random.default_rng(k)) is None for k in range(8))


def test_without_a_tumor_or_a_brain_there_is_no_graft() -> None:
    source, region = tumor()
    rng = np.random.default_rng(0)
    assert graft(source, np.zeros_like(region), healthy(), rng) is None
    assert graft(source, region, np.zeros_like(source), rng) is None
    assert graft_control(np.zeros_like(region), healthy(), rng) is None
    small = np.zeros_like(region)
    small[110:113, 90:93] = True  # nine pixels, which nobody could see for certain
    assert graft(source, small, healthy(), rng) is None


def test_a_control_leaves_no_bright_spot() -> None:
    """It is the head's own tissue, so the tones in the brain stay nearly what they were."""
    image, region = healthy(), tumor()[1]
    inside = cv2.erode(brain().astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    found = changed = 0
    for seed in range(24):
        control = graft_control(region, image, np.random.default_rng(seed))
        if control is None:
            continue
        found += 1
        difference = np.abs(control.astype(int) - image)
        changed += difference.any()
        assert control[inside].max() <= int(image[inside].max()) + 20
        assert difference[inside].mean() < 1
        assert not difference[~dilate(brain(), 14)].any()
    assert found >= 16
    assert changed == found  # a seam that is there in both tells nothing


def test_the_draws_decide_a_graft() -> None:
    source, region = tumor()
    seeds = [k for k in range(8) if graft(source, region, healthy(), np.random.default_rng(k))]
    one, again, other = (
        graft(source, region, healthy(), np.random.default_rng(k))
        for k in (seeds[0], seeds[0], seeds[1])
    )
    assert one is not None
    assert again is not None
    assert other is not None
    for left, right in zip(one, again, strict=True):
        np.testing.assert_array_equal(left, right)
    assert (one[1] != other[1]).any()
