"""Pictures: one grey channel at its own size and bit depth, with Pillow; HEIC with libheif.

Decodes after `model.reading.pictures.guards` has checked format, size and number of frames.
Transparency is shown over black, and pictures are turned as EXIF says. Those of more than
`MAX_KEPT` pixels are reduced to about as many.
"""

from __future__ import annotations

import os
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from model.reading.errors import ImageError
from model.reading.pictures.framing import doubt_of
from model.reading.pictures.guards import (
    MAX_COUNTED_FRAMES,
    MAX_PIXELS,
    bounded,
    check_picture,
    count_frames,
    draft,
    grey,
    load,
    upright,
)
from model.reading.pictures.heif import NAME as HEIC
from model.reading.pictures.heif import decode_heif, is_heif
from model.reading.pictures.tiff import is_inverted, planes_apart
from model.reading.scan import Scan, check_size, without_gaps

_PILLOWS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000")
FORMATS = (*_PILLOWS, HEIC)
ORIENTATION = ExifTags.Base.Orientation
DAMAGE = (  # what Pillow raises for broken files, by format and by where they are broken
    ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError, TypeError,
    ValueError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
_NAME = "the upload"
_FOREIGN = (  # how files begin that people take for one of these, and what to do with them
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive; unpack it and send the files in it"),
    (rb"%PDF", "PDF; save its picture as PNG"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg", "SVG; save it as PNG"),
    (rb"\s*<(!doctype html|html|script)", "a web page; save its picture itself"),
    (rb".{257}ustar", "a tar archive; unpack it and send the files in it"),
)


class Picture(Scan):
    """A file that Pillow reads, or a HEIC."""

    kind = "image"
    frames = 1

    def __init__(self, content: bytes) -> None:
        self.planes = {}
        try:
            self._pixels = decode(content)
            self.doubt = doubt_of(self._pixels)
        except ImageError as error:
            if error.kind != "unsupported-format":
                raise
            raise ImageError(
                f"`file` must be one of {', '.join((*FORMATS, 'DICOM'))} and NIfTI, or a gzipped "
                f"NIfTI. Received: {len(content):,} bytes of {_known(content) or 'none of these'}",
                kind=error.kind,
            ) from None

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        return self._pixels


class Stack(Scan):
    """A TIFF of several pages of one size, such as ImageJ's: they are its slices."""

    kind = "image"

    def __init__(self, content: bytes) -> None:
        self.planes, self._content = {}, content
        with _refusing(_NAME):
            self._image = Image.open(bounded(content, _NAME), formats=("TIFF",))
            check_picture(self._image, content, _NAME, paged=True)
            self._size, self.frames = self._image.size, count_frames(self._image)
        if self.frames > MAX_COUNTED_FRAMES:
            raise ImageError(
                f"`image` must have at most {MAX_COUNTED_FRAMES:,} pages as TIFF. Received: "
                f"{_NAME} with more than {MAX_COUNTED_FRAMES:,} pages"
            )
        check_size(self._size[1], self._size[0], self.frames)

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        with _refusing(_NAME):
            self._image.seek(index)
            if self._image.size != self._size:
                raise ImageError(
                    "`image` must have pages of one size as TIFF, as the slices of a stack have; "
                    "save the one to be read as a file of its own. Received: "
                    f"{_NAME} with {self._size} and {self._image.size}"
                )
            check_picture(self._image, self._content, _NAME, paged=True)
            return _pixels(self._image, self._content)


def decode(source: bytes | str | os.PathLike[str] | BinaryIO) -> NDArray[np.float32]:
    """Decodes an image to one grey channel at its own size and bit depth.

    Returns:
        float32 array (height, width) in the file's own units (0 to 255 for 8-bit files).

    Raises:
        ImageError: Not an image of a supported format, damaged, or too large.
        FileNotFoundError: `source` is a path and there is no such file.
    """
    name = Path(source).name if isinstance(source, (str, os.PathLike)) else _NAME
    with _refusing(name):
        content = _content(source)
        if is_heif(content):
            return decode_heif(content, name)
        with Image.open(bounded(content, name), formats=_PILLOWS) as image:
            check_picture(image, content, name)
            return _pixels(image, content)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Turns what Pillow raises into an error of ours.

    Raises:
        ImageError: What is in the block fails.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damage that the pixels do not depend on
            yield
    except (FileNotFoundError, ImageError):
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"`image` must be one of {', '.join(FORMATS)}. Received: {name}, which is none of them",
            kind="unsupported-format",
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"`image` must have at most {MAX_PIXELS:,} pixels. "
            f"Received: {name} with many times that",
            kind="too-large",
        ) from None
    except DAMAGE as error:
        raise ImageError(
            f"`image` could not be decoded. Received: {name} ({str(error).strip()})"
        ) from error


def _pixels(image: Image.Image, content: bytes) -> NDArray[np.float32]:
    """An opened and checked picture in grey, upright."""
    pixels = planes_apart(image, content)
    if pixels is None:
        draft(image)
        load(image)
        pixels = grey(image)
    pixels = without_gaps(pixels)
    if is_inverted(image):
        pixels = pixels.max() + pixels.min() - pixels
    return upright(pixels, image.getexif().get(ORIENTATION))


def _known(content: bytes) -> str | None:
    """What a file that cannot be read is, where that helps."""
    head = content[:1024]
    for start, advice in _FOREIGN:
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            return advice
    return None


def _content(source: bytes | str | os.PathLike[str] | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, (str, os.PathLike)):
        return Path(source).read_bytes()
    return source.read()
