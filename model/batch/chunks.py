"""Sources in chunks whose ends depend on the names around them alone.

A file that is added, changed or removed changes the chunk that it is in, and no other: that is
what lets a second run skip what is done without a list of it in memory.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from model.batch.sources import Source

END_EVERY = 64
"""A chunk ends after one name in as many, by its check sum."""
MAX_SOURCES = 160
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Chunk:
    """What one worker does in one go.

    Attributes:
        key: Name of its part on disk: differs where a source, the model or a setting does.
        sources: At least one.
    """

    key: str
    sources: tuple[Source, ...]


def cut(sources: Iterable[Source], settings: str) -> Iterator[Chunk]:
    """Sources in chunks, in order.

    Args:
        sources: Any number of them.
        settings: Whatever else decides the rows: the model, the plane.
    """
    held: list[Source] = []
    size = 0
    for source in sources:
        held.append(source)
        size += source.size
        if (
            zlib.crc32(source.label.encode()) % END_EVERY == 0
            or len(held) == MAX_SOURCES
            or size >= MAX_BYTES
        ):
            yield _chunk(held, settings)
            held, size = [], 0
    if held:
        yield _chunk(held, settings)


def _chunk(sources: list[Source], settings: str) -> Chunk:
    described = [[s.path, s.member, s.name, s.size, s.stamp, s.error] for s in sources]
    text = json.dumps([settings, described])  # ASCII, whatever the names hold
    return Chunk(hashlib.sha256(text.encode()).hexdigest(), tuple(sources))
