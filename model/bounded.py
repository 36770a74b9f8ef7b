"""A file in memory that ends a reader which takes millions of tiny pieces from it.

Pillow and pydicom keep an object of some hundred bytes for each piece, and take a microsecond or
more: 32 MB in pieces of two bytes become a gigabyte and minutes.
"""

from __future__ import annotations

import io

from model.errors import ImageError


class BoundedReads(io.BytesIO):
    """Raises the error that it was given once it has been read from as often as allowed."""

    def __init__(self, content: bytes, most: int, error: ImageError) -> None:
        super().__init__(content)
        self._left, self._error = most, error

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return super().read(size)
