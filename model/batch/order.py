"""Sorting more names than fit memory: in pieces on disk, merged."""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import BinaryIO

PIECE = 50_000
"""Names that are held and sorted at a time: about 5 MB."""


def in_order(names: Iterable[str], piece: int = PIECE) -> Iterator[str]:
    """The names by code point, with flat memory; equal names stay as often as they are.

    Args:
        names: File names or paths, also such as are no valid Unicode.
        piece: How many to hold at a time; more than that go through temporary files.
    """
    names = iter(names)
    first = sorted(islice(names, piece), key=os.fsencode)
    if len(first) < piece:
        yield from first
        return
    with ExitStack() as files:
        runs = [_spilled(first, files)]
        while more := sorted(islice(names, piece), key=os.fsencode):
            runs.append(_spilled(more, files))
        for name in heapq.merge(*map(_read, runs)):
            yield os.fsdecode(name)


def _spilled(names: list[str], files: ExitStack) -> BinaryIO:
    file = files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 -- closed with `files`
    for name in names:
        encoded = os.fsencode(name)  # may hold a line's end: its length goes ahead
        file.write(len(encoded).to_bytes(4, "little") + encoded)
    file.seek(0)
    return file


def _read(file: BinaryIO) -> Iterator[bytes]:
    while length := file.read(4):
        yield file.read(int.from_bytes(length, "little"))
