"""Groups of images that look alike, which the validation split of a training run keeps whole.

A coarse and quick search: 32 x 32 block means, centred and scaled to unit norm; two images look
alike when the cosine of one with the other, or with the other's left-right mirror image, is above
0.99. The shipped run was divided by these groups, so they stay as they are. `model.audit` looks
closer: it finds copies over shifts and tone curves, and tells neighbouring slices from copies.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from model.audit.similarity import GRID, signatures

LIKENESS = 0.99
_ROWS = 1024


def alike_pairs(
    left: NDArray[np.float32], right: NDArray[np.float32], threshold: float = LIKENESS
) -> NDArray[np.int64]:
    """Pairs of rows of two signature arrays that look alike, plainly or mirrored.

    Args:
        left: float32 (n, 32, 32), from `signatures`.
        right: float32 (m, 32, 32).
        threshold: Cosine above which two images look alike.

    Returns:
        int64 (pairs, 2): row in `left`, row in `right`. A row with itself is included when
        both arrays are the same, but for flat images, which are like nothing.
    """
    flat = right.reshape(-1, GRID * GRID).T
    mirrored = right[:, :, ::-1].reshape(-1, GRID * GRID).T
    found = []
    for start in range(0, len(left), _ROWS):
        block = left[start : start + _ROWS].reshape(-1, GRID * GRID)
        similar = np.maximum(block @ flat, block @ mirrored) > threshold
        rows, columns = np.nonzero(similar)
        found.append(np.stack([rows + start, columns], axis=1))
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    return np.concatenate(found).astype(np.int64)


def alike_groups(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Numbers the connected groups.

    Args:
        images: uint8 (n, height, width, 1), sides multiples of 32.

    Returns:
        int64 (n,): group number of each image; an image like no other has its own.
    """
    rows = signatures(images)
    pairs = alike_pairs(rows, rows)
    graph = coo_array(
        (np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])),
        shape=(len(images), len(images)),
    )
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups
