"""Copies of one original among images: plain, mirrored, upside down, or turned by quarters.

Data contract: images are uint8 (n, side, side, 1), `side` a multiple of 32.

Two stages. The coarse one compares the block means of every image with every other's under every
transform; pairs with a cosine of at least `CANDIDATE` go on to `data.audit.similarity`, which
looks at their detail. A pair has one transform, the most similar: nearly symmetric heads are not
their own mirror images in detail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from data.audit.similarity import GRID, TRANSFORMS, signatures, similarities, transformed
from data.dataset.image_store import ImageArray

COPY_THRESHOLD = 0.975
"""Similarity from which two images are copies; benchmarks/reports/audit.md shows its margin."""

CANDIDATE = 0.95
"""Coarse cosine from which a pair is looked at closely."""

MIRRORED = TRANSFORMS.index("mirrored")
_ROWS = 2048
_COLUMNS = 8192
_PAIRS = 1024  # of which both images, and their details, are in memory at once


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

    def where(self, kept: NDArray[np.bool_] | NDArray[np.int64]) -> CopyPairs:
        """The pairs that `kept` picks: bool (pairs,), or int64 positions."""
        return CopyPairs(
            self.left[kept], self.right[kept], self.similarity[kept], self.transform[kept]
        )


def find_copies(
    left: ImageArray,
    right: ImageArray | None = None,
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
    columns = None if right is None else signatures(right)
    candidates = coarse_pairs(signatures(left), columns, transforms=transforms)
    return gather([verified(left, other, pairs, threshold) for pairs in candidates])


def copy_groups(images: ImageArray, threshold: float = COPY_THRESHOLD) -> NDArray[np.int64]:
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


def _require_alike(left: ImageArray, right: ImageArray, transforms: Sequence[str]) -> None:
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


def coarse_pairs(
    rows: NDArray[np.float32],
    columns: NDArray[np.float32] | None = None,
    *,
    least: float = CANDIDATE,
    transforms: Sequence[str] = ("identity", "mirrored"),
) -> Iterator[CopyPairs]:
    """Pairs of signatures, block by block, with the cosine as their similarity.

    Args:
        rows: float32 (n, 32, 32), from `signatures`.
        columns: float32 (m, 32, 32), or None to compare `rows` with itself, each pair once.
        least: Smallest cosine.
        transforms: Which of `TRANSFORMS` to look for.

    Yields:
        Pairs of one transform each; the same rows may come again under another transform.
    """
    own = columns is None
    columns = rows if columns is None else columns
    for name in transforms:
        number = TRANSFORMS.index(name)
        flat = np.ascontiguousarray(transformed(columns, number)).reshape(-1, GRID**2)
        for top in range(0, len(rows), _ROWS):
            block = rows[top : top + _ROWS].reshape(-1, GRID**2)
            for start in range(top if own else 0, len(flat), _COLUMNS):
                cosine = block @ flat[start : start + _COLUMNS].T
                i, j = np.nonzero(cosine >= least)
                keep = i + top < j + start if own else np.ones(len(i), dtype=bool)
                i, j = i[keep], j[keep]
                kind = np.full(len(i), number, dtype=np.int8)
                yield CopyPairs(
                    (i + top).astype(np.int64), (j + start).astype(np.int64), cosine[i, j], kind
                )


def verified(left: ImageArray, right: ImageArray, pairs: CopyPairs, threshold: float) -> CopyPairs:
    """Coarse pairs of one transform whose similarity, put in place of the cosine, is enough."""
    similarity = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _PAIRS):
        part = slice(start, start + _PAIRS)
        similarity[part] = similarities(
            left, right, pairs.left[part], pairs.right[part], pairs.similarity[part],
            int(pairs.transform[start]),
        )  # fmt: skip
    scored = CopyPairs(pairs.left, pairs.right, similarity, pairs.transform)
    return scored.where(similarity >= threshold)


def gather(found: Sequence[CopyPairs]) -> CopyPairs:
    """All pairs together, sorted, each with its most similar transform alone."""
    none = np.empty(0, dtype=np.int64)
    found = [CopyPairs(none, none, none.astype(np.float32), none.astype(np.int8)), *found]
    left, right, similarity, transform = (
        np.concatenate([getattr(pairs, name) for pairs in found])
        for name in ("left", "right", "similarity", "transform")
    )
    order = np.lexsort((transform, -similarity, right, left))
    pairs = CopyPairs(left, right, similarity, transform).where(order)
    again = (np.diff(pairs.left, prepend=-1) == 0) & (np.diff(pairs.right, prepend=-1) == 0)
    return pairs.where(~again)
