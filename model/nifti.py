"""NIfTI volumes as slices, with nibabel: `.nii` and `.nii.gz`, two to four dimensions.

The affine says which voxel axis runs along the body's, so that slices are cut axial, coronal and
sagittal whatever the order in the file, and shown as radiologists look at them: the patient's
right on the left, the front or the top of the head up. Slices are counted from the feet, the back
and the left. Of a fourth dimension (time, echo, direction) the first volume is taken.
"""

from __future__ import annotations

import gzip
import io
import struct
import warnings
import zlib
from typing import Any

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Image
from nibabel.nifti2 import Nifti2Image
from nibabel.orientations import io_orientation
from nibabel.spatialimages import HeaderDataError, ImageDataError
from numpy.typing import NDArray

from model.preprocessing import ImageError
from model.scans import MAX_VOLUME_BYTES, PLANES, Scan, as_square, check_size

_OUT_AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}  # of nibabel's right-anterior-superior order
DAMAGE = (
    ArithmeticError, EOFError, LookupError, OSError, TypeError, ValueError, struct.error,
    HeaderDataError, ImageDataError, nibabel.filebasedimages.ImageFileError,
)  # fmt: skip


def is_nifti(content: bytes) -> bool:
    """Whether decompressed bytes start as NIfTI-1 or NIfTI-2 does."""
    return content[344:348] in (b"n+1\0", b"ni1\0") or content[4:8] in (b"n+2\0", b"ni2\0")


class NiftiScan(Scan):
    """A NIfTI volume; its slices are read one at a time."""

    kind = "nifti"
    frames = 1

    def __init__(self, content: bytes) -> None:
        plain = decompress(content) if content[:2] == b"\x1f\x8b" else content
        if not is_nifti(plain):
            raise ImageError(
                "`file` must be an image, DICOM or NIfTI. Received: a gzip archive of something "
                "else",
                kind="unsupported-format",
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about header fields that are not read here
                image = Nifti1Image if plain[344:347] in (b"n+1", b"ni1") else Nifti2Image
                self._image = image.from_bytes(plain)
                shape = tuple(int(side) for side in self._image.shape)
                self._axes = io_orientation(self._image.affine)[:3]
        except DAMAGE as error:
            raise ImageError(f"`file` is a damaged NIfTI file. Received: {error}") from error
        self._check(shape, len(plain))
        # Two dimensions are a volume of one slice.
        self._shape = (*shape, 1, 1)[:3]
        zooms = (*(abs(float(z)) for z in self._image.header.get_zooms()[:3]), 1.0, 1.0)
        self._zooms = zooms[:3]
        self.planes = {plane: self._shape[self._axis(plane)] for plane in PLANES}

    def _check(self, shape: tuple[int, ...], length: int) -> None:
        if not 2 <= len(shape) <= 4 or np.dtype(self._image.get_data_dtype()).kind not in "iuf":
            raise ImageError(
                "`file` must be a NIfTI volume of two to four dimensions, of real numbers. "
                f"Received: shape {shape}, {self._image.get_data_dtype()}"
            )
        for side in shape[:3]:
            check_size(side, side, side)
        needed = (
            int(np.prod(shape, dtype=np.int64)) * np.dtype(self._image.get_data_dtype()).itemsize
        )
        header = int(getattr(self._image.dataobj, "offset", 0))
        if header + needed > length:
            raise ImageError(
                f"`file` is a truncated NIfTI file. Received: {length:,} bytes for a header of "
                f"{header:,} and voxels of {needed:,}"
            )
        if (self._axes[:, 0] != self._axes[:, 0]).any():  # nan: a flattened direction
            raise ImageError("`file` must have an affine that spans three directions")

    def _axis(self, plane: str) -> int:
        """The voxel axis that a plane's slices are counted along."""
        return int(np.flatnonzero(self._axes[:, 0] == _OUT_AXIS[plane])[0])

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        along = self._axis(plane or PLANES[0])
        if self._axes[along, 1] < 0:
            index = self._shape[along] - 1 - index
        cut: list[Any] = [slice(None)] * 3
        cut[along] = index
        rank = len(self._image.shape)
        cut = [0 if axis >= rank and axis == along else c for axis, c in enumerate(cut)]
        try:
            values = np.asarray(
                self._image.dataobj[(*cut[: min(rank, 3)], *([0] * (rank - 3)))], dtype=np.float32
            )
        except DAMAGE as error:
            raise ImageError(f"`file` is a damaged NIfTI file. Received: {error}") from error
        rest = [axis for axis in range(3) if axis != along]
        return self._upright(values.reshape([self._shape[axis] for axis in rest]), rest)

    def _upright(self, values: NDArray[np.float32], axes: list[int]) -> NDArray[np.float32]:
        """Rows from the top and columns from the patient's right or front, in millimetres."""
        for place, axis in enumerate(axes):
            if self._axes[axis, 1] > 0:  # the body's axes run to the right, the front and the top
                values = np.flip(values, axis=place)
        # Rows run along the later of the two body axes: the front-back or the foot-head one.
        if self._axes[axes[0], 0] < self._axes[axes[1], 0]:
            values, axes = values.T, axes[::-1]
        return as_square(np.ascontiguousarray(values), (self._zooms[axes[0]], self._zooms[axes[1]]))


def decompress(content: bytes) -> bytes:
    """Unpacks gzip up to `MAX_VOLUME_BYTES`, so that a bomb ends there.

    Raises:
        ImageError: Damaged, or larger.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(MAX_VOLUME_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ImageError(f"`file` is a damaged gzip file. Received: {error}") from error
    if len(plain) > MAX_VOLUME_BYTES:
        raise ImageError(
            f"`file` must hold at most {MAX_VOLUME_BYTES // 2**20} MiB once decompressed. "
            "Received: more",
            kind="too-large",
        )
    return plain
