"""Copies of one original among images: plain, mirrored, upside down, or turned by quarters.

Data contract: images are uint8 (n, side, side, 1), `side` a multiple of 32.

Two stages. The coarse one compares 32 x 32 block means, centred and scaled to unit norm, of every
image with every other, under every transform; pairs with a cosine of at least `CANDIDATE` go on.
The fine one correlates what is left of each of the two after a local mean is taken away, on about
112 x 112 pixels. The similarity of a pair is 1
minus the geometric mean of the two distances, (1 - coarse) and (1 - fine): a change of contrast
or brightness moves the first and hardly the second, sharpening and compression the second and
hardly the first, whereas a neighbouring slice of the same head is off in both. Both stages are
repeated with the right image moved by a pixel where that can matter. A pair has one transform, the most similar: nearly symmetric heads are not their own mirror images in detail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

COPY_THRESHOLD = 0.975
"""Similarity from which two images are copies; benchmarks/reports/audit.md shows its margin."""

CANDIDATE = 0.95
"""Coarse cosine from which a pair is looked at closely."""

TRANSFORMS = (
    "identity", "mirrored", "upside_down", "rotated_90", "rotated_180", "rotated_270",
)  # fmt: skip
"""What was done to the right image of a pair to give the left one; turns are anticlockwise."""

MIRRORED = TRANSFORMS.index("mirrored")
_GRID = 32
_FINE = 112
_WINDOW = 9  # pixels of the fine grid in the local mean
_ROWS = 4096
_COLUMNS = 8192
_PAIRS = 8192
_SHIFTS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)
_HOPELESS = 0.88  # similarity that no shift by a pixel lifts to that of a copy
_SETTLED = 0.98  # similarity from which no shift is tried


@dataclass(frozen=True)
class CopyPairs:
    """Pairs of copies, sorted by left and right row; a pair of rows stands once.

    Attributes:
        left: int64 (pairs,), rows of the left images.
        right: int64 (pairs,), rows of the right images.
        similarity: float32 (pairs,), at most 1.
        transform: int8 (pairs,), indices into `TRANSFORMS`.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    similarity: NDArray[np.float32]
    transform: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.left)

    def where(self, kept: NDArray[np.bool_]) -> CopyPairs:
        """The pairs at which `kept`, bool (pairs,), is true."""
        return CopyPairs(
            self.left[kept], self.right[kept], self.similarity[kept], self.transform[kept]
        )


