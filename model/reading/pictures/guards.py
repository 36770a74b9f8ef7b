"""Pictures within bounds of memory and time: what is checked between header and pixels.

Data contract: an opened Pillow image in; one grey channel, float32 (height, width), out. Pillow
itself looks at the number of pixels alone, and reads an animation as its first frame.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image, JpegImagePlugin, TiffImagePlugin, WebPImagePlugin

from model.reading.bounded import BoundedReads
from model.reading.errors import ImageError
from model.reading.pictures.tiff import stored_kind

MAX_PIXELS = 20_000_000
MAX_PIXELS_OF = {
    "JPEG": 50_000_000, "MPO": 50_000_000, "TIFF": 10_000_000, "WEBP": 4096 * 2160,
    "AVIF": 4096 * 2160, "JPEG2000": 2048 * 2048, "HEIC": MAX_PIXELS,
}  # fmt: skip
"""JPEGs are read at a fraction of their size; of the others Pillow holds several copies."""
MAX_PICTURE_SIDE = 65_535
"""A JPEG's longest."""
MAX_KEPT = 2048 * 2048
"""Pixels that a larger picture is reduced to: many times what the network sees."""

MAX_JPEG_SCANS = 100
"""Progressive files have about ten; each of them costs as much time as the whole picture."""
MAX_COEFFICIENT_BYTES = 64 * 2**20
"""Of a JPEG in several scans, whose coefficients libjpeg holds until the last one."""
MAX_READS = 400_000
"""Of a picture's file. A GIF of 32 MB takes 260,000."""
MAX_EXIF_PIECES = 100
"""Of a JPEG. Pillow copies those before for each: time grows with the square of their number."""
_MAX_JPEG_MARKERS = 10_000
MAX_COUNTED_FRAMES = 1000

_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")  # those that a length follows, and the end
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_START_OF_SCAN, _END = 0xDA, 0xD9
_STRIP_PIXELS = 2**18


def bounded(content: bytes, name: str) -> BoundedReads:
    """A picture's file, to be opened.

    Raises:
        ImageError: Also from reading it: it has more pieces than pictures have.
    """
    advice = "pieces; save it again as an ordinary PNG or JPEG. Received:"
    if content.startswith(b"\xff\xd8"):
        pieces = content.count(b"Exif\0\0")
        if pieces > MAX_EXIF_PIECES:
            raise ImageError(
                f"`image` must have EXIF in at most {MAX_EXIF_PIECES} {advice} {name} with "
                f"{pieces:,}"
            )
    complaint = f"`image` must have at most {MAX_READS:,} {advice} {name} with more"
    return BoundedReads(content, MAX_READS, complaint)


def check_picture(image: Image.Image, content: bytes, name: str, *, paged: bool = False) -> None:
    """Refuses what is too large to decode, or more than one picture.

    Args:
        image: Opened, not loaded.
        content: Its file.
        name: What the message calls it.
        paged: Whether a TIFF may have more pages.

    Raises:
        ImageError: As said.
    """
    width, height = image.size
    most = MAX_PIXELS_OF.get(image.format or "", MAX_PIXELS)
    if width * height > most or max(width, height) > MAX_PICTURE_SIDE:
        raise ImageError(
            f"`image` must have at most {most:,} pixels as {image.format}, and "
            f"{MAX_PICTURE_SIDE:,} on a side. Received: {name} with {width} x {height}",
            kind="too-large",
        )
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiles(image, name)
    # The further pictures of a phone's MPO are its depth or a smaller copy: viewers show the first.
    # A TIFF's pages are read as slices.
    if image.format != "MPO" and not (paged and image.format == "TIFF"):
        _check_single(image, name)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        check_jpeg(image, content, name)


def _check_single(image: Image.Image, name: str) -> None:
    if not getattr(image, "is_animated", False):
        return
    count = count_frames(image)
    several = f"more than {MAX_COUNTED_FRAMES:,}" if count > MAX_COUNTED_FRAMES else f"{count:,}"
    what = "pages" if image.format == "TIFF" else "frames"
    raise ImageError(
        f"`image` must be a single picture; save the one to be read as a file of its own. "
        f"Received: {name}, a {image.format} of {several} {what}"
    )


def count_frames(image: Image.Image) -> int:
    """Number of frames, counted no further than one past `MAX_COUNTED_FRAMES`."""
    if isinstance(image, GifImagePlugin.GifImageFile | TiffImagePlugin.TiffImageFile):
        count = image.tell() + 1
        try:
            while count <= MAX_COUNTED_FRAMES:
                if isinstance(image, GifImagePlugin.GifImageFile):
                    image._seek(count, False)  # as its own `n_frames`: without decoding
                else:
                    image.seek(count)
                count += 1
        except EOFError:
            pass
        return count
    return int(getattr(image, "n_frames", 1))  # stands in the header of the others


def _check_tiles(image: TiffImagePlugin.TiffImageFile, name: str) -> None:
    """libtiff makes room for a whole tile, whatever the size of the picture."""
    across, down = (int(image.tag_v2.get(tag) or 0) for tag in (322, 323))
    if across * down > MAX_PIXELS_OF["TIFF"]:
        raise ImageError(
            f"`image` must have tiles of at most {MAX_PIXELS_OF['TIFF']:,} pixels. "
            f"Received: {name} with tiles of {across} x {down}",
            kind="too-large",
        )


