"""How alike two images are: as a whole, in detail, and after a shift by a pixel.

Data contract: images are uint8 (n, side, side, 1), `side` a multiple of 32.

The coarse cosine compares 32 x 32 block means, centred and scaled to unit norm. The fine one
compares what a local mean leaves, on 112 x 112 pixels. The similarity is 1 minus the geometric
mean of the two distances, (1 - coarse) and (1 - fine): a change of contrast or brightness moves
the first and hardly the second, sharpening and compression the second and hardly the first,
whereas a neighbouring slice of the same head is off in both.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from data.dataset.image_store import ImageArray

_T = TypeVar("_T", bound=np.generic)

TRANSFORMS = (
    "identity", "mirrored", "upside_down", "rotated_90", "rotated_180", "rotated_270",
)  # fmt: skip
"""What was done to one image to give another; turns are anticlockwise."""

GRID = 32
_FINE = 112
_WINDOW = 9  # pixels of the fine grid in the local mean
_CHUNK = 4096
_SHIFTS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)
_HOPELESS = 0.88  # similarity that no shift by a pixel lifts to that of a copy
_SETTLED = 0.98  # similarity from which no shift is tried


def signatures(images: ImageArray) -> NDArray[np.float32]:
    """Block means, centred, unit norm.

    Args:
        images: uint8 (n, height, width, 1), height and width multiples of 32.

    Returns:
        float32 (n, 32, 32); zeros for a flat image.

    Raises:
        ValueError: The height or width is not a multiple of 32.
    """
    height, width = images.shape[1:3]
    if height % GRID or width % GRID:
        raise ValueError(
            f"`images` must have sides that are multiples of {GRID}. Received: {images.shape}"
        )
    found = np.empty((len(images), GRID, GRID), dtype=np.float32)
    for start in range(0, len(images), _CHUNK):
        means = _block_means(images[start : start + _CHUNK, :, :, 0], GRID)
        means -= means.mean(axis=(1, 2), keepdims=True)
        norms = np.sqrt((means**2).sum(axis=(1, 2), keepdims=True))
        found[start : start + _CHUNK] = means / np.maximum(norms, 1e-6)
    return found


def transformed(images: NDArray[_T], transform: int) -> NDArray[_T]:
    """Images (n, side, side, ...) under one of `TRANSFORMS`, as a view."""
    name = TRANSFORMS[transform]
    if name == "mirrored":
        return images[:, :, ::-1]
    if name == "upside_down":
        return images[:, ::-1]
    turns = 0 if name == "identity" else int(name.removeprefix("rotated_")) // 90
    return np.rot90(images, turns, axes=(1, 2))


def similarities(
    left: ImageArray, right: ImageArray,
    at_left: NDArray[np.int64], at_right: NDArray[np.int64],
    coarse: NDArray[np.float32], transform: int,
) -> NDArray[np.float32]:  # fmt: skip
    """Similarities of pairs of images.

    Args:
        left: uint8 (n, side, side, 1).
        right: uint8 (m, side, side, 1).
        at_left: int64 (k,), rows of `left`.
        at_right: int64 (k,), rows of `right`.
        coarse: float32 (k,), the coarse cosine of each pair under the transform.
        transform: Index into `TRANSFORMS`: what is done to the right image.

    Returns:
        float32 (k,), at most 1: the best over shifts by up to a pixel, which are tried where they
        can matter.
    """
    i, at_left = np.unique(at_left, return_inverse=True)
    j, at_right = np.unique(at_right, return_inverse=True)
    own, other = left[i], transformed(right[j], transform)
    fine = _cosine(_detail(own), _detail(other), at_left, at_right)
    best = _similarity(coarse, fine)
    unclear = (best > _HOPELESS) & (best < _SETTLED)
    if unclear.any():
        shifted = _shifted_similarity(own, other, at_left[unclear], at_right[unclear])
        best[unclear] = np.maximum(best[unclear], shifted)
    return best


def _similarity(coarse: NDArray[np.float32], fine: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 minus the geometric mean of the distances, float32 (k,)."""
    distance = np.maximum(1 - coarse, 0) * np.maximum(1 - fine, 0)
    mean: NDArray[np.float32] = 1 - np.sqrt(distance)
    return mean


def _shifted_similarity(
    own: NDArray[np.uint8], other: NDArray[np.uint8],
    at_left: NDArray[np.int64], at_right: NDArray[np.int64],
) -> NDArray[np.float32]:  # fmt: skip
    """Best similarity of `own[at_left]` and `other[at_right]` moved by a pixel, float32 (k,)."""
    i, at_left = np.unique(at_left, return_inverse=True)
    j, at_right = np.unique(at_right, return_inverse=True)
    own, other = own[i], other[j]
    rough, sharp = signatures(own), _detail(own)
    padded = np.pad(other, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    side = other.shape[1]

    def similarity(shift: tuple[int, int]) -> NDArray[np.float32]:
        down, across = shift
        there = padded[:, 1 + down : 1 + down + side, 1 + across : 1 + across + side]
        coarse = _cosine(rough, signatures(there), at_left, at_right)
        return _similarity(coarse, _cosine(sharp, _detail(there), at_left, at_right))

    with ThreadPoolExecutor(2) as pool:  # NumPy and SciPy release the interpreter lock
        best: NDArray[np.float32] = np.max(list(pool.map(similarity, _SHIFTS)), axis=0)
    return best


def _detail(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the local mean leaves: uint8 (n, side, side, 1) to float32 (n, fine, fine)."""
    side = images.shape[1]
    fine = _FINE if side % _FINE == 0 else side
    means = _block_means(images[:, :, :, 0], fine)
    rest: NDArray[np.float32] = means - uniform_filter(means, (0, _WINDOW, _WINDOW))
    norms = np.sqrt(np.einsum("ijk,ijk->i", rest, rest))
    rest /= np.maximum(norms, 1e-6)[:, np.newaxis, np.newaxis]
    return rest


def _cosine(
    a: NDArray[np.float32], b: NDArray[np.float32],
    at_left: NDArray[np.int64], at_right: NDArray[np.int64],
) -> NDArray[np.float32]:  # fmt: skip
    """Products of rows `at_left` of `a` with rows `at_right` of `b`, float32 (k,)."""
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    cosine: NDArray[np.float32] = np.empty(len(at_left), dtype=np.float32)
    for start in range(0, len(at_left), 128):  # small enough for the cache
        part = slice(start, start + 128)
        cosine[part] = np.einsum("ij,ij->i", a[at_left[part]], b[at_right[part]])
    return cosine


def _block_means(images: NDArray[np.uint8], grid: int) -> NDArray[np.float32]:
    """uint8 (n, height, width) to float32 (n, grid, grid)."""
    tall, wide = images.shape[1] // grid, images.shape[2] // grid
    kind = np.uint16 if 255 * tall * wide < 2**16 else np.uint32
    rows = np.zeros((len(images), grid, images.shape[2]), dtype=kind)
    for step in range(tall):
        rows += images[:, step::tall]
    sums = np.zeros((len(images), grid, grid), dtype=kind)
    for step in range(wide):
        sums += rows[:, :, step::wide]
    return sums.astype(np.float32) / np.float32(tall * wide)
