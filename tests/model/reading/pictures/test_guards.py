"""Large pictures are reduced, and look like the whole; JPEGs are counted scan by scan."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from model.preprocessing import decode, prepare
from model.reading.pictures.guards import MAX_KEPT, _scans, grey, upright
from tests.hostile.case import encode
from tests.hostile.pictures import many_scans


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
def test_a_large_picture_is_reduced_by_averages(mode: str) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (10, 15), dtype=np.uint8)
    whole = coarse.repeat(250, axis=0).repeat(200, axis=1)  # 2500 x 3000
    image = (
        Image.fromarray(whole.astype(np.uint16))
        if mode == "I;16"
        else Image.fromarray(whole).convert(mode)
    )
    assert image.mode == mode
    found = grey(image)
    assert found.shape == (1250, 1500)
    np.testing.assert_allclose(found, whole[::2, ::2], atol=1)


def test_a_picture_of_as_many_pixels_as_are_kept_is_not_reduced() -> None:
    side = int(MAX_KEPT**0.5)
    assert grey(Image.new("L", (side, side))).shape == (side, side)
    assert grey(Image.new("L", (side, side + 2))).shape == (side // 2 + 1, side // 2)


def test_a_reduced_jpeg_looks_the_same_to_the_network() -> None:
    coarse = np.random.default_rng(1).integers(0, 256, (12, 16), dtype=np.uint8)
    large = Image.fromarray(coarse).resize((4000, 3000), Image.Resampling.BICUBIC)
    small = large.resize((800, 600), Image.Resampling.BOX)
    found = decode(encode(large, "JPEG", quality=95))
    assert found.shape == (1500, 2000)
    other = decode(encode(small, "JPEG", quality=95))
    assert np.abs(prepare(found) - prepare(other)).mean() < 0.01


def test_scans_are_counted_and_seen_to_be_held() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8))
    assert _scans(encode(image, "JPEG")) == (1, False)
    count, held = _scans(encode(image, "JPEG", progressive=True))
    assert 2 < count < 20
    assert held
    assert _scans(many_scans(5))[0] == _scans(many_scans(0))[0] + 5
    thumbnail = b"\xff\xe1\x00\x08\xff\xda\xff\xda\xff\xda"  # scans inside of another segment
    content = encode(image, "JPEG")
    assert _scans(content[:2] + thumbnail + content[2:]) == (1, False)


def test_what_exif_does_not_say_turns_nothing() -> None:
    pixels = np.arange(6, dtype=np.float32).reshape(2, 3)
    for orientation in (None, 0, 1, 9, "6", (6,)):
        assert upright(pixels, orientation) is pixels
