"""NIfTI volumes as slices, with nibabel: `.nii` and `.nii.gz`, two to four dimensions.

The affine says which voxel axis runs along the body's, so that slices are cut axial, coronal and
sagittal whatever the order in the file, and shown as radiologists look at them: the patient's
right on the left, the front or the top of the head up. Slices are counted from the feet, the back
and the left. Of a fourth dimension (time, echo, direction) the first volume is taken.

Of a file the header is read and checked first, then the first volume and no more is held.
"""

from __future__ import annotations

import gzip
import io
import logging
import math
import struct
import warnings
import zlib
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.orientations import io_orientation
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from model.reading.errors import ImageError
from model.reading.scan import GZIP, MAX_VOLUME_BYTES, PLANES, Scan, as_square, check_size, is_nifti

MAX_UNPACKED_BYTES = 256 * 2**20
"""Of a decompressed file with all its volumes: what a host unpacks in a few seconds."""
DAMAGE = (
    ArithmeticError, EOFError, LookupError, OSError, TypeError, ValueError, struct.error,
    HeaderDataError, WrapStructError, zlib.error,
)  # fmt: skip

_OUT_AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}  # of nibabel's right-anterior-superior order
_HEADERS: dict[int, Any] = {
    348: Nifti1Header,
    540: Nifti2Header,
}  # by the size that they say they have
_PIECE = 2**20
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # nibabel's would write to standard error


class NiftiScan(Scan):
    """A NIfTI volume; its slices are cut one at a time."""

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
            raise ImageError(f"`file` is a damaged {kind} file. Received: {error}") from error
        self.planes = {plane: self._shape[self._axis(plane)] for plane in PLANES}

    def _read(self, file: io.BufferedIOBase) -> None:
        head = file.read(max(_HEADERS))
        header = _read_header(head)
        shape = tuple(int(side) for side in header.get_data_shape())
        dtype = np.dtype(header.get_data_dtype())
        _check_shape(shape, dtype)
        self._axes = io_orientation(header.get_best_affine())[:3]
        if np.isnan(self._axes[:, 0]).any():  # a flattened direction
            raise ImageError("`file` must have an affine that spans three directions")
        self._scale = header.get_slope_inter()
        zooms = (*(abs(float(z)) for z in header.get_zooms()[:3]), 1.0, 1.0)
        self._zooms = zooms[:3]
        # Two dimensions are a volume of one slice.
        self._shape = (*shape, 1, 1)[:3]
        first = math.prod(self._shape) * dtype.itemsize
        needed = math.prod(shape) * dtype.itemsize
        offset = int(header.get_data_offset()) or header.single_vox_offset
        raw = _first_volume(file, head, offset, first, needed)
        self._voxels = np.ndarray(self._shape, dtype, buffer=raw, order="F")

    def _axis(self, plane: str) -> int:
        """The voxel axis that a plane's slices are counted along."""
        return int(np.flatnonzero(self._axes[:, 0] == _OUT_AXIS[plane])[0])

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        along = self._axis(plane or PLANES[0])
        if self._axes[along, 1] < 0:
            index = self._shape[along] - 1 - index
        place = tuple(index if axis == along else slice(None) for axis in range(3))
        with np.errstate(all="ignore"):  # what becomes infinite is refused with other such values
            cut = apply_read_scaling(self._voxels[place], *self._scale)  # a view: `take` copies all
            values = np.asarray(cut, dtype=np.float32)
        return self._upright(values, [axis for axis in range(3) if axis != along])

    def _upright(self, values: NDArray[np.float32], axes: list[int]) -> NDArray[np.float32]:
        """Rows from the top and columns from the patient's right or front, in millimetres."""
        for place, axis in enumerate(axes):
            if self._axes[axis, 1] > 0:  # the body's axes run to the right, the front and the top
                values = np.flip(values, axis=place)
        # Rows run along the later of the two body axes: the front-back or the foot-head one.
        if self._axes[axes[0], 0] < self._axes[axes[1], 0]:
            values, axes = values.T, axes[::-1]
        return as_square(np.ascontiguousarray(values), (self._zooms[axes[0]], self._zooms[axes[1]]))


def _read_header(head: bytes) -> Any:
    """The header of a single file.

    Args:
        head: As many bytes as the longest header has.

    Raises:
        ImageError: It is not NIfTI, or the header of a pair.
        Exception: One of `DAMAGE`.
    """
    if not is_nifti(head):
        raise ImageError(
            "`file` must be an image, DICOM or NIfTI. Received: a gzip archive of something else; "
            "unpack it and send the files in it",
            kind="unsupported-format",
        )
    if b"ni1\0" in head[344:348] or b"ni2\0" in head[4:8]:
        raise ImageError(
            "`file` must be a single NIfTI file, .nii or .nii.gz. Received: the header (.hdr) of a "
            "pair, without its voxels (.img)"
        )
    size = 348 if head[344:348] == b"n+1\0" else 540
    said = {int.from_bytes(head[:4], order) for order in ("little", "big")}
    if size not in said:
        raise ImageError(
            f"`file` is a damaged NIfTI file: its header must say that it has {size} bytes. "
            f"Received: {int.from_bytes(head[:4], 'little'):,}"
        )
    header = _HEADERS[size](head[:size], check=False)
    header.check_fix(logger=_SILENT)
    return header


def _check_shape(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    if not 2 <= len(shape) <= 4 or dtype.kind not in "iuf":
        raise ImageError(
            "`file` must be a NIfTI volume of two to four dimensions, of real numbers. "
            f"Received: shape {shape}, {dtype}"
        )
    for side in shape[:3]:
        check_size(side, side, side)
    if len(shape) == 4 and shape[3] < 1:
        raise ImageError(f"`file` must be a NIfTI file of one volume or more. Received: {shape[3]}")


def _first_volume(
    file: io.BufferedIOBase, head: bytes, offset: int, first: int, needed: int
) -> bytearray:
    """The first volume's bytes, once the file has been read to its end.

    Args:
        file: Open behind `head`.
        head: What has been read of it.
        offset: Where the voxels begin.
        first: Bytes of the first volume.
        needed: Bytes of all volumes.

    Raises:
        ImageError: Too large, or shorter than the header says.
        Exception: One of `DAMAGE`.
    """
    if first > MAX_VOLUME_BYTES:
        raise ImageError(
            f"`file` must have volumes of at most {MAX_VOLUME_BYTES // 2**20} MiB; save it in 16 "
            f"bits, or cut it. Received: {first:,} bytes",
            kind="too-large",
        )
    volume, place = bytearray(first), 0
    piece = head
    while piece:
        start, end = max(offset - place, 0), min(offset + first - place, len(piece))
        if start < end:
            at = place + start - offset
            volume[at : at + end - start] = piece[start:end]
        place += len(piece)
        if place > MAX_UNPACKED_BYTES:
            raise ImageError(
                f"`file` must hold at most {MAX_UNPACKED_BYTES // 2**20} MiB once decompressed. "
                "Received: more",
                kind="too-large",
            )
        piece = file.read(_PIECE)
    if offset + needed > place:
        raise ImageError(
            f"`file` is a truncated NIfTI file. Received: {place:,} bytes for a header of "
            f"{offset:,} and voxels of {needed:,}"
        )
    return volume
