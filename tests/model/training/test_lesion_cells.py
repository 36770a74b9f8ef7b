"""What the lesion head is taught: which cells a tumor covers, and when nobody knows."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from data.dataset.outline_files import Outline
from model.config import NO_TUMOUR, AugmentationConfig
from tests.model.training.batch_makers import CONFIG, EVERYTHING, OUTLINES, head, one

LINE = {"x/a": Outline(1, False, np.array([[60, 80], [60, 80], [60, 80]], np.float32))}


@pytest.mark.parametrize("outlines", [None, {}, {"x/b": OUTLINES["x/a"]}, LINE])
def test_a_tumour_of_unknown_place_teaches_its_class_alone(
    outlines: dict[str, Outline] | None,
) -> None:
    for seed in range(3):
        images, targets, weights = one("pituitary", replace(EVERYTHING, seed=seed), outlines)
        assert targets["probabilities"].tolist() == [[0, 0, 0, 1]]
        assert weights["probabilities"].tolist() == [1]
        np.testing.assert_array_equal(weights["lesion"], 0)
        np.testing.assert_allclose(images[0], head() / 255.0, atol=1e-6)


def test_an_image_without_tumour_has_no_lesion_in_any_cell() -> None:
    images, targets, weights = one("notumor", EVERYTHING, OUTLINES)
    assert targets["probabilities"].tolist() == [[0, 0, 1, 0]]
    np.testing.assert_array_equal(targets["lesion"][0, :, :, NO_TUMOUR], 1)
    np.testing.assert_array_equal(weights["lesion"], 1)
    np.testing.assert_allclose(images[0], head() / 255.0, atol=1e-6)


def test_the_cells_cover_the_outline() -> None:
    """`BOX` covers rows 5 to 8.125 and columns 3.75 to 6.25 of the cells."""
    _, targets, weights = one("meningioma", CONFIG, OUTLINES)
    rows, columns = np.zeros(14), np.zeros(14)
    rows[5:9] = [1, 1, 1, 0.125]
    columns[3:7] = [0.25, 1, 1, 0.25]
    cover = np.outer(rows, columns)
    np.testing.assert_allclose(targets["lesion"][0, :, :, 1], cover, atol=1e-6)
    np.testing.assert_allclose(targets["lesion"][0, :, :, NO_TUMOUR], 1 - cover, atol=1e-6)
    np.testing.assert_array_equal(targets["lesion"][0, :, :, [0, 3]], 0)
    np.testing.assert_allclose(weights["lesion"][0], 1 + 8 * cover, atol=1e-5)
    halved = one("meningioma", replace(CONFIG, lesion_cell_weight=4.0), OUTLINES)[2]
    np.testing.assert_allclose(halved["lesion"][0], 1 + 4 * cover, atol=1e-5)


def test_the_cells_move_with_the_image_and_sum_to_one() -> None:
    moving = replace(CONFIG, augmentation=replace(AugmentationConfig(), noise=0.0))
    places = []
    for seed in range(4):
        images, targets, _ = one("glioma", replace(moving, seed=seed), OUTLINES)
        target = targets["lesion"][0]
        np.testing.assert_allclose(target.sum(axis=2), 1, atol=1e-6)
        assert 0 <= target.min() <= target.max() <= 1
        assert 0.5 < target[:, :, 0].sum() * 256 / (40 * 50) < 2
        cells = cv2.resize(images[0, :, :, 0], (14, 14), interpolation=cv2.INTER_AREA)
        inside, outside = target[:, :, 0] > 0.99, target[:, :, 0] == 0
        assert cells[inside].mean() > cells[outside & (cells > 0.1)].mean() + 0.1
        places.append(target[:, :, 0].argmax())
    assert len(set(places)) > 1
