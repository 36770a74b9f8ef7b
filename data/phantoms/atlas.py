"""The brain atlas behind the phantoms, read once from ``atlas/icbm152.npz``.

Tissue fractions on a 1 mm grid, float32 in [0, 1]; dura and head envelope on a 3 mm grid as signed
distances in mm, negative inside. Only x >= 0 is stored: points are mirrored when sampled. Built by
``data/phantoms/build_atlas.py`` from the ICBM 152 symmetric average (see ``atlas/NOTICE``).
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from data.phantoms.canvas import Field

ATLAS_PATH = Path(__file__).parents[1] / "atlas" / "icbm152.npz"


@dataclass(frozen=True)
class Atlas:
    """The unpacked atlas, x >= 0 only: fractions in [0, 1] and signed distances in mm."""

    white: Field
    csf: Field
    cavity: Field
    hull: Field
    tissue_origin: NDArray[np.float64]
    coarse_origin: NDArray[np.float64]
    coarse_mm: float


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Read and unpack the atlas once."""
    with np.load(ATLAS_PATH) as stored:
        fine, wide = tuple(stored["tissue_shape"]), tuple(stored["coarse_shape"])

        def unpack(name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[np.generic]:
            return np.frombuffer(lzma.decompress(stored[name].tobytes()), dtype).reshape(shape)

        def distance(name: str) -> Field:
            steps = unpack(name, np.int8, wide)
            return np.cumsum(steps, axis=2, dtype=np.int8).astype(np.float32) / 2.0

        return Atlas(
            white=unpack("white", np.uint8, fine).astype(np.float32) / 15.0,
            csf=unpack("csf", np.uint8, fine).astype(np.float32) / 15.0,
            cavity=distance("cavity"),
            hull=distance("hull"),
            tissue_origin=stored["tissue_origin"],
            coarse_origin=stored["coarse_origin"],
            coarse_mm=float(stored["coarse_mm"]),
        )


def sample(
    volume: Field, xyz: Field, origin: NDArray[np.float64], step: float, outside: float
) -> Field:
    """Trilinear values of a half volume at MNI points (3, h, w)."""
    at = np.stack([np.abs(xyz[0]), xyz[1], xyz[2]]).astype(np.float32)
    at -= origin.astype(np.float32)[:, None, None]
    if step != 1.0:
        at /= np.float32(step)
    out = np.empty(at.shape[1:], np.float32)
    ndimage.map_coordinates(
        volume, at, output=out, order=1, mode="nearest" if outside < 0 else "constant", cval=outside
    )
    return out


def dura_distance(xyz: Field) -> Field:
    """Signed distance in mm to the inner skull (negative inside) at MNI points."""
    atlas = load_atlas()
    return sample(atlas.cavity, xyz, atlas.coarse_origin, atlas.coarse_mm, -1.0)


def tissue_at(xyz: Field) -> tuple[Field, Field]:
    """(white, csf) fractions at MNI points; outside the brain all is CSF."""
    atlas = load_atlas()
    return (
        sample(atlas.white, xyz, atlas.tissue_origin, 1.0, 0.0),
        sample(atlas.csf, xyz, atlas.tissue_origin, 1.0, 1.0),
    )
