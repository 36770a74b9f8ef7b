"""Blocks of images that are likely to come from one patient, for grouped cross-validation.

Data contract: one entry an image in every array. `numbers`, int64 (n,), are places in the public
figshare collection, -1 where unknown. Signatures are float32 (n, 32, 32), from
`data.audit.similarity.signatures`.

The collection is not in the order of patients alone: it falls into batches, and a batch holds all
its axial, then all its coronal, then all its sagittal slices, each plane with its patients in what
looks like the same order. So one patient has up to three runs of numbers far apart, and a block
joins the same share of each of a batch's runs. Where the outlines name patients, these are the
blocks, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from data.audit.copies import CopyPairs, coarse_pairs, connected_groups, gather
from data.audit.similarity import GRID, TRANSFORMS

BATCHES = (
    (1, 211, 446, 709),  # meningioma
    (709, 736, 836, 918),  # glioma, after six slices of another class
    (918, 1041, 1166, 1283),  # pituitary
    (1283, 1466, 1640, 1841),  # pituitary
    (1841, 2245, 2731, 3065),  # glioma
)
"""First numbers of the axial, coronal and sagittal run of each batch, and the one after its end."""

BLOCK_NUMBERS = 90
"""Numbers in a block, about, over its three runs."""

SLACK = 8
"""By how many numbers a cut may move to where the neighbours are least alike."""

LIKENESS = 0.9
"""Coarse cosine from which two images may be neighbouring slices of one head."""

LARGEST = 150
"""Images in a block that was grown by likeness alone."""

_ROWS = 1024
_COLUMNS = 8192


@dataclass(frozen=True)
class Cuts:
    """How the numbers were divided.

    Attributes:
        blocks: int64 (m,), block of each number, from 0.
        similarity: float32 (cuts,), coarse cosine of the slices on both sides of each cut within
            a run. Neighbours of one patient and plane are mostly above 0.85.
    """

    blocks: NDArray[np.int64]
    similarity: NDArray[np.float32]


def cut_numbers(numbers: NDArray[np.int64], alike: NDArray[np.float32]) -> Cuts:
    """Divides the collection's numbers into blocks.

    Args:
        numbers: int64 (m,), ascending and distinct, from 1.
        alike: float32 (m - 1,), coarse cosine of each slice with the next.

    Returns:
        The blocks; numbers past the table of `BATCHES` form one more.
    """
    blocks = np.full(len(numbers), -1, dtype=np.int64)
    similarity: list[float] = []
    first = 0
    for starts in BATCHES:
        parts = max(1, round((starts[-1] - starts[0]) / BLOCK_NUMBERS))
        for begin, end in pairwise(starts):
            places = [
                _cut(numbers, alike, begin + (end - begin) * k / parts) for k in range(1, parts)
            ]
            low, high = np.searchsorted(numbers, (begin, end))
            similarity += [float(alike[place - 1]) for place in places if low < place < high]
            blocks[low:high] = first + np.searchsorted(places, np.arange(low, high), side="right")
        first += parts
    blocks[blocks < 0] = first
    return Cuts(blocks, np.array(similarity, dtype=np.float32))


def _cut(numbers: NDArray[np.int64], alike: NDArray[np.float32], ideal: float) -> int:
    """Position of the first slice after the cut that is nearest to the number `ideal`."""
    low, high = np.searchsorted(numbers, (ideal - SLACK, ideal + SLACK)).tolist()
    if high <= low:  # no slice is known there, so that any cut between its neighbours will do
        return int(low)
    first, last = max(low, 1), min(high, len(numbers))
    return int(low) if last <= first else first + int(np.argmin(alike[first - 1 : last - 1]))


def nearest(
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
    allowed: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]]:
    """The most similar column of each row, plain or mirrored.

    Args:
        rows: float32 (n, 32, 32), signatures.
        columns: float32 (m, 32, 32).
        allowed: Says of int64 (k,) rows which columns may be theirs: bool (k, m).

    Returns:
        Column int64 (n,), cosine float32 (n,) (-inf where none is allowed), and index into
        `TRANSFORMS`, int8 (n,): identity or mirrored.
    """
    at = np.zeros(len(rows), dtype=np.int64)
    cosine = np.full(len(rows), -np.inf, dtype=np.float32)
    kind = np.zeros(len(rows), dtype=np.int8)
    for top in range(0, len(rows), _ROWS):
        block = slice(top, min(top + _ROWS, len(rows)))
        may = allowed(np.arange(block.start, block.stop))
        for start in range(0, len(columns), _COLUMNS):
            part = slice(start, start + _COLUMNS)
            found = _nearest_of(rows[block], columns[part], may[:, part])
            better = found[1] > cosine[block]  # of equally similar ones the first
            at[block][better] = found[0][better] + start
            cosine[block][better] = found[1][better]
            kind[block][better] = found[2][better]
    return at, cosine, kind


def _nearest_of(
    rows: NDArray[np.float32], columns: NDArray[np.float32], may: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]]:
    """As `nearest`, of all columns that `may` be, bool (n, m), at once."""
    block = rows.reshape(-1, GRID**2)
    plain = block @ columns.reshape(-1, GRID**2).T
    mirrored = block @ columns[:, :, ::-1].reshape(-1, GRID**2).T
    best = np.where(may, np.maximum(plain, mirrored), np.float32(-np.inf))
    at, each = best.argmax(axis=1), np.arange(len(best))
    kind = (mirrored[each, at] > plain[each, at]).astype(np.int8)
    return at, best[each, at], kind


def grow(
    n: int, groups: NDArray[np.int64], pairs: CopyPairs, largest: int = LARGEST
) -> NDArray[np.int64]:
    """Joins groups by their most similar pairs, as long as no block gets too large.

    Args:
        n: Number of images.
        groups: int64 (n,), which stay whole, whatever their size.
        pairs: Similar images; the most similar are joined first.
        largest: Images in a block that is made by joining.

    Returns:
        int64 (n,), block numbers from 0 in order of their first image.
    """
    root = np.unique(groups, return_inverse=True)[1].tolist()
    parents, sizes = list(range(max(root, default=-1) + 1)), np.bincount(root).tolist()

    def find(node: int) -> int:
        while parents[node] != node:
            parents[node] = parents[parents[node]]
            node = parents[node]
        return node

    for k in np.argsort(-pairs.similarity, kind="stable").tolist():
        a, b = find(root[pairs.left[k]]), find(root[pairs.right[k]])
        if a != b and sizes[a] + sizes[b] <= largest:
            parents[b] = a
            sizes[a] += sizes[b]
    blocks = np.array([find(node) for node in root], dtype=np.int64)
    first = np.unique(blocks, return_index=True)[1][np.unique(blocks, return_inverse=True)[1]]
    return connected_groups(n, np.arange(n), first.astype(np.int64))


def likeness_pairs(
    signatures: NDArray[np.float32], labels: NDArray[np.int64], groups: NDArray[np.int64]
) -> CopyPairs:
    """Pairs of one class with a coarse cosine of at least `LIKENESS` under any but quarter turns.

    Args:
        signatures: float32 (n, 32, 32).
        labels: int64 (n,).
        groups: int64 (n,), which stay whole anyway: pairs within one are left out.
    """
    kinds = [name for name in TRANSFORMS if name not in ("rotated_90", "rotated_270")]
    found = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        own = groups[rows]
        parts = coarse_pairs(signatures[rows], least=LIKENESS, transforms=kinds)
        pairs = gather([part.where(own[part.left] != own[part.right]) for part in parts])
        found.append(
            CopyPairs(rows[pairs.left], rows[pairs.right], pairs.similarity, pairs.transform)
        )
    return gather(found)
