"""The head is found in drawn pictures, and only what lies outside it is masked."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from data.phantoms import make_phantom
from model.inference.head_mask import (
    filled,
    head_box,
    head_mask,
    largest_region,
    mask_outside,
    otsu_level,
    regions,
)

ROWS, COLUMNS = np.mgrid[:224, :224]


def ellipse(row: float, column: float, height: float, width: float) -> np.ndarray:
    away = ((ROWS - row) / height) ** 2 + ((COLUMNS - column) / width) ** 2
    return np.asarray(away <= 1)


def drawn(*parts: tuple[np.ndarray, float]) -> np.ndarray:
    """Noisy air with parts of the given brightness: float32 (224, 224, 1)."""
    image = np.random.default_rng(0).uniform(0, 0.03, (224, 224))
    for mask, value in parts:
        image[mask] = value
    return image[..., np.newaxis].astype(np.float32)


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


def test_a_head_is_found_with_its_dark_hole_and_without_specks() -> None:
    head, hole = ellipse(112, 105, 90, 70), ellipse(100, 100, 20, 25)
    caption = (ROWS < 12) & (COLUMNS > 190)
    found = head_mask(drawn((head, 0.5), (hole, 0.01), (caption, 1.0)))
    assert found.shape == (224, 224)
    assert found.dtype == np.bool_
    assert found[hole].all()
    assert not found[caption].any()
    assert iou(found, head) > 0.97


def test_a_head_cut_off_by_the_rim_keeps_its_place() -> None:
    head = ellipse(180, 112, 120, 80)
    assert iou(head_mask(drawn((head, 0.6))), head) > 0.97


def test_a_flat_picture_has_no_head_and_masks_nothing() -> None:
    for value in (0.0, 0.4, 1.0):
        found = head_mask(np.full((224, 224, 1), value, np.float32))
        assert not found.any()
        heat = np.random.default_rng(1).random((224, 224), dtype=np.float32)
        np.testing.assert_array_equal(mask_outside(heat, found), heat)


def test_heat_outside_goes_and_the_rest_is_scaled_to_one() -> None:
    heat = np.zeros((224, 224), np.float32)
    heat[5, 5], heat[100, 100], heat[110, 110] = 1.0, 0.5, 0.25
    found = mask_outside(heat, ellipse(112, 112, 60, 60))
    assert found.dtype == np.float32
    assert found[5, 5] == 0
    assert found[100, 100] == 1.0
    assert found[110, 110] == 0.5
    assert heat[5, 5] == 1.0  # the given map stays
    nothing = mask_outside(heat, ellipse(200, 200, 5, 5))
    assert not nothing.any()


def test_regions_and_cavities_equal_scipy_s() -> None:
    rng = np.random.default_rng(2)
    for _ in range(10):
        mask = rng.random((30, 41)) < rng.uniform(0.3, 0.8)
        expected, count = ndimage.label(mask)
        found = regions(mask)
        assert len(np.unique(found[mask])) == count
        for label in range(1, count + 1):
            assert len(np.unique(found[expected == label])) == 1
        np.testing.assert_array_equal(filled(mask), ndimage.binary_fill_holes(mask))
        assert largest_region(mask).sum() == np.bincount(expected[mask]).max()
    assert not largest_region(np.zeros((3, 3), bool)).any()
    assert not filled(np.zeros((3, 3), bool)).any()


def test_otsu_s_level_parts_two_humps() -> None:
    grey = np.array([10] * 50 + [12] * 50 + [200] * 30, np.uint8)
    assert otsu_level(grey) == 12


def test_a_phantom_s_head() -> None:
    phantom = make_phantom("meningioma", 2_000_001)
    image = (phantom.image / 255).astype(np.float32)[..., np.newaxis]
    assert phantom.head.shape == (224, 224)
    assert phantom.head[phantom.mask].all()
    assert iou(head_mask(image), phantom.head) > 0.95


def test_other_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`image` must be float32 of shape \(224, 224, 1\)"):
        head_mask(np.zeros((224, 224), np.float32))
    with pytest.raises(ValueError, match="Received: uint8"):
        head_mask(np.zeros((224, 224, 1), np.uint8))  # type: ignore[arg-type]


def test_the_module_needs_numpy_and_pillow_alone() -> None:
    code = (
        "import sys, model.inference.head_mask; print(*{'cv2', 'scipy', 'keras'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def box_of(mask: np.ndarray) -> list[float]:
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return [columns[0] / 224, rows[0] / 224, (columns[-1] + 1) / 224, (rows[-1] + 1) / 224]


def test_the_box_lies_around_the_larger_head_of_two() -> None:
    small, large = ellipse(112, 50, 70, 40), ellipse(112, 160, 80, 50)
    scalp = large & ~ellipse(112, 160, 70, 42)
    found = head_box(drawn((small, 0.6), (scalp, 0.9), (ellipse(112, 160, 60, 34), 0.6)))
    assert found == pytest.approx(box_of(large), abs=0.05)


def test_the_box_passes_over_a_viewers_window_its_lines_and_its_text() -> None:
    window = np.ones((224, 224), bool)
    window[30:, 40:] = False  # light bars at the top and at the left
    line = np.zeros((224, 224), bool)
    line[40:210, 50:214] = True
    line[42:208, 52:212] = False
    text = np.zeros((224, 224), bool)
    text[46:54, 56:100:3] = True
    head = ellipse(130, 130, 60, 48)
    found = head_box(drawn((window, 0.9), (line, 0.8), (text, 1.0), (head, 0.7)))
    assert found == pytest.approx(box_of(head), abs=0.05)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_there_is_no_box_in_a_flat_picture(share: float) -> None:
    assert head_box(np.full((224, 224, 1), share, np.float32)) is None
