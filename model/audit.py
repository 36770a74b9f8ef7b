"""Near-identical and mirrored copies among images.

Method: 32 x 32 block means, centred and scaled to unit norm; two images are copies when the
cosine of one with the other, or with the other's left-right mirror image, is above 0.99.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

COPY_THRESHOLD = 0.99
_GRID = 32
_ROWS = 1024


def signatures(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Block means, centred, unit norm.

    Args:
        images: uint8 (n, height, width, 1), height and width multiples of 32.

    Returns:
        float32 (n, 32, 32); zeros for a flat image.

    Raises:
        ValueError: The height or width is not a multiple of 32.
    """
    n, height, width = images.shape[:3]
    if height % _GRID or width % _GRID:
        raise ValueError(
            f"`images` must have sides that are multiples of {_GRID}. Received: {images.shape}"
        )
    blocks = images.reshape(n, _GRID, height // _GRID, _GRID, width // _GRID)
    means = blocks.mean(axis=(2, 4), dtype=np.float32)  # (n, 32, 32)
    means -= means.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt((means**2).sum(axis=(1, 2), keepdims=True))
    scaled: NDArray[np.float32] = means / np.maximum(norms, 1e-6)
    return scaled


def copy_pairs(
    left: NDArray[np.float32], right: NDArray[np.float32], threshold: float = COPY_THRESHOLD
) -> NDArray[np.int64]:
    """Pairs of rows of two signature arrays that are copies or mirrored copies.

    Args:
        left: float32 (n, 32, 32), from `signatures`.
        right: float32 (m, 32, 32).
        threshold: Cosine above which two images are copies.

    Returns:
        int64 (pairs, 2): row in `left`, row in `right`. A row with itself is included when
        both arrays are the same, but for flat images, which are copies of nothing.
    """
    flat = right.reshape(-1, _GRID * _GRID).T
    mirrored = right[:, :, ::-1].reshape(-1, _GRID * _GRID).T
    found = []
    for start in range(0, len(left), _ROWS):
        block = left[start : start + _ROWS].reshape(-1, _GRID * _GRID)
        similar = np.maximum(block @ flat, block @ mirrored) > threshold
        rows, columns = np.nonzero(similar)
        found.append(np.stack([rows + start, columns], axis=1))
    if not found:
        return np.empty((0, 2), dtype=np.int64)
    return np.concatenate(found).astype(np.int64)


def copy_groups(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Numbers the connected groups of copies.

    Args:
        images: uint8 (n, height, width, 1), sides multiples of 32.

    Returns:
        int64 (n,): group number of each image; an image without a copy has its own.
    """
    rows = signatures(images)
    pairs = copy_pairs(rows, rows)
    graph = coo_array(
        (np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])),
        shape=(len(images), len(images)),
    )
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups
