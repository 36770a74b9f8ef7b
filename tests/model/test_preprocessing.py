from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model import preprocessing
from model.preprocessing import SETTINGS, ImageError, decode, load_image, prepare
from model.reading import picture_guards
from model.reading.picture import FORMATS

COLUMNS = np.arange(224, dtype=np.float32)


def encode(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def picture(height: int = 224, width: int = 224, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth blobs, so that JPEG and resampling change little."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7), dtype=np.uint8)
    resized = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and ends before any pixel."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header
    return start + struct.pack(">I", zlib.crc32(header)) + struct.pack(">I", 100) + b"IDAT"


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


# modes


def test_rgb_becomes_luma() -> None:
    colours = Image.new("RGB", (3, 1))
    colours.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    np.testing.assert_array_equal(decode(encode(colours)), [[76, 150, 29]])  # ITU-R 601


def test_grey_in_three_channels_is_the_same_grey() -> None:
    grey = Image.fromarray(picture())
    np.testing.assert_array_equal(load_image(encode(grey.convert("RGB"))), load_image(encode(grey)))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_over_black(mode: str) -> None:
    image = Image.new("LA", (3, 1))
    image.putdata([(200, 255), (200, 0), (200, 128)])
    np.testing.assert_array_equal(decode(encode(image.convert(mode))), [[200, 0, 100]])


def test_a_palette_s_transparent_colour_is_black() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 10, 10, 90, 90, 90, 255, 255, 255])
    image.putdata([0, 1, 2])
    np.testing.assert_array_equal(decode(encode(image)), [[10, 90, 255]])
    np.testing.assert_array_equal(decode(encode(image, transparency=2)), [[10, 90, 0]])


def test_cmyk_becomes_luma() -> None:
    image = Image.new("CMYK", (16, 16), (0, 0, 0, 105))
    np.testing.assert_array_equal(decode(encode(image, "TIFF")), np.full((16, 16), 150))
    np.testing.assert_allclose(decode(encode(image, "JPEG", quality=100)), 150, atol=2)


def test_one_bit_is_black_and_white() -> None:
    bits = np.zeros((8, 8), dtype=bool)
    bits[:, 4:] = True
    np.testing.assert_array_equal(decode(encode(Image.fromarray(bits))), bits * 255.0)


def test_sixteen_bits_keep_their_values() -> None:
    values = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(values))), values)
    np.testing.assert_array_equal(decode(encode(Image.fromarray(values), "TIFF")), values)


def test_sixteen_bits_look_like_their_eight_bit_version() -> None:
    deep = np.linspace(0, 65535, 224 * 224).reshape(224, 224).astype(np.uint16)
    flat = (deep >> 8).astype(np.uint8)
    np.testing.assert_allclose(
        load_image(encode(Image.fromarray(deep))),
        load_image(encode(Image.fromarray(flat))),
        atol=1.5 / 255,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_exif_says(orientation: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = Image.fromarray(picture(40, 60))
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(decode(encode(stored, exif=exif)), picture(40, 60))


# sources


@pytest.mark.parametrize("file_format", FORMATS)
def test_bytes_path_and_file_give_the_same(file_format: str, tmp_path: Path) -> None:
    content = encode(Image.fromarray(picture(50, 70)), file_format)
    path = tmp_path / "scan"
    path.write_bytes(content)
    expected = load_image(content)
    assert expected.max() == 1.0
    np.testing.assert_array_equal(load_image(path), expected)
    np.testing.assert_array_equal(load_image(str(path)), expected)
    np.testing.assert_array_equal(load_image(io.BytesIO(content)), expected)
    with path.open("rb") as file:
        np.testing.assert_array_equal(load_image(file), expected)


def test_a_missing_path_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "none.png")


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=f"could not be decoded. Received: {tmp_path.name}"):
        load_image(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\xff\xd8\xff"],
)
def test_other_files_are_refused_by_kind(content: bytes) -> None:
    with pytest.raises(ImageError, match=r"must be one of JPEG, PNG.*the upload, which is none"):
        load_image(content)


def test_a_format_outside_the_list_is_refused() -> None:
    content = encode(Image.fromarray(picture()), "PPM")
    with pytest.raises(ImageError, match="must be one of"):
        load_image(content)


def test_an_error_names_the_file_and_not_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("not an image")
    with pytest.raises(ImageError, match=r"Received: notes\.png, which"):
        load_image(path)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_a_truncated_file_could_not_be_decoded(file_format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    content = encode(Image.fromarray(noise), file_format)
    with pytest.raises(ImageError, match=r"could not be decoded. Received: the upload"):
        load_image(content[: len(content) * 3 // 4])


def test_a_png_with_a_short_header_could_not_be_decoded() -> None:
    # Pillow raises a bare ValueError for this one.
    content = bytearray(encode(Image.fromarray(picture())))
    content[11] = 5  # length of the IHDR chunk, 13 by the standard
    with pytest.raises(ImageError, match=r"could not be decoded.*IHDR"):
        load_image(bytes(content))


def test_colours_without_a_grey_value_could_not_be_decoded() -> None:
    with pytest.raises(ImageError, match=r"could not be decoded.*LAB"):
        load_image(encode(Image.new("LAB", (8, 8)), "TIFF"))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what it thinks of the damage
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_bytes_changed_at_random_are_read_or_refused(file_format: str) -> None:
    rng = np.random.default_rng(3)
    original = encode(Image.fromarray(picture(20, 20)), file_format)
    refused = 0
    for _ in range(60):
        content = bytearray(original)
        for place in rng.integers(min(200, len(content)), size=3):
            content[place] = rng.integers(256)
        try:
            found = load_image(bytes(content))
        except ImageError:
            refused += 1
        else:
            assert found.shape == (224, 224, 1)
            assert np.isfinite(found).all()
    assert refused > 0


# sizes


def test_the_limit_is_twenty_million_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert picture_guards.MAX_PIXELS == 20_000_000
    with pytest.raises(ImageError, match=r"at most 20,000,000 pixels as PNG.*5000 x 4001"):
        load_image(png_header(5000, 4001))
    monkeypatch.setattr(picture_guards, "MAX_PIXELS", 600)
    assert load_image(encode(Image.fromarray(picture(20, 30)))).max() == 1.0
    with pytest.raises(ImageError, match="30 x 21"):
        load_image(encode(Image.fromarray(picture(21, 30))))


@pytest.mark.parametrize("side", [10_000, 13_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    # Pillow says nothing of the first, warns of the second, and raises for the third.
    with pytest.raises(ImageError, match=r"at most 20,000,000 pixels") as caught:
        load_image(png_header(side, side))
    assert caught.value.kind == "too-large"


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
