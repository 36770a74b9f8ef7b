"""Any uploaded file as slices: pictures, DICOM and NIfTI, told apart by their content.

Data contract: bytes in; slices float32 (height, width), any finite range, out, ready for
`model.preprocessing.prepare`. Nothing is written to disk, and no name or tag of the file is kept.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.preprocessing import FORMATS, decode
from model.reading.errors import ImageError

PLANES = ("axial", "coronal", "sagittal")
MAX_SLICES = 1024
MAX_SIDE = 2048
"""Of a slice, in pixels: scanners make 1,024 at most."""
MAX_VOXELS = 2**27
"""Of a file: 512 slices of 512 x 512. Decoding takes time, whatever the size of the file."""
MAX_VOLUME_BYTES = 64 * 2**20
"""Of what is held of a file at a time: 256 slices of 256 x 256 in 32 bits."""

_GZIP = b"\x1f\x8b"
_FOREIGN = (  # how files begin that people take for one of these, and what to do with them
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive; unpack it and send the files in it"),
    (rb"....ftyp(heic|heix|mif1|msf1|avif)", "HEIC or AVIF; save it as JPEG or PNG"),
    (rb"%PDF", "PDF; save its picture as PNG"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg", "SVG; save it as PNG"),
    (rb"\s*<(!doctype html|html|script)", "a web page; save its picture itself"),
    (rb".{257}ustar", "a tar archive; unpack it and send the files in it"),
)
_DICOM_MARK = slice(128, 132)


class Scan(ABC):
    """A decoded file.

    Attributes:
        kind: "image", "dicom" or "nifti".
        planes: Number of slices by plane, for volumes with known axes; empty for others.
        frames: Number of slices of a file without planes.
    """

    kind: str
    planes: Mapping[str, int]
    frames: int

    def count(self, plane: str | None) -> int:
        """Slices in a plane; `plane` is None for a file without planes."""
        return self.frames if plane is None else self.planes[plane]

    def choose_plane(self, wanted: str | None) -> str | None:
        """The plane to cut: the one wanted, or axial; None for a file without planes.

        Raises:
            ImageError: A plane is wanted of a file that has none.
        """
        if self.planes:
            return wanted or PLANES[0]
        if wanted is not None:
            raise ImageError(
                "`plane` can be chosen for NIfTI volumes alone. "
                f"Received: {wanted!r} for a file without planes"
            )
        return None

    def choose_slice(self, plane: str | None, wanted: int | None) -> int:
        """The slice wanted, or the middle one.

        Raises:
            ImageError: There is no such slice.
        """
        count = self.count(plane)
        if wanted is None:
            return count // 2
        if not 0 <= wanted < count:
            raise ImageError(f"`slice` must be in 0..{count - 1} for this file. Received: {wanted}")
        return wanted

    @abstractmethod
    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        """One slice: float32 (height, width).

        Raises:
            ImageError: It cannot be decoded.
        """


class Picture(Scan):
    """A file that Pillow reads."""

    kind = "image"
    frames = 1

    def __init__(self, content: bytes) -> None:
        self.planes = {}
        try:
            self._pixels = decode(content)
        except ImageError as error:
            if error.kind != "unsupported-format":
                raise
            raise ImageError(
                f"`file` must be one of {', '.join((*FORMATS, 'DICOM'))} and NIfTI, or a gzipped "
                f"NIfTI. Received: {len(content):,} bytes of {_known(content) or 'none of these'}",
                kind=error.kind,
            ) from None

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        return self._pixels


def read_scan(content: bytes) -> Scan:
    """Reads a file by what it holds, whatever its name.

    Args:
        content: The file.

    Returns:
        The scan; slices of large files are decoded when asked for.

    Raises:
        ImageError: It is empty, of no known kind, damaged or too large.
    """
    if not content:
        raise ImageError("`file` must not be empty. Received: 0 bytes")
    # These libraries take seconds to import on a small host, and most uploads need neither.
    if _is_dicom(content):
        from model.reading.dicom import DicomScan

        return DicomScan(content)
    if has_slices(content):
        from model.reading.nifti import NiftiScan

        return NiftiScan(content)
    return Picture(content)


def has_slices(content: bytes) -> bool:
    """Whether this is DICOM or NIfTI, whose slices are decoded when they are asked for."""
    return _is_dicom(content) or content.startswith(_GZIP) or is_nifti(content)


def _is_dicom(content: bytes) -> bool:
    return content[_DICOM_MARK] == b"DICM"


def is_nifti(content: bytes) -> bool:
    """Whether decompressed bytes start as NIfTI-1 or NIfTI-2 does."""
    return content[344:348] in (b"n+1\0", b"ni1\0") or content[4:8] in (b"n+2\0", b"ni2\0")


def _known(content: bytes) -> str | None:
    """What a file that cannot be read is, where that helps."""
    head = content[:1024]
    for start, advice in _FOREIGN:
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            return advice
    return None


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
