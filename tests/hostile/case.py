"""A hostile file and the answer that it must get, and what several of them are made of."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tests.scan_files import white_share

PAYLOAD = b"<html><script>alert('polyglot')</script></html>"
PICTURE = white_share(3)
NOISE = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)


@dataclass(frozen=True)
class Case:
    """A file and its answer.

    Attributes:
        make: Its content.
        status: Of the answer.
        words: In the sentence that refuses it; empty for files that are read.
        filename: What it is called.
        kind: Of the problem.
    """

    name: str
    make: Callable[[], bytes]
    status: int = 200
    words: tuple[str, ...] = ()
    filename: str = "scan"

    @property
    def kind(self) -> str:
        return {413: "too-large", 415: "unsupported-format", 422: "damaged"}[self.status]


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()
