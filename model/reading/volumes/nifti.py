"""NIfTI and FreeSurfer volumes as slices, with nibabel: `.nii` and `.mgh`, also gzipped.

The affine says which voxel axis runs along the body's, so that slices are cut axial, coronal and
sagittal whatever the order in the file, and shown as radiologists look at them: the patient's
right on the left, the front or the top of the head up. Slices are counted from the feet, the back
and the left. Of a fourth dimension (time, echo, direction) the first volume is taken.

Of a file the header is read and checked first, then the first volume and no more is held, in at
most 4 bytes for each voxel.
"""

from __future__ import annotations

import gzip
import io
import struct
import warnings
import zlib
from functools import cached_property
from typing import Any

import numpy as np
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from model.reading.errors import ImageError
from model.reading.marks import GZIP
from model.reading.scan import PLANES, Scan, as_square
from model.reading.volumes.header import HEAD, VolumeHeader, read_volume_header

MAX_UNPACKED_BYTES = 256 * 2**20
"""Of a decompressed file with all its volumes: what a host unpacks in a few seconds."""
DAMAGE = (
    ArithmeticError, EOFError, LookupError, OSError, TypeError, ValueError, struct.error,
    HeaderDataError, WrapStructError, zlib.error,
)  # fmt: skip

_OUT_AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}  # of nibabel's right-anterior-superior order
_PIECE = 2**20
_THICKER = 1.3  # times as far from slice to slice as between the pixels of one
_FEWER = 2.5  # times fewer slices than pixels on a side


class NiftiScan(Scan):
    """A NIfTI or MGH volume; its slices are cut one at a time."""

    kind = "nifti"
    frames = 1

    def __init__(self, content: bytes) -> None:
        packed = content.startswith(GZIP)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # about header fields that are not read here
                file: io.BufferedIOBase = io.BytesIO(content)
                if packed:
                    file = gzip.GzipFile(fileobj=file)
                self._read(file)
        except ImageError:
            raise
        except DAMAGE as error:
            kind = (
                "gzip" if packed and isinstance(error, EOFError | OSError | zlib.error) else "NIfTI"
            )
            part = "be unpacked to its end" if kind == "gzip" else "be read"
            raise ImageError(
                f"`file` is a damaged {kind} file. Received: one that cannot {part}"
            ) from error
        self.planes = {plane: self._shape[self._axis(plane)] for plane in PLANES}
        along = _acquired(self._shape, self._zooms)
        if along is not None:
            self.acquired = next(plane for plane in PLANES if self._axis(plane) == along)

    def _read(self, file: io.BufferedIOBase) -> None:
        head = file.read(HEAD)
        header = read_volume_header(head)
        self._axes, self._scale = header.orientation, header.scale
        self._zooms, self._shape = header.zooms, header.shape
        self._voxels = _first_volume(file, head, header).reshape(header.shape, order="F")

    def _axis(self, plane: str) -> int:
        """The voxel axis that a plane's slices are counted along."""
        return int(np.flatnonzero(self._axes[:, 0] == _OUT_AXIS[plane])[0])

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        along = self._axis(plane or PLANES[0])
        if self._axes[along, 1] < 0:
            index = self._shape[along] - 1 - index
        place = tuple(index if axis == along else slice(None) for axis in range(3))
        with np.errstate(all="ignore"):  # what becomes infinite is none, like other such values
            cut = self._voxels[place]  # a view: `take` copies all
            if cut.dtype.names:  # colour: luminance, as Pillow's "L" (ITU-R 601-2)
                cut = 0.299 * cut["R"] + 0.587 * cut["G"] + 0.114 * cut["B"]
            values = np.asarray(apply_read_scaling(cut, *self._scale), dtype=np.float32)
        if not np.isfinite(values).any() and self._has_values:
            values = np.zeros_like(values)  # outside the head, where the volume's mask is NaN
        return self._upright(values, [axis for axis in range(3) if axis != along])

    @cached_property
    def _has_values(self) -> bool:
        return bool(np.isfinite(self._voxels).any())

    def _upright(self, values: NDArray[np.float32], axes: list[int]) -> NDArray[np.float32]:
        """Rows from the top and columns from the patient's right or front, in millimetres."""
        for place, axis in enumerate(axes):
            if self._axes[axis, 1] > 0:  # the body's axes run to the right, the front and the top
                values = np.flip(values, axis=place)
        # Rows run along the later of the two body axes: the front-back or the foot-head one.
        if self._axes[axes[0], 0] < self._axes[axes[1], 0]:
            values, axes = values.T, axes[::-1]
        return as_square(np.ascontiguousarray(values), (self._zooms[axes[0]], self._zooms[axes[1]]))


def _acquired(shape: tuple[int, ...], zooms: tuple[float, ...]) -> int | None:
    """The voxel axis that runs through the slices a scanner made; None where none stands out."""
    for sizes, far in ((zooms, _THICKER), (tuple(1 / side for side in shape), _FEWER)):
        largest, next_largest = sorted(sizes, reverse=True)[:2]
        if largest >= far * next_largest > 0:
            return sizes.index(largest)
    return None


def _first_volume(file: io.BufferedIOBase, head: bytes, header: VolumeHeader) -> NDArray[Any]:
    """The first volume's voxels in one row, once the file has been read to its end.

    Args:
        file: Open behind `head`.
        head: What has been read of it.
        header: What it says of its voxels.

    Raises:
        ImageError: Too large, or shorter than the header says.
        Exception: One of `DAMAGE`.
    """
    item, first = header.dtype.itemsize, header.voxels * header.dtype.itemsize
    volume = np.zeros(header.voxels, header.kept)
    place, rest, piece = 0, b"", head
    while piece:
        start, end = max(header.offset - place, 0), min(header.offset + first - place, len(piece))
        if start < end:
            rest += piece[start:end]
            values = np.frombuffer(rest, header.dtype, len(rest) // item)
            at = (place + end - header.offset) // item - len(values)
            volume[at : at + len(values)] = values
            rest = rest[len(values) * item :]
        place += len(piece)
        if place > MAX_UNPACKED_BYTES:
            raise ImageError(
                f"`file` must hold at most {MAX_UNPACKED_BYTES // 2**20} MiB once decompressed. "
                "Received: more",
                kind="too-large",
            )
        piece = file.read(_PIECE)
    needed = first * header.volumes
    if header.offset + needed > place:
        raise ImageError(
            f"`file` is a truncated NIfTI file. Received: {place:,} bytes for a header of "
            f"{header.offset:,} and voxels of {needed:,}"
        )
    return volume
