"""A head made in memory whose corners tell which way is up."""

from __future__ import annotations

from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from model.reading.volumes.nifti import NiftiScan

RIGHT, FRONT, TOP = 1, 2, 4


def head() -> NDArray[np.int16]:
    """Right-anterior-superior voxels: each half of the head adds a number of its own."""
    voxels = np.zeros((4, 4, 4), np.int16)
    voxels[2:] += RIGHT
    voxels[:, 2:] += FRONT
    voxels[:, :, 2:] += TOP
    return voxels


def corners(scan: NiftiScan, plane: str, index: int) -> list[list[float]]:
    """The four corner values of a slice."""
    found: list[list[float]] = scan.pixels(plane, index)[::3, ::3].tolist()
    return found


EXPECTED = {  # rows from the top, columns from the left, of the slice with the highest number
    "axial": [[TOP + FRONT + RIGHT, TOP + FRONT], [TOP + RIGHT, TOP]],
    "coronal": [[FRONT + TOP + RIGHT, FRONT + TOP], [FRONT + RIGHT, FRONT]],
    "sagittal": [[RIGHT + TOP + FRONT, RIGHT + TOP], [RIGHT + FRONT, RIGHT]],
}


def mgh(voxels: NDArray[Any], affine: NDArray[np.float64] | None = None) -> bytes:
    image = nibabel.MGHImage(voxels, np.eye(4) if affine is None else affine)
    content: bytes = image.to_bytes()
    return content
