"""HEIC, the pictures of phones, as one grey channel: decoded by libheif, by way of pi-heif.

The whole picture is held once, in 8 bits a channel; turns and mirrors are applied. Of several
pictures in a file the primary one is read, which is the one that viewers show.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.reading.errors import ImageError
from model.reading.pictures.guards import MAX_PIXELS_OF, reduced
from model.reading.pictures.heif_boxes import brands, items

NAME = "HEIC"
_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF = frozenset({b"avif", b"avis"})
_MAX_REPEATS = 2
"""Times the pixels of a picture that its tiles have, and a file's bytes that its items have."""


def is_heif(content: bytes) -> bool:
    """Whether a file is HEIC; AVIF lies in the same container and is Pillow's."""
    found = brands(content)
    return bool(found & _BRANDS) and not found & _AVIF


def decode_heif(content: bytes, name: str) -> NDArray[np.float32]:
    """One grey channel; pictures of more than `MAX_KEPT` pixels are reduced to about as many.

    Args:
        content: The file.
        name: What the message calls it.

    Raises:
        ImageError: It is too large, or takes more than its size explains.
        Exception: One of `model.reading.pictures.picture.DAMAGE`: it cannot be decoded.
    """
    _check_items(content, name)
    import pi_heif

    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    file = pi_heif.open_heif(content)
    picture = file[file.primary_index]
    if picture.has_alpha or picture.info["bit_depth"] > 8:
        most = MAX_PIXELS_OF[NAME] // 2
        _check(picture.size[0] * picture.size[1], most, f"{NAME} in more than 24 bits", name)
    picture.load()
    width, height = picture.size
    data, stride, mode = memoryview(picture.data), picture.stride, picture.mode

    def strip(top: int, bottom: int) -> Image.Image:
        rows = data[top * stride : bottom * stride]
        return Image.frombytes(mode, (width, bottom - top), rows, "raw", mode, stride)

    return reduced((width, height), strip)


def _check_items(content: bytes, name: str) -> None:
    try:
        found = items(content)
        work = found.work()
    except (IndexError, struct.error, ValueError) as error:
        raise ImageError(
            f"`image` could not be decoded. Received: {name}, a {NAME} whose list of items is cut "
            "off or makes no sense"
        ) from error
    most, size = MAX_PIXELS_OF[NAME], len(content)
    _check(max(found.pixels.values(), default=0), most, NAME, name)
    _check(work, _MAX_REPEATS * most, f"tiles of a {NAME}", name)
    if found.stored > _MAX_REPEATS * size:
        raise ImageError(
            f"`image` could not be decoded. Received: {name}, a {NAME} of {size:,} bytes whose "
            f"items have {found.stored:,}: it is cut off, or they overlap"
        )


def _check(pixels: int, most: int, what: str, name: str) -> None:
    if pixels > most:
        raise ImageError(
            f"`image` must have at most {most:,} pixels as {what}. Received: {name} with "
            f"{pixels:,} pixels",
            kind="too-large",
        )
