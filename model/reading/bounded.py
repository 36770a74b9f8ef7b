"""A file in memory that ends a reader which takes millions of tiny pieces from it.

Pillow and pydicom keep an object of some hundred bytes for each piece, and take a microsecond or
more: 32 MB in pieces of two bytes become a gigabyte and minutes.
"""

from __future__ import annotations

import io

from model.reading.errors import ImageError


class BoundedReads(io.BytesIO):
    """Raises `ImageError` with what it was given once it has been read from as often as allowed."""

    def __init__(self, content: bytes, most: int, complaint: str, kind: str = "damaged") -> None:
        super().__init__(content)
        # Not the error: its traceback leads back here, and such a circle keeps the file for long.
        self._left, self._complaint, self._kind = most, complaint, kind

    def read(self, size: int | None = -1, /) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise ImageError(self._complaint, kind=self._kind)
        return super().read(size)
