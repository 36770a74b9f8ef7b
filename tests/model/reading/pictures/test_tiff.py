"""TIFF: the kinds of numbers that Pillow takes for others, planes, transparency and stacks."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.reading.errors import ImageError
from model.reading.open_scan import has_slices, read_scan
from model.reading.pictures.picture import Picture, Stack, decode
from tests.hostile.case import encode

RAMP = np.arange(16).reshape(4, 4)


def tiff(pixels: NDArray[Any], *, order: str = "<", **tags: int | tuple[int, ...]) -> bytes:
    """An uncompressed TIFF of a strip for each plane; tags by their number, such as `t262`."""
    planes = pixels if pixels.ndim == 3 else pixels[np.newaxis]
    size = pixels.dtype.itemsize
    data = [plane.astype(pixels.dtype.newbyteorder(order)).tobytes() for plane in planes]
    starts = [8 + sum(map(len, data[:k])) for k in range(len(data))]
    entries: dict[int, int | tuple[int, ...]] = {
        256: pixels.shape[-1], 257: pixels.shape[-2], 258: (8 * size,) * len(planes), 259: 1,
        262: 1, 273: tuple(starts), 277: len(planes), 278: pixels.shape[-2],
        279: tuple(map(len, data)), **{int(name[1:]): value for name, value in tags.items()},
    }  # fmt: skip
    place = 8 + sum(map(len, data))
    extra, table = b"", b""
    behind = place + 2 + 12 * len(entries) + 4
    for tag, value in sorted(entries.items()):
        values = value if isinstance(value, tuple) else (value,)
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, extra = struct.pack(f"{order}I", behind + len(extra)), extra + packed
        table += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, place)
    count = struct.pack(f"{order}H", len(entries))
    return head + b"".join(data) + count + table + bytes(4) + extra


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "i2", "i4", "f4"])
def test_white_may_be_zero_in_any_kind_of_number(order: str, kind: str) -> None:
    tags = {"t262": 0, "t339": {"u": 1, "i": 2, "f": 3}[kind[0]]}
    pixels = decode(tiff((RAMP * 10).astype(kind), order=order, **tags))
    assert (pixels - pixels.min()).tolist() == (150 - RAMP * 10).tolist()


@pytest.mark.parametrize("order", ["<", ">"])
def test_unsigned_numbers_of_32_bits(order: str) -> None:
    values = (RAMP * 285_000_000).astype(np.uint32)
    assert decode(tiff(values, order=order)).tolist() == values.astype(np.float32).tolist()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "tag"), [("i2", 2), ("i4", 2), ("f4", 3), ("f8", 3)])
def test_signed_numbers_and_fractions(order: str, kind: str, tag: int) -> None:
    values = (RAMP * 10 - 80).astype(kind)
    assert decode(tiff(values, order=order, t339=tag)).tolist() == values.tolist()


def test_signed_numbers_of_8_bits() -> None:
    values = (RAMP * 10 - 80).astype(np.int8)
    assert decode(tiff(values, t339=2)).tolist() == values.tolist()


@pytest.mark.parametrize("order", ["<", ">"])
def test_colours_of_16_bits_plane_by_plane(order: str) -> None:
    colours = np.stack([RAMP * 1000, RAMP * 0, RAMP[::-1] * 2000]).astype(np.uint16)
    pixels = decode(tiff(colours, order=order, t262=2, t284=2))
    expected = 299 * RAMP + 228 * RAMP[::-1]
    assert pixels == pytest.approx(expected, rel=1e-5, abs=1e-2)


def test_planes_that_cannot_be_read_are_named() -> None:
    colours = np.stack([RAMP, RAMP, RAMP]).astype(np.uint16)
    with pytest.raises(ImageError, match=r"save it as PNG. Received: one of colours apart"):
        decode(tiff(colours, t262=2, t284=2, t259=8))
    with pytest.raises(ImageError, match=r"could not be decoded. Received: a TIFF of 8 bytes"):
        decode(tiff(colours, t262=2, t284=2, t279=(8, 32, 32)))


def test_grey_with_associated_alpha_is_what_is_seen_over_black() -> None:
    pair = np.stack([RAMP, np.full((4, 4), 128)], axis=-1).astype(np.uint8)  # multiplied already
    content = tiff(pair.reshape(4, 8), t256=4, t258=(8, 8), t277=2, t338=1)
    assert Image.open(io.BytesIO(content)).mode == "La"
    assert decode(content).tolist() == RAMP.tolist()


def test_numbers_that_are_none_are_background() -> None:
    values = RAMP.astype(np.float32) + 1
    values[0, :2] = np.nan, -np.inf
    expected = [[3, 3, 3, 4], *(RAMP[1:] + 1).tolist()]
    assert decode(tiff(values, t339=3)).tolist() == expected
    with pytest.raises(ImageError, match="must have finite values"):
        decode(tiff(np.full((4, 4), np.nan, np.float32), t339=3))


def stack(pages: list[NDArray[Any]], **options: Any) -> bytes:
    first, *others = (Image.fromarray(page) for page in pages)
    return encode(first, "TIFF", save_all=True, append_images=others, **options)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_the_pages_of_a_stack_are_its_slices(kind: type[np.generic]) -> None:
    pages = [(RAMP + 16 * k).astype(kind) for k in range(5)]
    content = stack(pages)
    assert has_slices(content)
    scan = read_scan(content)
    assert isinstance(scan, Stack)
    assert (scan.kind, scan.frames, scan.planes) == ("image", 5, {})
    for index in (4, 0, 2):
        assert scan.pixels(None, index).tolist() == pages[index].tolist()


def test_a_tiff_of_one_page_is_a_picture() -> None:
    content = stack([RAMP.astype(np.uint8)])
    assert not has_slices(content)
    assert isinstance(read_scan(content), Picture)


def test_pages_of_several_sizes_are_refused() -> None:
    scan = read_scan(stack([RAMP.astype(np.uint8), np.zeros((2, 2), np.uint8)]))
    assert scan.pixels(None, 0).tolist() == RAMP.tolist()
    with pytest.raises(ImageError, match=r"pages of one size.*\(4, 4\) and \(2, 2\)"):
        scan.pixels(None, 1)


@pytest.mark.parametrize(
    "content", [b"II*\0", b"II*\0\x08\0\0\0\xff\xff", b"MM\0*\xff\xff\xff\xff"]
)
def test_what_only_begins_as_a_stack_is_damage(content: bytes) -> None:
    assert not has_slices(content)
    with pytest.raises(ImageError):
        read_scan(content)
