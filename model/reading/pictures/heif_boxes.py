"""What a HEIC file says of its items, before libheif reads them.

libheif bounds sizes and numbers; yet a grid may name one large tile thousands of times, and a
thousand items may be the same bytes: small files that take hours and gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_FULL = 4  # bytes of version and flags
_MAX_BYTES = 2**20  # of what is said of the items: phones write some thousand
_MAX_BOXES = 100_000
_MAX_DEPTH = 4  # pictures made of pictures


@dataclass
class Items:
    """The items of a file, by their number.

    Attributes:
        pixels: As their properties say.
        parts: The items that one is made of, such as the tiles of a grid, each as often as named.
        stored: Bytes of all items together, each counted however they overlap.
    """

    pixels: dict[int, int] = field(default_factory=dict)
    parts: dict[int, list[int]] = field(default_factory=dict)
    stored: int = 0

    def work(self) -> int:
        """Pixels of the parts that are decoded for the most laborious item; 0 without any.

        Raises:
            ValueError: One is made of too many layers, or of itself.
        """
        found = dict(self.pixels)
        for _ in range(_MAX_DEPTH):
            deeper = self._of_parts(found)
            found |= deeper
        if self._of_parts(found) != deeper:
            raise ValueError(f"pictures made of pictures, more than {_MAX_DEPTH} deep")
        return max(deeper.values(), default=0)

    def _of_parts(self, found: dict[int, int]) -> dict[int, int]:
        return {
            item: sum(found.get(part, 0) for part in parts) for item, parts in self.parts.items()
        }


def brands(content: bytes) -> set[bytes]:
    """What a file calls itself: the major brand and those it is compatible with."""
    if content[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(content[:4]), 1024)
    return {content[8:12]} | {content[k : k + 4] for k in range(16, end - 3, 4)}


def items(content: bytes) -> Items:
    """Reads the boxes that say of what a file consists.

    Raises:
        struct.error, ValueError: They are cut off, or make no sense.
    """
    found, sizes, owned = Items(), list[int](), dict[int, list[int]]()
    for meta in list(_inside(memoryview(content), b"meta"))[:1]:
        if len(meta) > _MAX_BYTES:
            raise ValueError(f"{len(meta):,} bytes about its items")
        inner = meta[_FULL:]
        for locations in _inside(inner, b"iloc"):
            found.stored += _stored(locations)
        for references in _inside(inner, b"iref"):
            wide = references[0] > 0
            for reference in _inside(references[_FULL:], b"dimg"):
                item, *parts = _numbers(reference, wide)
                found.parts.setdefault(item, []).extend(parts)
        for properties in _inside(inner, b"iprp"):
            for values in _inside(properties, b"ipco"):
                sizes += [_area(kind, value) for kind, value in _boxes(values)]
            for associations in _inside(properties, b"ipma"):
                for item, places in _associations(associations):
                    owned.setdefault(item, []).extend(places)
    for item, places in owned.items():
        areas = [sizes[place - 1] for place in places if 0 < place <= len(sizes)]
        found.pixels[item] = max(areas, default=0)
    return found


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each box, one behind the other."""
    place = 0
    for _ in range(_MAX_BOXES):
        if place + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, place)
        start = place + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = len(data) if length == 0 else place + length
        if end < start:
            raise ValueError(f"a box of {length} bytes")
        yield name, data[start:end]
        place = end
    raise ValueError(f"more than {_MAX_BOXES:,} boxes")


def _inside(data: memoryview, wanted: bytes) -> Iterator[memoryview]:
    return (content for name, content in _boxes(data) if name == wanted)


def _area(name: bytes, content: memoryview) -> int:
    """Pixels of a property that says a size; 0 for others."""
    if name != b"ispe":
        return 0
    width, height = struct.unpack_from(">II", content, _FULL)
    return int(width * height)


def _numbers(reference: memoryview, wide: bool) -> tuple[int, ...]:
    """An item, and those it refers to."""
    form = "I" if wide else "H"
    size = struct.calcsize(f">{form}")
    (count,) = struct.unpack_from(">H", reference, size)
    (item,) = struct.unpack_from(f">{form}", reference)
    return item, *struct.unpack_from(f">{count}{form}", reference, size + 2)


def _associations(data: memoryview) -> Iterator[tuple[int, list[int]]]:
    """Items, and the places of their properties, from 1."""
    form = ">I" if data[0] else ">H"
    two = data[3] & 1
    (count,) = struct.unpack_from(">I", data, _FULL)
    place = _FULL + 4
    for _ in range(count):
        (item,) = struct.unpack_from(form, data, place)
        place += struct.calcsize(form)
        number = data[place]
        properties = struct.unpack_from(f">{number}{'H' if two else 'B'}", data, place + 1)
        place += 1 + number * (1 + two)
        yield item, [value & (0x7FFF if two else 0x7F) for value in properties]


def _stored(data: memoryview) -> int:
    """Bytes of all extents of all items."""
    version, sizes = data[0], int.from_bytes(data[_FULL : _FULL + 2])
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index = index if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    count = int.from_bytes(data[_FULL + 2 : _FULL + 2 + wide])
    place, total = _FULL + 2 + wide, 0
    for _ in range(count):
        place += wide + (2 if version in (1, 2) else 0) + 2 + base
        if place + 2 > len(data):
            raise ValueError("a list of items that is cut off")
        extents = int.from_bytes(data[place : place + 2])
        place += 2
        for _ in range(extents):
            start = place + index + offset
            total += int.from_bytes(data[start : start + length])
            place = start + length
    return total
