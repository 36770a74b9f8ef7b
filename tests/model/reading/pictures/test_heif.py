"""HEIC: what a phone writes is read as it is shown, and bounded before it is decoded."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from benchmarks.service.heic import grid, heic
from model.preprocessing import ImageError
from model.reading.open_scan import read_scan
from model.reading.pictures import heif
from model.reading.pictures.guards import MAX_PIXELS_OF
from model.reading.pictures.heif import is_heif
from model.reading.pictures.heif_boxes import items
from model.reading.pictures.picture import decode
from tests.picture_files import encode, picture

FLAT = np.full((64, 64, 3), 90, np.uint8)


def near(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether pictures are alike but for the losses of the compression."""
    difference = np.abs(found - expected.astype(np.float32))
    return found.shape == expected.shape and difference.mean() < 4 and difference.max() < 40


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_are_read(channels: int) -> None:
    shown = picture(48, 64)
    content = heic(shown if channels == 1 else np.dstack([shown] * 3))
    assert is_heif(content)
    found = decode(content)
    assert found.dtype == np.float32
    assert near(found, shown)
    assert read_scan(content).kind == "image"


def test_colours_become_luminance() -> None:
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[:, :32, 0], colours[:, 32:, 1] = 255, 255
    found = decode(heic(colours, chroma=444))
    assert found[32, 10] == pytest.approx(76, abs=4)
    assert found[32, 50] == pytest.approx(150, abs=4)


def test_transparency_is_shown_over_black() -> None:
    shown = np.full((64, 64, 4), 200, np.uint8)
    shown[:32, :, 3], shown[32:, :, 3] = 255, 0
    found = decode(heic(shown))
    assert found[10, 10] == pytest.approx(200, abs=4)
    assert found[60, 10] == pytest.approx(0, abs=4)


def test_more_than_eight_bits_are_read() -> None:
    levels = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (64, 1))
    found = decode(heic(levels))
    assert found.max() > 40_000
    assert np.all(np.diff(found[32]) > -600)


def test_a_turned_photo_is_shown_upright() -> None:
    shown = picture(48, 64)
    stored = np.rot90(shown)  # as the sensor lies; orientation 6 turns it to the right
    exif = Image.Exif()
    exif[0x0112] = 6
    assert near(decode(heic(stored, exif=exif.tobytes())), shown)


def test_tiles_are_put_together_and_cut() -> None:
    tile = np.zeros((64, 64, 3), np.uint8)
    tile[:32] = 200
    found = decode(grid(tile, 3, 2, 180, 120))
    assert found.shape == (120, 180)
    assert found[[5, 40, 70, 110], 150] == pytest.approx([200, 0, 200, 0], abs=4)


def test_a_large_photo_is_reduced() -> None:
    photo = np.zeros((3024, 4032, 3), np.uint8)
    photo[:, 2016:] = 200
    found = decode(heic(photo))
    assert found.shape == (1512, 2016)
    assert found[700, 500] == pytest.approx(0, abs=3)
    assert found[700, 1500] == pytest.approx(200, abs=3)


def test_avif_stays_pillows() -> None:
    assert not is_heif(encode(Image.fromarray(FLAT), "AVIF"))
    assert not is_heif(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf")
    assert is_heif(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic")
    assert not is_heif(b"hello")


def with_size(content: bytes, width: int, height: int) -> bytes:
    """The same file, whose header says another size."""
    place = content.index(b"ispe") + 8
    return content[:place] + struct.pack(">II", width, height) + content[place + 8 :]


def test_a_size_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = heic(FLAT)
    with pytest.raises(ImageError, match=r"at most 20,000,000 pixels as HEIC.*20,004,000") as found:
        decode(with_size(content, 5001, 4000))
    assert found.value.kind == "too-large"
    monkeypatch.setitem(MAX_PIXELS_OF, heif.NAME, 64 * 64)
    assert decode(content).shape == (64, 64)
    with pytest.raises(ImageError, match=r"2,048 pixels as HEIC in more than 24 bits.*4,096"):
        decode(heic(np.dstack([FLAT, FLAT[..., :1]])))


def test_a_picture_larger_than_its_header_says_is_refused() -> None:
    content = with_size(heic(np.zeros((1024, 1024), np.uint8)), 64, 64)
    with pytest.raises(ImageError, match=r"could not be decoded.*1024x1024 exceeds"):
        decode(content)


def test_tiles_of_more_than_the_picture_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = grid(FLAT, 30, 30, 64, 64)  # of which one would do
    found = items(content)
    assert len(found.parts[901]) == 900
    assert found.work() == 900 * 64 * 64
    monkeypatch.setitem(MAX_PIXELS_OF, heif.NAME, 900 * 64 * 64 // 2 - 1)
    with pytest.raises(ImageError, match=r"pixels as tiles of a HEIC.*3,686,400 pixels") as error:
        decode(content)
    assert error.value.kind == "too-large"


def test_items_that_are_the_same_bytes_are_refused() -> None:
    content = bytearray(grid(FLAT, 2, 2, 128, 128))
    assert decode(bytes(content)).shape == (128, 128)
    place = content.index(b"iloc") + 12
    for tile in range(4):  # each from the first byte to the last
        struct.pack_into(">II", content, place + 16 * tile + 8, 0, len(content))
    with pytest.raises(ImageError, match=r"whose items have [0-9,]+: it is cut off, or"):
        decode(bytes(content))


def test_pictures_made_of_themselves_are_refused() -> None:
    content = bytearray(grid(FLAT, 1, 1, 64, 64))
    place = content.index(b"dimg") + 8
    content[place : place + 2] = (2).to_bytes(2)  # the grid's only tile is the grid
    with pytest.raises(ImageError, match=r"could not be decoded.*cycle"):
        decode(bytes(content))
    with pytest.raises(ImageError, match="whose list of items is cut off or makes no sense"):
        decode(bytes(content)[: content.index(b"ipma") + 20])


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.97])
def test_a_truncated_file_could_not_be_decoded(share: float) -> None:
    content = heic(picture(64, 64))
    with pytest.raises(ImageError, match=r"could not be decoded. Received: the upload"):
        decode(content[: int(len(content) * share)])
