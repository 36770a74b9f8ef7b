"""NIfTI pairs, a header (.hdr) and its voxels (.img), as the single file that they are together."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

from model.reading.errors import ImageError
from model.reading.marks import GZIP

_HEADER = re.compile(r"\.hdr(\.gz)?$", re.IGNORECASE)
_VOXELS = re.compile(r"\.img(\.gz)?$", re.IGNORECASE)
_LAYOUTS = (  # place of the mark, the mark of a pair and of a single file; size; offset of voxels
    (344, b"ni1\0", b"n+1\0", 348, 108, "f"),
    (4, b"ni2\0", b"n+2\0", 540, 168, "q"),
)
VOXELS_ALONE = ImageError(
    "`file` must be a single NIfTI file, or a pair sent together. Received: a file named as the "
    "voxels (.img) of a pair, without its header (.hdr)",
    kind="unsupported-format",
)
_EXTENSION = bytes(4)  # behind a single file's header: none


def pair_stem(name: str) -> str | None:
    """What a header and its voxels have in common in their names; None for other files."""
    for ending in (_HEADER, _VOXELS):
        if ending.search(name):
            return ending.sub("", name)
    return None


def is_voxels(name: str) -> bool:
    """Whether a file is the second of a pair by its name."""
    return _VOXELS.search(name) is not None


def joined(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Files with each pair as one, named after its header.

    Args:
        files: Names and contents.

    Yields:
        Names and contents; a header or voxels without the other stay as they are.
    """
    waiting: dict[str, tuple[str, bytes]] = {}
    for name, content in files:
        stem = pair_stem(name)
        if stem is None:
            yield name, content
        elif stem not in waiting:
            waiting[stem] = name, content
        else:
            one, other = waiting.pop(stem), (name, content)
            header, voxels = (other, one) if is_voxels(one[0]) else (one, other)
            whole = join(header[1], voxels[1])
            yield from [one, other] if whole is None else [(header[0], whole)]
    yield from waiting.values()


def join(header: bytes, voxels: bytes) -> bytes | None:
    """A single NIfTI file of a pair; None where the header is of no pair.

    Args:
        header: Of the pair; may be gzipped, as the voxels may be.
        voxels: Of the pair.
    """
    if header.startswith(GZIP):
        try:
            header = zlib.decompressobj(wbits=31).decompress(header, 1024)
        except zlib.error:
            return None
    for place, pair, single, size, offset, form in _LAYOUTS:
        if header[place : place + 4] != pair or len(header) < size:
            continue
        order = "<" if int.from_bytes(header[:4], "little") == size else ">"
        start = size + len(_EXTENSION)
        head = bytearray(header[:size] + _EXTENSION)
        head[place : place + 4] = single
        (inside,) = struct.unpack_from(order + form, head, offset)
        try:
            struct.pack_into(order + form, head, offset, inside + start)
        except (OverflowError, struct.error):
            return None
        # Gzipped files one behind the other are one gzipped file.
        return (gzip.compress(head, mtime=0) if voxels.startswith(GZIP) else bytes(head)) + voxels
    return None
