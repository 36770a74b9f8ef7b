"""The five folds that the authors of the figshare collection publish, taken over for its slices.

Data contract: one entry an image in every array, folds 0 to 4. `data/figshare-folds.csv` holds the
fold, 1 to 5, of each of the collection's slices; no patient is in two. It is the file `cvind.mat`
of Cheng 2017 (figshare, article 1512427) as text.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.audit.assignment import FOLDS, Source
from data.audit.blocks import nearest

FILE = Path(__file__).resolve().parents[1] / "figshare-folds.csv"
UNKNOWN = -1


def load_published_folds(path: Path = FILE) -> NDArray[np.int64]:
    """Reads the published folds.

    Args:
        path: A CSV file with the columns `slice`, from 1, and `fold`, 1 to 5.

    Returns:
        int64 (slices + 1,), the fold of each slice number, 0 to 4; `UNKNOWN` for a number that
        the file does not have.

    Raises:
        ValueError: The file has other columns or values.
    """
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != ["slice", "fold"]:
            raise ValueError(f"{path} must have the columns slice, fold. Has: {reader.fieldnames}")
        pairs = [(row["slice"], row["fold"]) for row in reader]
    legal = {str(fold + 1) for fold in range(FOLDS)}
    wrong = [f"{s!r}, {f!r}" for s, f in pairs if not s.isdigit() or f not in legal]
    if wrong or not pairs:
        raise ValueError(
            f"{path} must hold slice numbers and folds of 1..{FOLDS}. Received: "
            f"{wrong[0] if wrong else 'no rows'}"
        )
    numbers, folds = np.array(pairs, dtype=np.int64).T
    found = np.full(numbers.max() + 1, UNKNOWN, dtype=np.int64)
    found[numbers] = folds - 1
    return found


def take_over(
    folds: NDArray[np.int64], published: NDArray[np.int64], signatures: NDArray[np.float32],
    labels: NDArray[np.int64], related: NDArray[np.int64], source: Source,
) -> tuple[NDArray[np.int64], dict[str, Any]]:  # fmt: skip
    """Gives the collection's slices their published folds.

    An image whose slice is known gets the fold of its slice, and so do all images of its group of
    copies. The other images of the collection's classes get the fold of the most similar known
    slice of their class, whole groups together. Images of other classes keep theirs.

    Args:
        folds: int64 (n,), folds that were made without the published ones.
        published: From `load_published_folds`.
        signatures: float32 (n, 32, 32).
        labels: int64 (n,).
        related: int64 (n,), groups of copies under every transform.
        source: What is known of the images' origin.

    Returns:
        int64 (n,), and what was measured. A group whose slices are published in two folds is
        counted in `groups_in_two_folds`; then its slices keep those, since a patient divided
        would be worse.
    """
    own = _of_slices(published, source.numbers)
    known = np.flatnonzero(own != UNKNOWN)
    if not len(known):
        return folds, {"made_from": "blocks"}
    first = known[np.unique(related[known], return_index=True)[1]]  # of each group with one
    result, by_group = folds.copy(), np.full(related.max() + 1, UNKNOWN, dtype=np.int64)
    by_group[related[first]] = own[first]
    placed = np.isin(labels, np.unique(labels[known])) & (by_group[related] == UNKNOWN)
    leaders = np.flatnonzero(placed)[np.unique(related[placed], return_index=True)[1]]
    at, _, _ = nearest(
        signatures[leaders], signatures[known],
        lambda rows: labels[leaders[rows], np.newaxis] == labels[known],
    )  # fmt: skip
    by_group[related[leaders]] = own[known[at]]
    moved = by_group[related] != UNKNOWN
    result[moved] = by_group[related[moved]]
    result[known] = own[known]
    pairs = np.unique(np.stack([related[known], own[known]]), axis=1)  # of group and fold
    divided = len(pairs[0]) - len(np.unique(pairs[0]))
    return result, {
        "made_from": "published folds",
        "images_with_known_slice": len(known),
        "images_by_a_copy": int((moved & ~placed & (own == UNKNOWN)).sum()),
        "images_by_nearest_slice": int(placed.sum()),
        "groups_in_two_folds": divided,
        "leave_one_out": _leave_one_out(
            signatures[known], labels[known], own[known], source.numbers[known]
        ),
    }


def _of_slices(published: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The published fold of each image's slice, `UNKNOWN` where there is none."""
    found = np.full(len(numbers), UNKNOWN, dtype=np.int64)
    there = (numbers >= 0) & (numbers < len(published))
    found[there] = published[numbers[there]]
    return found


def _leave_one_out(
    signatures: NDArray[np.float32], labels: NDArray[np.int64],
    folds: NDArray[np.int64], numbers: NDArray[np.int64],
) -> float | None:  # fmt: skip
    """How often the nearest image of another slice of the class has the fold of an image's own."""
    at, cosine, _ = nearest(
        signatures, signatures,
        lambda k: (labels[k, np.newaxis] == labels) & (numbers[k, np.newaxis] != numbers),
    )  # fmt: skip
    found = np.isfinite(cosine)
    return float((folds[at] == folds)[found].mean()) if found.any() else None
