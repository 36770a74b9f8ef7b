from __future__ import annotations

import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model import preprocessing
from model.preprocessing import SETTINGS, ImageError, load_image, prepare
from tests.picture_files import encode, picture

COLUMNS = np.arange(224, dtype=np.float32)

# intensities


def test_a_ramp_is_stretched_between_its_percentiles() -> None:
    ramp = np.tile(COLUMNS, (224, 1))
    # Each value covers 224 of 50,176 pixels, 0.446%: the 0.5th percentile lies in the second
    # value's pixels, the 99.5th in the last but one's.
    expected = np.clip((COLUMNS - 1) / (222 - 1), 0, 1)
    found = prepare(ramp)
    np.testing.assert_allclose(found[0, :, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(found, np.broadcast_to(found[:1], found.shape))
    assert found[0, 0, 0] == found[0, 1, 0] == 0.0
    assert found[0, 222, 0] == found[0, 223, 0] == 1.0


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 50.0), (257.0, 0.0), (0.001, -3.0)])
def test_scale_and_offset_of_the_intensities_do_not_matter(factor: float, offset: float) -> None:
    pixels = picture().astype(np.float32)
    np.testing.assert_allclose(
        prepare(pixels * np.float32(factor) + np.float32(offset)), prepare(pixels), atol=1e-4
    )


def test_single_bright_and_dark_pixels_are_clipped() -> None:
    pixels = np.tile(COLUMNS, (224, 1))
    spoilt = pixels.copy()
    spoilt[:2, :2], spoilt[-2:, -2:] = 10_000.0, -10_000.0
    found = prepare(spoilt)
    assert found[0, 0, 0] == 1.0
    assert found[-1, -1, 0] == 0.0
    np.testing.assert_allclose(found[2:-2], prepare(pixels)[2:-2], atol=0.01)


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_flat_image_becomes_zeros(value: int) -> None:
    found = load_image(encode(Image.new("L", (50, 60), value)))
    assert found.shape == (224, 224, 1)
    assert found.dtype == np.float32
    assert not found.any()


@pytest.mark.parametrize("size", [(1, 1), (224, 224), (30, 500), (448, 448)])
def test_every_size_gives_the_same_shape_dtype_and_range(size: tuple[int, int]) -> None:
    found = load_image(encode(Image.fromarray(picture(*size))))
    assert found.shape == (224, 224, 1)
    assert found.dtype == np.float32
    assert found.min() == 0.0
    assert found.max() == (0.0 if size == (1, 1) else 1.0)


def test_twice_the_pixels_give_nearly_the_same() -> None:
    large = picture(448, 448)
    small = np.asarray(Image.fromarray(large).resize((224, 224), Image.Resampling.BOX))
    difference = np.abs(load_image(encode(Image.fromarray(large))) - prepare(small.astype("f4")))
    assert difference.max() < 0.03
    assert difference.mean() < 0.005


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((4, 4, 3), np.float32), "shape (height, width)"),
        (np.zeros((0, 4), np.float32), "shape (height, width)"),
        (np.full((4, 4), np.nan, np.float32), "finite"),
        (np.full((4, 4), np.inf, np.float32), "finite"),
    ],
)
def test_prepare_refuses_what_is_no_grey_image(pixels: NDArray[np.float32], words: str) -> None:
    with pytest.raises(ImageError, match=re.escape(words)):
        prepare(pixels)


# settings


def test_settings_say_what_the_module_does() -> None:
    low, high = preprocessing.PERCENTILES
    assert SETTINGS["image_size"] == load_image(encode(Image.new("L", (9, 9)))).shape[0] == 224
    assert SETTINGS["channels"] == load_image(encode(Image.new("L", (9, 9)))).shape[2] == 1
    assert SETTINGS["intensity"] == f"percentiles {low} and {high} mapped to 0 and 1, clipped"
    assert SETTINGS["resize"] == "Pillow BILINEAR with antialiasing, aspect ratio not kept"
    pixels = picture(100, 300).astype(np.float32)
    resized = Image.fromarray(pixels).resize((224, 224), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(prepare(pixels), prepare(np.asarray(resized)))
    doc = preprocessing.__doc__ or ""
    assert f"{low}th to the {high}th percentile" in doc
    assert f"(224, 224, {SETTINGS['channels']})" in doc
