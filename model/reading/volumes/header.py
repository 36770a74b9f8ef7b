"""The headers of volumes: NIfTI-1 and 2, and FreeSurfer's MGH, with nibabel.

A header is read and checked before any voxel is.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from model.reading.errors import ImageError
from model.reading.marks import is_mgh, is_nifti
from model.reading.scan import MAX_VOLUME_BYTES, check_size

HEAD = 544
"""Bytes in which each of these headers fits."""

_HEADERS: dict[int, Any] = {348: Nifti1Header, 540: Nifti2Header}  # by the size that they say
_MGH_SIZE = 284
_SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # nibabel's would write to standard error
_COLORS = [("R", "G", "B"), ("R", "G", "B", "A")]


@dataclass(frozen=True)
class VolumeHeader:
    """Where a volume's voxels lie, and what they are.

    Attributes:
        shape: Sides of the first volume, three of them.
        volumes: How many there are.
        dtype: Of a voxel, as it is stored.
        kept: Of a voxel, as it is held: of at most 4 bytes.
        orientation: For each voxel axis the axis of the body and its direction, as nibabel's
            `io_orientation` gives them.
        zooms: Millimetres between voxels.
        scale: Slope and intercept of the values, or None for each.
        offset: Where the voxels begin.
    """

    shape: tuple[int, ...]
    volumes: int
    dtype: np.dtype[Any]
    kept: np.dtype[Any]
    orientation: NDArray[np.float64]
    zooms: tuple[float, ...]
    scale: tuple[float | None, float | None]
    offset: int

    @property
    def voxels(self) -> int:
        """Of the first volume."""
        return math.prod(self.shape)


def read_volume_header(head: bytes) -> VolumeHeader:
    """The header of a file.

    Args:
        head: Its first `HEAD` bytes, decompressed.

    Raises:
        ImageError: It is of another kind, of a pair without its voxels, or too large.
        Exception: One of `model.reading.volumes.nifti.DAMAGE`.
    """
    header = _mgh(head) if is_mgh(head) else _nifti(head)
    shape = tuple(int(side) for side in header.get_data_shape())
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    dtype = np.dtype(header.get_data_dtype())
    _check_shape(shape, dtype)
    orientation = io_orientation(header.get_best_affine())[:3]
    if np.isnan(orientation[:, 0]).any():  # a flattened direction
        raise ImageError("`file` must have an affine that spans three directions")
    found = VolumeHeader(
        shape=(*shape, 1, 1)[:3],  # two dimensions are a volume of one slice
        volumes=shape[3] if len(shape) == 4 else 1,
        dtype=dtype,
        kept=np.dtype(np.float32) if dtype.kind in "iuf" and dtype.itemsize > 4 else dtype,
        orientation=orientation,
        zooms=(*(abs(float(zoom)) for zoom in header.get_zooms()[:3]), 1.0, 1.0)[:3],
        scale=header.get_slope_inter(),
        offset=int(header.get_data_offset()) or header.single_vox_offset,
    )
    if found.voxels * found.kept.itemsize > MAX_VOLUME_BYTES:
        raise ImageError(
            f"`file` must have volumes of at most {MAX_VOLUME_BYTES // 2**20} MiB, of at most 4 "
            "bytes for each voxel; save it in 16 bits, or cut it. "
            f"Received: {found.voxels * found.kept.itemsize:,} bytes",
            kind="too-large",
        )
    return found


def _mgh(head: bytes) -> Any:
    return MGHHeader(head[:_MGH_SIZE], check=False)


def _nifti(head: bytes) -> Any:
    if not is_nifti(head):
        raise ImageError(
            "`file` must be an image, DICOM, NIfTI or FreeSurfer's MGH. Received: a gzip archive "
            "of something else; unpack it and send the files in it",
            kind="unsupported-format",
        )
    if b"ni1\0" in head[344:348] or b"ni2\0" in head[4:8]:
        raise ImageError(
            "`file` must be a single NIfTI file, .nii or .nii.gz. Received: the header (.hdr) of a "
            "pair, without its voxels (.img); send both together"
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


def _check_shape(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if not 2 <= len(shape) <= 4 or not (dtype.kind in "iuf" or dtype.names in _COLORS):
        raise ImageError(
            "`file` must be a NIfTI volume of two to four dimensions, of real numbers or of "
            f"colours in red, green and blue. Received: shape {shape}, {dtype}"
        )
    sides = (*shape, 1)[:3]
    for along in range(3):  # each of them may be the one that slices are counted along
        height, width = (side for axis, side in enumerate(sides) if axis != along)
        check_size(height, width, sides[along])
    if len(shape) == 4 and shape[3] < 1:
        raise ImageError(f"`file` must be a NIfTI file of one volume or more. Received: {shape[3]}")