def signatures(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Block means, centred, unit norm.

    Args:
        images: uint8 (n, height, width, 1), height and width multiples of 32.

    Returns:
        float32 (n, 32, 32); zeros for a flat image.

    Raises:
        ValueError: The height or width is not a multiple of 32.
    """
    height, width = images.shape[1:3]
    if height % _GRID or width % _GRID:
        raise ValueError(
            f"`images` must have sides that are multiples of {_GRID}. Received: {images.shape}"
        )
    found = np.empty((len(images), _GRID, _GRID), dtype=np.float32)
    for start in range(0, len(images), _ROWS):
        means = _block_means(images[start : start + _ROWS, :, :, 0], _GRID)
        means -= means.mean(axis=(1, 2), keepdims=True)
        norms = np.sqrt((means**2).sum(axis=(1, 2), keepdims=True))
        found[start : start + _ROWS] = means / np.maximum(norms, 1e-6)
    return found


def find_copies(
    left: NDArray[np.uint8],
    right: NDArray[np.uint8] | None = None,
    *,
    threshold: float = COPY_THRESHOLD,
    transforms: Sequence[str] = ("identity", "mirrored"),
) -> CopyPairs:
    """Finds the pairs of images that show one original.

    Args:
        left: uint8 (n, side, side, 1), `side` a multiple of 32.
        right: uint8 (m, side, side, 1), or None to compare `left` with itself: then each pair
            stands once, with its left row below its right row, and no row is its own copy.
        threshold: Smallest similarity of a pair; pairs with a coarse cosine below `CANDIDATE`
            are never found.
        transforms: Which of `TRANSFORMS` to look for.

    Returns:
        The pairs, each with its most similar transform. A flat image is a copy of nothing.

    Raises:
        ValueError: An image is not square with a side that is a multiple of 32, the two arrays
            differ in size, or a transform is unknown.
    """
    other = left if right is None else right
    _require_alike(left, other, transforms)
    rows = signatures(left)
    columns = rows if right is None else signatures(other)
    found = [
        _verified(left, other, pairs, threshold)
        for pairs in _candidates(rows, columns, transforms, right is None)
    ]
    return _best(found)


def copy_groups(
    images: NDArray[np.uint8], threshold: float = COPY_THRESHOLD
) -> NDArray[np.int64]:
    """Numbers the connected groups of copies and mirrored copies.

    Args:
        images: uint8 (n, side, side, 1), `side` a multiple of 32.
        threshold: As for `find_copies`.

    Returns:
        int64 (n,): group number of each image; an image without a copy has its own.
    """
    pairs = find_copies(images, threshold=threshold)
    return connected_groups(len(images), pairs.left, pairs.right)


def connected_groups(
    n: int, left: NDArray[np.int64], right: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Numbers the connected components of `n` nodes with edges `left[k]` to `right[k]`.

    Returns:
        int64 (n,), numbered from 0 in the order of each component's first node.
    """
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    first, inverse = np.unique(labels, return_index=True, return_inverse=True)[1:]
    numbers: NDArray[np.int64] = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return numbers


def transformed(images: NDArray[np.generic], transform: int) -> NDArray[np.generic]:
    """Images (n, side, side, ...) under one of `TRANSFORMS`, as a view."""
    name = TRANSFORMS[transform]
    if name == "mirrored":
        return images[:, :, ::-1]
    if name == "upside_down":
        return images[:, ::-1]
    turns = 0 if name == "identity" else int(name.removeprefix("rotated_")) // 90
    return np.rot90(images, turns, axes=(1, 2))


def _require_alike(
    left: NDArray[np.uint8], right: NDArray[np.uint8], transforms: Sequence[str]
) -> None:
    for images in (left, right):
        if images.ndim != 4 or images.shape[1] != images.shape[2]:
            raise ValueError(f"Images must be (n, side, side, 1). Received: {images.shape}")
    if left.shape[1:] != right.shape[1:]:
        raise ValueError(
            f"`left` and `right` must have one size. Received: {left.shape} and {right.shape}"
        )
    unknown = set(transforms) - set(TRANSFORMS)
    if unknown:
        raise ValueError(
            f"`transforms` must be among {', '.join(TRANSFORMS)}. Received: {sorted(unknown)}"
        )


def _candidates(
    rows: NDArray[np.float32], columns: NDArray[np.float32], transforms: Sequence[str], own: bool
) -> Iterator[CopyPairs]:
    """Pairs that pass the coarse stage, block by block and transform by transform."""
    for name in transforms:
        number = TRANSFORMS.index(name)
        flat = np.ascontiguousarray(transformed(columns, number)).reshape(-1, _GRID**2)
        for top in range(0, len(rows), _ROWS):
            block = rows[top : top + _ROWS].reshape(-1, _GRID**2)
            for start in range(top if own else 0, len(flat), _COLUMNS):
                cosine = block @ flat[start : start + _COLUMNS].T
                i, j = np.nonzero(cosine >= CANDIDATE)
                keep = i + top < j + start if own else np.ones(len(i), dtype=bool)
                i, j = i[keep], j[keep]
                kind = np.full(len(i), number, dtype=np.int8)
                yield CopyPairs(
                    (i + top).astype(np.int64), (j + start).astype(np.int64), cosine[i, j], kind
                )


def _verified(
    left: NDArray[np.uint8], right: NDArray[np.uint8], pairs: CopyPairs, threshold: float
) -> CopyPairs:
    """Candidates of one transform whose coarse cosine and detail together reach `threshold`."""
    similarity = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _PAIRS):
        part = slice(start, start + _PAIRS)
        i, at_left = np.unique(pairs.left[part], return_inverse=True)
        j, at_right = np.unique(pairs.right[part], return_inverse=True)
        own, other = left[i], transformed(right[j], int(pairs.transform[start]))
        fine = _cosine(_detail(own), _detail(other), at_left, at_right)
        best = _similarity(pairs.similarity[part], fine)
        unclear = (best > _HOPELESS) & (best < _SETTLED)
        if unclear.any():
            shifted = _shifted_similarity(own, other, at_left[unclear], at_right[unclear])
            best[unclear] = np.maximum(best[unclear], shifted)
        similarity[part] = best
    scored = CopyPairs(pairs.left, pairs.right, similarity, pairs.transform)
    return scored.where(similarity >= threshold)


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


def _best(found: Sequence[CopyPairs]) -> CopyPairs:
    """All pairs together, sorted, each with its most similar transform alone."""
    left = np.concatenate([p.left for p in found] or [np.empty(0, dtype=np.int64)])
    right = np.concatenate([p.right for p in found] or [np.empty(0, dtype=np.int64)])
    similarity = np.concatenate([p.similarity for p in found] or [np.empty(0, dtype=np.float32)])
    transform = np.concatenate([p.transform for p in found] or [np.empty(0, dtype=np.int8)])
    order = np.lexsort((transform, -similarity, right, left))
    pairs = CopyPairs(left, right, similarity, transform).where(order)
    again = (np.diff(pairs.left, prepend=-1) == 0) & (np.diff(pairs.right, prepend=-1) == 0)
    return pairs.where(~again)


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
