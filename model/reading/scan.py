"""What every file is once it is open: a scan, which gives its slices.

Data contract: slices are float32 (height, width) of any range, ready for
`model.preprocessing.prepare`. Pictures have one; DICOM files have frames; NIfTI volumes are cut
in three planes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.reading.errors import ImageError

PLANES = ("axial", "coronal", "sagittal")
MAX_SLICES = 1024
MAX_SIDE = 2048
"""Of a slice, in pixels: scanners make 1,024 at most."""
MAX_VOXELS = 2**27
"""Of a file: 512 slices of 512 x 512. Decoding takes time, whatever the size of the file."""
MAX_VOLUME_BYTES = 64 * 2**20
"""Of what is held of a file at a time: 256 slices of 256 x 256 in 32 bits."""


class Scan(ABC):
    """A decoded file.

    Attributes:
        kind: "image", "dicom" or "nifti".
        planes: Number of slices by plane, for volumes with known axes; empty for others.
        frames: Number of slices of a file without planes.
        doubt: Why it is no brain MRI of one head, whatever the network says of its pixels: one of
            `model.inference.answer_text.DOUBTS`; None where nothing speaks against it.
        contrast: One of `model.reading.contrast.NAMES`, as far as the header tells; else None.
        acquired: The plane of the slices that the scanner made; axial where none stands out.
    """

    kind: str
    planes: Mapping[str, int]
    frames: int
    acquired = PLANES[0]
    doubt: str | None = None
    contrast: str | None = None

    def slices(
        self, plane: str | None = None, wanted: int | range | Literal["all"] | None = None
    ) -> list[Slice]:
        """The slices to look at; they are decoded when their pixels are asked for.

        Args:
            plane: How to cut a volume; by default as its slices were acquired.
            wanted: One slice, a range of them, or "all"; by default the middle one.

        Raises:
            ImageError: A plane is wanted of a file that has none, or there is no such slice.
        """
        if plane is not None and not self.planes:
            raise ImageError(
                "`plane` can be chosen for NIfTI volumes alone. "
                f"Received: {plane!r} for a file without planes"
            )
        if self.planes:
            plane = plane or self.acquired
        count = self.frames if plane is None else self.planes[plane]
        if wanted == "all":
            wanted = range(count)
        elif not isinstance(wanted, range):
            index = count // 2 if wanted is None else wanted
            wanted = range(index, index + 1)
        if wanted[0] < 0 or wanted[-1] >= count:
            received = wanted[0] if wanted[0] < 0 else wanted[-1]
            raise ImageError(
                f"`slice` must be in 0..{count - 1} for this file. Received: {received}"
            )
        return [Slice(self, plane, index, count) for index in wanted]

    @abstractmethod
    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        """One slice: float32 (height, width).

        Raises:
            ImageError: It cannot be decoded.
        """


@dataclass(frozen=True)
class Slice:
    """One slice of a scan, not yet decoded.

    Attributes:
        plane: How it is cut; None for a file without planes.
        index: Its number, from 0.
        count: Slices of the scan in this plane.
    """

    scan: Scan
    plane: str | None
    index: int
    count: int

    @property
    def number(self) -> int | None:
        """`index`, or None where the file has no other slice."""
        return self.index if self.count > 1 else None

    def pixels(self) -> NDArray[np.float32]:
        """float32 (height, width).

        Raises:
            ImageError: It cannot be decoded.
        """
        return self.scan.pixels(self.plane, self.index)


def without_gaps(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replaces NaN and infinite values by the smallest or the largest of the others.

    Raises:
        ImageError: None of them is finite.
    """
    finite = np.isfinite(pixels)
    if finite.all():
        return pixels
    if not finite.any():
        raise ImageError("`file` must have finite values. Received: NaN or infinite values alone")
    shown = pixels[finite]
    return np.nan_to_num(pixels, nan=shown.min(), neginf=shown.min(), posinf=shown.max())


def as_square(
    pixels: NDArray[np.float32], spacing: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float32]:
    """Gives a slice its physical proportions, then pads it with background to a square.

    The network is shown squares. Pictures are stretched, as in training; a scan knows its
    millimetres, and stretching would distort the anatomy.

    Args:
        pixels: float32 (height, width).
        spacing: Millimetres from one row to the next and from one column to the next.

    Returns:
        float32 (side, side).
    """
    pixels = without_gaps(pixels)
    height, width = pixels.shape
    down, across = (s if np.isfinite(s) and s > 0 else 1.0 for s in spacing)
    smaller = min(down, across)
    longest = max(width * (across / smaller), height * (down / smaller))  # may be infinite
    size = (width, height)
    if longest <= MAX_SIDE:
        size = (round(width * across / smaller), round(height * down / smaller))
    if size != (width, height):
        resized = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
        pixels = np.asarray(resized, dtype=np.float32)
    side = max(pixels.shape)
    if pixels.shape == (side, side):
        return pixels
    square = np.full((side, side), pixels.min(), dtype=np.float32)
    top, left = (side - pixels.shape[0]) // 2, (side - pixels.shape[1]) // 2
    square[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return square


def check_size(height: int, width: int, count: int) -> None:
    """Refuses what no scanner makes.

    Raises:
        ImageError: A side or the number of slices is out of bounds.
    """
    if not (
        0 < height <= MAX_SIDE
        and 0 < width <= MAX_SIDE
        and 0 < count <= MAX_SLICES
        and height * width * count <= MAX_VOXELS
    ):
        raise ImageError(
            f"`file` must have sides of 1 to {MAX_SIDE:,} pixels, 1 to {MAX_SLICES:,} slices and "
            f"at most {MAX_VOXELS:,} pixels in all. Received: {count} of {width} x {height}",
            kind="too-large",
        )
