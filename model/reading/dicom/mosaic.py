"""Siemens mosaics: the slices of a volume side by side in one DICOM frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from model.reading.dicom.header import MOSAIC_TILES
from model.reading.dicom.values import numbers
from model.reading.errors import ImageError


@dataclass(frozen=True)
class Mosaic:
    """How a frame is divided.

    Attributes:
        rows: Of a tile.
        columns: Of a tile.
        across: Tiles in a row of them.
        tiles: How many hold a slice; None where the file does not say it.
    """

    rows: int
    columns: int
    across: int
    tiles: int | None = None

    def tile(self, frame: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """One slice of a frame."""
        top, left = index // self.across * self.rows, index % self.across * self.columns
        return frame[top : top + self.rows, left : left + self.columns]

    def count(self, frame: NDArray[np.float32]) -> int:
        """How many tiles hold a slice; blank ones fill up the last row."""
        if self.tiles is not None:
            return self.tiles
        left = self.across**2
        while left > 1 and np.ptp(self.tile(frame, left - 1)) == 0:
            left -= 1
        return left


def mosaic_of(header: Dataset, rows: int, columns: int) -> Mosaic | None:
    """How a file's frame is divided; None where it is one slice.

    Raises:
        ImageError: It is a mosaic, and does not say how it is divided.
    """
    kinds: Any = header.get("ImageType") or ()
    if "MOSAIC" not in ([kinds] if isinstance(kinds, str) else list(kinds)):
        return None
    if tiles := _tiles(header):
        across = math.ceil(math.sqrt(tiles))
        if rows % across == 0 and columns % across == 0:
            return Mosaic(rows // across, columns // across, across, tiles)
    sides = [int(side) for side in numbers(header, "AcquisitionMatrix")]
    if len(sides) == 4:  # rows and columns of the frequency's direction, then of the phase's
        height, width = max(sides[0], sides[2]), max(sides[1], sides[3])
        whole = height > 0 and width > 0 and rows % height == 0 and columns % width == 0
        if whole and rows // height == columns // width > 1:
            return Mosaic(height, width, columns // width)
    raise ImageError(
        "`file` must have one slice in a frame, or say how many it has. Received: a Siemens mosaic "
        "that does not say how it is divided; split it, for example with `dcm2niix`"
    )


def _tiles(header: Dataset) -> int | None:
    """What the private element says, which is of no known kind in some files."""
    if MOSAIC_TILES not in header:
        return None
    value: Any = header.get_item(MOSAIC_TILES).value
    if isinstance(value, bytes):
        little = header.file_meta.TransferSyntaxUID.is_little_endian
        value = int.from_bytes(value, "little" if little else "big") if len(value) == 2 else 0
    return value if isinstance(value, int) and 1 < value <= 1024 else None
