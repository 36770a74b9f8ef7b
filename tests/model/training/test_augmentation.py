from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from model.config import AugmentationConfig
from model.training.augmentation import FastImageDataGenerator, augment, augmenter
from tests.model_helpers import smooth_images

STILL = AugmentationConfig(
    rotation_range=0, width_shift_range=0, height_shift_range=0, zoom_range=0, shear_range=0,
    horizontal_flip=False, brightness_range=(1.0, 1.0), recolor=0, strip=0, curve=0, frame=0,
    background=0, marks=0, turn=0, degrade=0, gamma=0, bias_field=0, blur=0, noise=0, elastic=0,
)  # fmt: skip
SHARES = ("degrade", "gamma", "bias_field", "blur", "noise", "elastic")
STYLES = ("recolor", "strip", "curve", "frame", "background", "marks", "turn")


def picture() -> np.ndarray:
    """A smooth picture, on which interpolations differ little: uint8 (224, 224).

    It reaches from 0 to 255, as preprocessing leaves it, so that restyling rescales nothing.
    """
    image = cv2.GaussianBlur(smooth_images(1, seed=4)[0, :, :, 0], (0, 0), sigmaX=6)
    low, high = np.percentile(image, (1, 99))
    return np.rint(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_the_warp_is_that_of_keras(seed: int) -> None:
    """SciPy interpolates exactly, OpenCV on a grid of 1/32 pixel: a few grey levels apart."""
    config = replace(AugmentationConfig(), brightness_range=(1.0, 1.0))
    ours = augmenter(config)
    theirs = ImageDataGenerator(
        rotation_range=config.rotation_range, width_shift_range=config.width_shift_range,
        height_shift_range=config.height_shift_range, zoom_range=config.zoom_range,
        shear_range=config.shear_range, horizontal_flip=True, fill_mode="constant", cval=0.0,
        data_format="channels_last",
    )  # fmt: skip
    parameters = ours.draw(seed)
    expected = theirs.apply_transform(
        picture().astype(np.float32)[:, :, np.newaxis], parameters | {"brightness": None}
    )[:, :, 0]
    moved = ours.warp(picture().astype(np.float32), parameters)
    difference = np.abs(moved - expected)[2:-2, 2:-2]
    # where the picture's own edge comes in, half a pixel of black counts
    assert np.percentile(difference, 97) < 2.0
    assert difference.mean() < 1.0


def test_the_draws_are_those_of_keras() -> None:
    config = AugmentationConfig()
    generator = augmenter(config)
    assert isinstance(generator, ImageDataGenerator)
    assert generator.draw(11) == generator.get_random_transform((224, 224, 1), seed=11)
    assert generator.draw(11) != generator.draw(12)


def test_a_mask_moves_with_its_image() -> None:
    mask = np.zeros((224, 224), np.uint8)
    mask[80:120, 130:170] = 255
    generator = augmenter(replace(AugmentationConfig(), brightness_range=(1.0, 1.0)))
    plain = replace(AugmentationConfig(), **dict.fromkeys(SHARES + STYLES, 0.0))
    for seed in range(8):
        image, moved = augment(mask, mask, generator, plain, seed)
        assert moved is not None
        np.testing.assert_allclose(image[:, :, 0], moved, atol=1e-6)
        assert 0.02 < moved.mean() < 0.05  # it stays in the picture, at about its size


def test_nothing_changes_when_nothing_is_asked_for() -> None:
    image, mask = augment(picture(), None, augmenter(STILL), STILL, seed=1)
    assert mask is None
    assert image.shape == (224, 224, 1)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[:, :, 0], picture() / 255.0, atol=1e-6)


@pytest.mark.parametrize("share", SHARES)
def test_each_disturbance_changes_the_picture_and_keeps_it_recognisable(share: str) -> None:
    config = replace(STILL, **{share: 1.0})
    image, _ = augment(picture(), None, augmenter(config), config, seed=5)
    assert 0.0 <= image.min() < image.max() <= 1.0
    difference = np.abs(image[:, :, 0] - picture() / 255.0).mean()
    assert 1e-5 < difference < 0.25
    assert np.corrcoef(image.ravel(), picture().ravel())[0, 1] > 0.85


def test_a_bend_moves_the_mask_with_the_image_and_folds_nothing_over() -> None:
    rows, columns = np.mgrid[:224, :224]
    config = replace(STILL, elastic=1.0)
    generator = augmenter(config)
    mask = ((rows - 110) ** 2 + (columns - 120) ** 2 < 30**2).astype(np.uint8) * 255
    ramp = columns.astype(np.uint8)
    ramp[:, :2], ramp[:, -2:] = 0, 255  # the whole range, so that nothing is rescaled
    for seed in range(6):
        image, moved = augment(mask, mask, generator, config, seed)
        assert moved is not None
        np.testing.assert_allclose(image[:, :, 0], moved, atol=1e-6)
        assert moved.sum() == pytest.approx(mask.sum() / 255, rel=0.25)
        along, _ = augment(ramp, None, generator, config, seed)
        inner = along[30:-30, 30:-30, 0] * 255  # where a pixel comes from, in columns
        assert np.diff(inner, axis=1).min() >= 0
        assert 1 < np.abs(inner - columns[30:-30, 30:-30]).max() < 15


def test_a_seed_decides_the_variant_in_sixteen_threads() -> None:
    config, image = AugmentationConfig(), picture()
    generator = FastImageDataGenerator(rotation_range=20, brightness_range=(0.8, 1.2))
    expected = [augment(image, None, generator, config, seed)[0] for seed in range(32)]
    with ThreadPoolExecutor(16) as pool:
        found = list(
            pool.map(lambda seed: augment(image, None, generator, config, seed)[0], range(32))
        )
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(expected[0], expected[1])
