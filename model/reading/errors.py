"""The one error that files are refused with."""

from __future__ import annotations

KINDS = ("damaged", "too-large", "unsupported-format")


class ImageError(ValueError):
    """The input is not an image that can be read; the message says why.

    Attributes:
        kind: One of `KINDS`; "damaged" also stands for whatever else is wrong with a file.
    """

    def __init__(self, message: str, *, kind: str = "damaged") -> None:
        super().__init__(message)
        self.kind = kind
