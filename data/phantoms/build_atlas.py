"""Build ``data/atlas/icbm152.npz``, the compact brain atlas behind the phantoms.

Source: the ICBM 152 nonlinear symmetric 2009a average (1 mm, 197 x 233 x 189, skull-stripped,
uint8), grey-matter, white-matter and T1 maps as distributed inside nilearn's wheel. See
``data/atlas/NOTICE`` for the licence and citations.

The template is left-right symmetric, so only x >= 0 is kept. Stored arrays, axes (x, y, z) =
(right, anterior, superior):

* ``tissue`` uint8, lzma-packed: white-matter and CSF fractions, 0..15 each, 1 mm, first voxel at
  ``origin``.
* ``cavity`` int8, lzma-packed: signed distance in half millimetres to the dura (negative inside),
  3 mm grid.
* ``hull`` int8, lzma-packed: the same to the smooth, notch-free envelope of the brain, which
  carries skull and scalp.

Run ``python -m data.phantoms.build_atlas --source DIR`` where DIR holds the three
``mni_icbm152_*_converted.nii.gz`` files. Only this script needs nibabel; reading the result needs
NumPy and the standard library.
"""

from __future__ import annotations

import argparse
import lzma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

ATLAS_PATH = Path(__file__).parents[1] / "atlas" / "icbm152.npz"
ORIGIN = (-98.0, -134.0, -72.0)  # MNI coordinates in mm of the first voxel of the source maps
MIDLINE = 98  # index of x = 0 in the source maps
COARSE_MM = 3
MARGIN_MM = 36  # the distance maps reach this far beyond the source box
LZMA_FILTERS = [
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}
]


def pack(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Compress an array of one-byte items to a uint8 vector (xz; the shape is stored apart)."""
    raw = lzma.compress(values.tobytes(), format=lzma.FORMAT_XZ, filters=LZMA_FILTERS)
    return np.frombuffer(raw, np.uint8)


def load_maps(source: Path) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(t1, grey, white) as float32 in [0, 1], shape (197, 233, 189)."""
    import nibabel.nifti1

    maps = []
    for name in ("t1", "gm", "wm"):
        path = source / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
        if not path.is_file():
            raise FileNotFoundError(f"`source` must hold {path.name}. Received: {source}")
        maps.append(
            np.asarray(nibabel.nifti1.Nifti1Image.from_filename(path).dataobj, np.float32) / 255.0
        )
    return maps[0], maps[1], maps[2]


def tissue_fractions(
    t1: NDArray[np.float32], grey: NDArray[np.float32], white: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(white, csf) fractions; grey is the rest. Sulci lost in the averaged maps come from T1."""
    brain = t1 > 0.02
    pure_grey = float(np.median(t1[(grey > 0.85) & brain]))
    fluid = float(np.percentile(t1[brain & (grey + white < 0.1)], 20))
    by_t1 = np.clip((pure_grey - t1) / (pure_grey - fluid), 0.0, 1.0)
    by_maps = np.clip(1.0 - grey - white, 0.0, 1.0)
    csf = np.where(brain, np.maximum(by_maps, 0.9 * by_t1), 1.0)
    return np.clip(white, 0.0, 1.0 - csf), csf


def signed_distance(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Signed Euclidean distance in voxels, negative inside."""
    outer = ndimage.distance_transform_edt(~inside)
    inner = ndimage.distance_transform_edt(inside)
    return np.asarray(outer - inner, np.float32)


def envelope(
    brain: NDArray[np.bool_], close_mm: float, grow_mm: float, smooth_mm: float
) -> NDArray[np.float32]:
    """Close ``brain`` with a ball, grow it, smooth it; signed distance in mm on the 1 mm grid."""
    grown = ndimage.distance_transform_edt(~brain) <= close_mm
    closed = ndimage.distance_transform_edt(grown) > close_mm - grow_mm
    distance = signed_distance(closed)
    return np.asarray(ndimage.gaussian_filter(distance, smooth_mm), np.float32)


def coarse(distance: NDArray[np.float32]) -> NDArray[np.int8]:
    """Keep x >= 0 on a ``COARSE_MM`` grid, in half millimetres, delta-coded along z."""
    middle = MIDLINE + MARGIN_MM
    kept = distance[middle::COARSE_MM, ::COARSE_MM, ::COARSE_MM]
    values = np.clip(np.rint(2.0 * kept), -120, 120).astype(np.int8)
    return np.asarray(np.diff(values, axis=2, prepend=np.int8(0)), np.int8)


def build(source: Path, target: Path = ATLAS_PATH) -> int:
    """Write the atlas and return its size in bytes."""
    t1, grey, white = load_maps(source)
    wm, csf = tissue_fractions(t1, grey, white)
    brain = ndimage.binary_opening((grey + white > 0.5) | (t1 > 0.25), iterations=2)
    labels, _ = ndimage.label(brain)
    brain = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    # the source is symmetric but for rounding: average both sides, keep x >= 0, crop to the brain
    halves = [(v[MIDLINE:] + v[MIDLINE::-1]) / 2.0 for v in (wm, csf)]
    box = (slice(0, 76), slice(24, 212), slice(0, 160))
    high, low = (np.rint(15.0 * h[box]).astype(np.uint8) for h in halves)
    padded = np.pad(brain, MARGIN_MM)
    cavity = coarse(envelope(padded, 9.0, 2.5, 1.0))
    hull = coarse(envelope(padded, 30.0, 2.5, 3.0))
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        target,
        white=pack(high),
        csf=pack(low),
        tissue_shape=np.array(high.shape),
        tissue_origin=np.array([0.0, ORIGIN[1] + 24, ORIGIN[2]]),
        cavity=pack(cavity),
        hull=pack(hull),
        coarse_shape=np.array(hull.shape),
        coarse_origin=np.array([0.0, ORIGIN[1] - MARGIN_MM, ORIGIN[2] - MARGIN_MM]),
        coarse_mm=np.array(float(COARSE_MM)),
    )
    return target.stat().st_size


def main() -> None:
    """Command line: rebuild the atlas from the source maps."""
    parser = argparse.ArgumentParser(description="Build the compact ICBM 152 atlas.")
    parser.add_argument(
        "--source", type=Path, required=True, help="folder with the three mni_icbm152 maps"
    )
    parser.add_argument("--out", type=Path, default=ATLAS_PATH)
    arguments = parser.parse_args()
    print(f"{arguments.out}: {build(arguments.source, arguments.out):,} bytes")


if __name__ == "__main__":
    main()
