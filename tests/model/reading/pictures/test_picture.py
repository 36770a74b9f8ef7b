"""Pictures of every mode become one grey channel; what is no picture is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.service.heic import heic
from model.preprocessing import ImageError, decode, load_image
from model.reading.pictures import guards
from model.reading.pictures.heif import NAME as HEIC
from model.reading.pictures.picture import FORMATS
from tests.picture_files import encode, picture, png_header

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
    pixels = picture(50, 70)
    content = heic(pixels) if file_format == HEIC else encode(Image.fromarray(pixels), file_format)
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


@pytest.mark.parametrize("part", [b"pitm", b"iloc", b"av01"])
def test_an_avif_without_its_item_could_not_be_decoded(part: bytes) -> None:
    """Found by fuzzing: Pillow raises a RuntimeError."""
    content = encode(Image.fromarray(picture()), "AVIF")
    with pytest.raises(ImageError, match=r"could not be decoded. Received: the upload"):
        load_image(content.replace(part, b"xxxx", 1))


def test_a_webp_is_read_and_its_decoder_let_go() -> None:
    content = encode(Image.fromarray(picture()), "WEBP", lossless=True)
    with Image.open(io.BytesIO(content)) as image:
        guards.load(image)
        assert "_get_next" not in vars(image)
        assert image._decoder is None  # type: ignore[attr-defined]
        assert np.asarray(image.convert("L")).tolist() == picture().tolist()


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
    assert guards.MAX_PIXELS == 20_000_000
    with pytest.raises(ImageError, match=r"at most 20,000,000 pixels as PNG.*5000 x 4001"):
        load_image(png_header(5000, 4001))
    monkeypatch.setattr(guards, "MAX_PIXELS", 600)
    assert load_image(encode(Image.fromarray(picture(20, 30)))).max() == 1.0
    with pytest.raises(ImageError, match="30 x 21"):
        load_image(encode(Image.fromarray(picture(21, 30))))


@pytest.mark.parametrize("side", [10_000, 13_000, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(side: int) -> None:
    # Pillow says nothing of the first, warns of the second, and raises for the third.
    with pytest.raises(ImageError, match=r"at most 20,000,000 pixels") as caught:
        load_image(png_header(side, side))
    assert caught.value.kind == "too-large"
