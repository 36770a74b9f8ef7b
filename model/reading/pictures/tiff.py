"""What Pillow gets wrong of TIFF: kinds of numbers, which end is white, planes, and pages."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from model.reading.errors import ImageError

_ORDERS = {b"II*\0": "little", b"MM\0*": "big"}
_BITS, _COMPRESSION, _INTERPRETATION, _OFFSETS = 258, 259, 262, 273
_SAMPLES, _COUNTS, _PLANES, _TILE_WIDTH, _FORMAT = 277, 279, 284, 322, 339
_UNSIGNED, _SIGNED = (1,), (2,)
_WHITE_IS_ZERO, _APART, _UNCOMPRESSED = 0, 2, 1
_PILLOW_TURNS = ("1", "L", "P")  # modes of few bits, in which Pillow makes white the largest itself

# Kinds that Pillow can unpack and does not know in TIFF: byte order, which end is white, format,
# and bits; mode and raw mode. Those of unsigned numbers in 32 bits are put right by `stored_kind`.
for _key, _mode in {
    (b"MM", 0, 1, 16): ("I;16B", "I;16B"),
    (b"II", 0, 2, 16): ("I", "I;16S"),
    (b"MM", 0, 2, 16): ("I", "I;16BS"),
    (b"MM", 1, 2, 16): ("I", "I;16BS"),
    (b"II", 0, 1, 32): ("I", "I;32S"),
    (b"MM", 0, 1, 32): ("I", "I;32BS"),
    (b"MM", 1, 1, 32): ("I", "I;32BS"),
    (b"II", 0, 2, 32): ("I", "I;32S"),
    (b"MM", 0, 2, 32): ("I", "I;32BS"),
    (b"II", 1, 3, 64): ("F", "F;64F"),
    (b"MM", 1, 3, 64): ("F", "F;64BF"),
}.items():
    _order, _white, _kind, _size = _key
    TiffImagePlugin.OPEN_INFO.setdefault((_order, _white, (_kind,), 1, (_size,), ()), _mode)


def has_pages(content: bytes) -> bool:
    """Whether a file is a TIFF of more than one page, by what its first says of the next."""
    order = _ORDERS.get(content[:4])
    if order is None:
        return False

    def number(place: int, size: int) -> int:
        return int.from_bytes(content[place : place + size], order)  # type: ignore[arg-type]

    first = number(4, 4)
    return number(first + 2 + 12 * number(first, 2), 4) > 0


def stored_kind(image: Image.Image) -> np.dtype[Any] | None:
    """The numbers that a loaded picture's bytes really are, where Pillow takes them for others."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    kind = (image.mode, image.tag_v2.get(_FORMAT, _UNSIGNED))
    unsigned, signed = ("I", _UNSIGNED), ("L", _SIGNED)
    if kind == unsigned and image.tag_v2.get(_BITS) == (32,):
        return np.dtype(np.uint32)
    return np.dtype(np.int8) if kind == signed else None


def is_inverted(image: Image.Image) -> bool:
    """Whether large numbers are dark, and Pillow leaves them so."""
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(_INTERPRETATION) == _WHITE_IS_ZERO
        and image.mode not in _PILLOW_TURNS
    )


def planes_apart(image: Image.Image, content: bytes) -> NDArray[np.float32] | None:
    """The luminance of 16-bit colours that are stored plane by plane, which Pillow reads as noise.

    Args:
        image: Opened, not loaded, its size checked.
        content: Its file.

    Returns:
        float32 (height, width); None for what Pillow reads.

    Raises:
        ImageError: It is stored in another way than uncompressed and in strips, or cut off.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    tags, bits = image.tag_v2, image.tag_v2.get(_BITS, (1,))
    if tags.get(_PLANES) != _APART or tags.get(_SAMPLES, 1) < 3 or max(bits) <= 8:
        return None
    if (
        tags.get(_COMPRESSION, _UNCOMPRESSED) != _UNCOMPRESSED
        or _TILE_WIDTH in tags
        or set(bits) != {16}
        or set(tags.get(_FORMAT, _UNSIGNED)) != {1}
    ):
        raise ImageError(
            "`image` must be a TIFF whose colours lie side by side, or apart in 16 bits, without "
            "compression and in strips; save it as PNG. Received: one of colours apart in another "
            "way",
            kind="unsupported-format",
        )
    width, height = image.size
    strips = list(zip(tags.get(_OFFSETS, ()), tags.get(_COUNTS, ()), strict=False))
    each = math.ceil(len(strips) / tags[_SAMPLES])
    grey = np.zeros((height, width), np.float32)
    for plane, weight in enumerate((0.299, 0.587, 0.114)):
        values = _joined(content, strips[plane * each : (plane + 1) * each], 2 * width * height)
        order = "<" if content[:2] == b"II" else ">"
        grey += np.float32(weight) * np.frombuffer(values, f"{order}u2").reshape(height, width)
    return grey


def _joined(content: bytes, strips: list[tuple[int, int]], size: int) -> bytearray:
    found = bytearray()
    for offset, count in strips:
        found += content[offset : offset + min(count, size - len(found))]
    if len(found) < size:
        raise ImageError(
            f"`image` could not be decoded. Received: a TIFF of {len(found):,} bytes for a plane "
            f"of {size:,}"
        )
    return found