def check_jpeg(image: JpegImagePlugin.JpegImageFile, content: bytes, name: str) -> None:
    """Refuses a JPEG that takes too long or too much memory for its size.

    Args:
        image: Opened, not loaded.
        content: Its file.
        name: What the message calls it.

    Raises:
        ImageError: As said.
    """
    scans, buffered = _scans(content)
    if scans > MAX_JPEG_SCANS:
        raise ImageError(
            f"`image` must have at most {MAX_JPEG_SCANS} scans as JPEG; save it again as an "
            f"ordinary one. Received: {name} with more"
        )
    width, height = image.size
    layers = image.layer  # (id, horizontal and vertical sampling, table) of each component
    full = max(h for _, h, _, _ in layers) * max(v for _, _, v, _ in layers)
    held = 2 * sum(width * height * h * v // max(full, 1) for _, h, v, _ in layers)
    if buffered and held > MAX_COEFFICIENT_BYTES:
        raise ImageError(
            f"`image` must be smaller, or saved as a baseline JPEG: progressive ones take "
            f"{MAX_COEFFICIENT_BYTES // 2**20} MiB of coefficients at most. Received: {name} with "
            f"{width} x {height} pixels and {held // 2**20} MiB",
            kind="too-large",
        )


def _scans(content: bytes) -> tuple[int, bool]:
    """How many scans a JPEG has, one more than allowed at most, and whether libjpeg holds them."""
    place, scans, components, progressive, buffered = 2, 0, 0, False, False
    for _ in range(_MAX_JPEG_MARKERS):
        found = _MARKER.search(content, place)
        if found is None or content[found.start() + 1] == _END:
            return scans, buffered
        code, start = content[found.start() + 1], found.end()
        if code in _START_OF_FRAME:
            progressive = code in _PROGRESSIVE
            components = int.from_bytes(content[start + 7 : start + 8])
        elif code == _START_OF_SCAN:
            scans += 1
            buffered |= progressive or components > int.from_bytes(content[start + 2 : start + 3])
            if scans > MAX_JPEG_SCANS:
                return scans, buffered
        place = start + max(2, int.from_bytes(content[start : start + 2]))
    return MAX_JPEG_SCANS + 1, buffered  # nothing but markers


def reduction(size: tuple[int, int]) -> int:
    """By how much a picture's sides are divided so that `MAX_KEPT` pixels are left."""
    width, height = size
    return math.ceil(math.sqrt(width * height / MAX_KEPT)) or 1


def draft(image: Image.Image) -> None:
    """Lets libjpeg decode a large JPEG at a half, a quarter or an eighth of its size."""
    factor = reduction(image.size)
    if factor > 1:
        image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))


def load(image: Image.Image) -> None:
    """Decodes a picture. WebP's decoder holds it twice in colour, and goes before Pillow's copy."""
    if not isinstance(image, WebPImagePlugin.WebPImageFile):
        image.load()
        return
    following = image._get_next

    def last() -> Any:
        found = following()
        image._decoder = None
        return found

    image._get_next = last  # type: ignore[method-assign]
    try:
        image.load()
    finally:
        del image._get_next  # it leads back to the picture, which such a circle would keep


def grey(image: Image.Image) -> NDArray[np.float32]:
    """One grey channel of a loaded image; large ones are reduced to about `MAX_KEPT` pixels."""
    kind = stored_kind(image)
    if reduction(image.size) == 1:
        return _grey(image, kind)
    return reduced(image.size, lambda top, bottom: image.crop((0, top, image.width, bottom)), kind)


def reduced(
    size: tuple[int, int],
    strip: Callable[[int, int], Image.Image],
    kind: np.dtype[Any] | None = None,
) -> NDArray[np.float32]:
    """One grey channel of a picture that is given row by row.

    Args:
        size: Width and height.
        strip: Gives the rows from one up to another.
        kind: The numbers that its bytes really are, where Pillow takes them for others.

    Returns:
        float32 (height, width), or reduced to about `MAX_KEPT` pixels.
    """
    width, height = size
    factor = reduction(size)
    kept = np.empty((math.ceil(height / factor), math.ceil(width / factor)), np.float32)
    rows = max(1, _STRIP_PIXELS // width // factor) * factor
    for top in range(0, height, rows):  # strips: grey in float32 is as large as the picture itself
        found = _grey(strip(top, min(top + rows, height)), kind)
        small = found if factor == 1 else np.asarray(Image.fromarray(found).reduce(factor))
        kept[top // factor : top // factor + len(small)] = small
    return kept


def _grey(image: Image.Image, kind: np.dtype[Any] | None = None) -> NDArray[np.float32]:
    if kind is not None:
        return np.asarray(image).view(kind).astype(np.float32)
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        # `convert("L")` would clip these at 255.
        return np.asarray(image, dtype=np.float32)
    if image.mode == "La":  # multiplied by its alpha already, which is what is seen over black
        return np.asarray(image.getchannel("L"), dtype=np.float32)
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return np.asarray(image.convert("L"), dtype=np.float32)


def upright(pixels: NDArray[np.float32], orientation: object) -> NDArray[np.float32]:
    """Turns a grey picture as its EXIF orientation says; an unknown value changes nothing."""
    turned: dict[int, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        2: np.fliplr,
        3: lambda p: np.rot90(p, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p, 2).T,
        8: np.rot90,
    }
    turn = turned.get(orientation) if isinstance(orientation, int) else None
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))
