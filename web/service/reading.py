"""How many uploads are in memory unpacked at a time: one picture, and one file with slices.

A file of a few bytes may unpack to 100 MB, and many requests are read at a time; the free host has
512 MB. Decoding takes less time than the network does, so that nobody waits longer for it.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from model.reading.open_scan import has_slices


class Reading:
    """Locks by what a file is; safe to share between threads."""

    def __init__(self) -> None:
        self._picture = threading.Lock()
        self._slices = threading.Lock()  # its own: a volume of 200 slices may take a minute

    def turn(self, content: bytes) -> AbstractContextManager[object]:
        """To be held as long as anything unpacked from this file is; entering waits."""
        return self._slices if has_slices(content) else self._picture
