"""HEIC files, as phones write them: a picture, and one of tiles that a grid puts together."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray


def heic(pixels: NDArray[Any], **options: Any) -> bytes:
    """Encodes grey (height, width), colour (…, 3) or colour and alpha (…, 4).

    Args:
        pixels: uint8; grey may be uint16, of which 10 bits are kept.
        **options: For pillow-heif.
    """
    mode = "L" if pixels.ndim == 2 else {3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    mode = "I;16" if pixels.dtype == np.uint16 else mode
    buffer = io.BytesIO()
    options = {"quality": 90, "enc_params": {"preset": "ultrafast"}} | options
    size = pixels.shape[1], pixels.shape[0]
    pillow_heif.encode(mode, size, np.ascontiguousarray(pixels).tobytes(), buffer, **options)
    return buffer.getvalue()


def grid(tile: NDArray[np.uint8], columns: int, rows: int, width: int, height: int) -> bytes:
    """A picture of a tile (sides of 64, 128, …) again and again, stored as often."""
    single = heic(tile)
    properties, stream = _content(single, b"hvcC"), _content(single, b"mdat")
    tiles = range(1, columns * rows + 1)
    whole = len(tiles) + 1
    shape = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    sizes = [_box(b"ispe", bytes(4), struct.pack(">II", *size))
             for size in ((tile.shape[1], tile.shape[0]), (width, height))]  # fmt: skip
    kinds = [(item, b"hvc1") for item in tiles] + [(whole, b"grid")]
    names = [_box(b"infe", b"\2\0\0\0", struct.pack(">HH4sx", item, 0, kind))
             for item, kind in kinds]  # fmt: skip
    owned = struct.pack(">I", whole) + b"".join(
        struct.pack(">HBBB", item, 2, 0x81, 2) for item in tiles
    )

    def meta(start: int) -> bytes:
        extents = [(item, 0, start + k * len(stream), len(stream)) for k, item in enumerate(tiles)]
        extents.append((whole, 1, 0, len(shape)))
        places = struct.pack(">HH", 0x4400, whole) + b"".join(
            struct.pack(">HHHHII", item, method, 0, 1, offset, length)
            for item, method, offset, length in extents
        )
        references = struct.pack(f">HH{len(tiles)}H", whole, len(tiles), *tiles)
        return _box(
            b"meta", bytes(4), _box(b"hdlr", bytes(8), b"pict", bytes(13)),
            _box(b"pitm", bytes(4), struct.pack(">H", whole)),
            _box(b"iinf", bytes(4), struct.pack(">H", whole), *names),
            _box(b"iloc", b"\1\0\0\0", places), _box(b"idat", shape),
            _box(b"iref", bytes(4), _box(b"dimg", references)),
            _box(b"iprp", _box(b"ipco", _box(b"hvcC", properties), *sizes),
                 _box(b"ipma", bytes(4), owned, struct.pack(">HBB", whole, 1, 3))),
        )  # fmt: skip

    head = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", stream * len(tiles))


def _box(name: bytes, *content: bytes) -> bytes:
    joined = b"".join(content)
    return struct.pack(">I4s", 8 + len(joined), name) + joined


def _content(file: bytes, name: bytes) -> bytes:
    place = file.index(name)
    return file[place + 4 : place - 4 + int.from_bytes(file[place - 4 : place])]
