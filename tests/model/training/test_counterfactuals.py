"""Painting out a tumour, and the control patch beside it, on heads whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from data.phantoms import make_phantom
from model.training.counterfactuals import (
    control_mask,
    control_patch,
    dilate,
    head_mask,
    midline,
    paint_out,
)

ROWS, COLUMNS = np.mgrid[:224, :224]
TELEA = 3  # grey levels by which the painting misses an even surrounding


def disc(row: float, column: float, radius: float) -> np.ndarray:
    return np.asarray((ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2)


def head(centre: int = 112) -> np.ndarray:
    """A grey ball of radius 80 at row 112 on black."""
    return np.where(disc(112, centre, 80), 120, 0).astype(np.uint8)


def with_tumour(row: int, column: int, radius: int, centre: int = 112) -> tuple[np.ndarray, ...]:
    mask = disc(row, column, radius)
    image = head(centre)
    image[mask] = 250
    return image, mask


def difference(left: np.ndarray, right: np.ndarray) -> int:
    return int(np.abs(left.astype(int) - right.astype(int)).max())


def test_painting_restores_the_even_grey_and_touches_nothing_else() -> None:
    image, mask = with_tumour(90, 80, 12)
    painted = paint_out(image, mask)
    assert difference(painted, head()) <= TELEA
    np.testing.assert_array_equal(painted[~dilate(mask)], image[~dilate(mask)])
    with_channel = paint_out(image[:, :, np.newaxis], mask)
    np.testing.assert_array_equal(with_channel[:, :, 0], painted)


def test_the_margin_takes_the_blurred_rim_along() -> None:
    image, mask = with_tumour(90, 80, 14)
    painted = paint_out(image, disc(90, 80, 12))  # the outline runs inside the rim
    assert difference(painted, head()) <= TELEA
    assert mask.sum() > disc(90, 80, 12).sum()


def test_an_empty_mask_changes_nothing() -> None:
    image, _ = with_tumour(90, 80, 12)
    np.testing.assert_array_equal(paint_out(image, np.zeros((224, 224), bool)), image)
    assert control_patch(image, np.zeros((224, 224), bool)) is None


def test_head_and_midline_of_a_head_beside_the_image_s_middle() -> None:
    image, mask = with_tumour(90, 60, 12, centre=95)
    found = head_mask(image)
    assert (found ^ disc(112, 95, 80)).sum() < 0.03 * found.sum()
    assert midline(found) == pytest.approx(95, abs=0.5)
    place = control_mask(image, mask)
    assert place is not None
    np.testing.assert_array_equal(place, disc(90, 130, 12))  # 95 + (95 - 60)


def test_a_flat_image_has_no_head_and_no_control() -> None:
    flat = np.zeros((224, 224), np.uint8)
    assert not head_mask(flat).any()
    assert midline(head_mask(flat)) == 111.5
    assert control_patch(flat, disc(90, 60, 12)) is None


def test_a_tumour_at_the_midline_gets_a_control_beside_it_by_lot() -> None:
    image, mask = with_tumour(130, 112, 12)
    places = [control_mask(image, mask, seed=seed) for seed in (0, 0, 1)]
    assert places[0] is not None
    assert places[2] is not None
    np.testing.assert_array_equal(places[0], places[1])
    assert (places[0] != places[2]).any()
    for place in (places[0], places[2]):
        assert place.sum() == mask.sum()
        assert not (dilate(place) & dilate(mask)).any()
        assert (dilate(place) & ~head_mask(image)).sum() == 0
    control = control_patch(image, mask)
    assert control is not None
    assert (control[mask] == 250).all()


def test_a_tumour_that_fills_the_head_has_no_control() -> None:
    image, mask = with_tumour(112, 112, 60)
    assert control_patch(image, mask) is None


@pytest.mark.parametrize("label", ["glioma", "meningioma", "pituitary"])
def test_the_control_never_touches_the_tumour_of_a_phantom(label: str) -> None:
    found = 0
    for seed in range(6):
        phantom = make_phantom(label, seed)
        place = control_mask(phantom.image, phantom.mask, seed=seed)
        if place is None:
            continue
        found += 1
        assert not (dilate(place) & dilate(phantom.mask)).any()
        control = control_patch(phantom.image, phantom.mask, seed=seed)
        assert control is not None
        np.testing.assert_array_equal(control[phantom.mask], phantom.image[phantom.mask])
    assert found >= 4


def test_illegal_arguments_are_named() -> None:
    image, mask = with_tumour(90, 80, 12)
    with pytest.raises(ValueError, match=r"`image` must be uint8 .* Received: float32 \(224, 224"):
        paint_out(image.astype(np.float32), mask)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"`image` must be .* Received: uint8 \(224, 224, 3\)"):
        control_patch(np.stack([image] * 3, axis=-1), mask)
    with pytest.raises(ValueError, match=r"`mask` must be bool \(height, width\)"):
        paint_out(image, mask.astype(np.uint8))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`mask` must leave pixels"):
        paint_out(image, np.ones((224, 224), bool))
