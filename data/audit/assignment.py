"""Which block, fold and role each image gets: the content of the split manifest.

Data contract: one entry an image of both splits in every array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from data.audit.blocks import Cuts, cut_numbers, grow, likeness_pairs, nearest  # fmt: skip
from data.audit.copies import connected_groups
from data.audit.similarity import transformed
from model.config import CLASS_NAMES

FOLDS = 5
VALIDATION_PARTS = 10  # one of them is the validation set
SEED = 2026


@dataclass(frozen=True)
class Source:
    """What the outlines say about each image's origin.

    Attributes:
        numbers: int64 (n,), number of the slice in the collection, -1 where unknown.
        mirrored: bool (n,), whether the image is the slice's mirror image.
        patients: str (n,), the collection's patient id, "" where unknown.
    """

    numbers: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    patients: NDArray[np.str_]


def assign_blocks(
    signatures: NDArray[np.float32], labels: NDArray[np.int64], related: NDArray[np.int64],
    source: Source | None,
) -> tuple[NDArray[np.int64], dict[str, Any]]:  # fmt: skip
    """Blocks that hold whole groups and, as far as can be known, whole patients.

    Images with a known place get the block of that place; images of the classes that have such
    places, but none of their own, that of the nearest of their class that has one. The rest,
    and everything where there is no `source`, is joined by likeness.

    Args:
        signatures: float32 (n, 32, 32).
        labels: int64 (n,).
        related: int64 (n,), groups of copies under every transform; they stay whole.
        source: What is known of the images' origin.

    Returns:
        int64 (n,), block numbers from 0 in order of their first image, and what was measured.
    """
    by_likeness = grow(len(labels), related, likeness_pairs(signatures, labels, related))
    if source is None or not (source.numbers >= 0).any():
        return by_likeness, {"made_from": "likeness"}
    upright = signatures.copy()
    upright[source.mirrored] = transformed(signatures[source.mirrored], 1)
    known = np.flatnonzero(source.numbers >= 0)
    of_known, measured = _known_blocks(upright, labels, known, source)
    unknown = np.flatnonzero((source.numbers < 0) & np.isin(labels, np.unique(labels[known])))
    at, _, _ = nearest(
        signatures[unknown], upright[known],
        lambda rows: labels[unknown[rows], np.newaxis] == labels[known],
    )  # fmt: skip
    blocks = by_likeness + int(of_known.max()) + 1
    blocks[unknown] = of_known[at]
    blocks[known] = of_known
    measured["likeness_alone"] = _compare(by_likeness[known], of_known, source.numbers[known])
    alone = ~np.isin(related[unknown], related[known])
    measured["placed_by_nearest_slice"] = int(alone.sum())
    return _whole_groups(blocks, related, source.numbers >= 0), measured


def _known_blocks(
    upright: NDArray[np.float32], labels: NDArray[np.int64], known: NDArray[np.int64],
    source: Source,
) -> tuple[NDArray[np.int64], dict[str, Any]]:  # fmt: skip
    """Blocks of the images `known`, int64 (k,), and how well a nearest slice would tell them."""
    numbers, first, inverse = np.unique(
        source.numbers[known], return_index=True, return_inverse=True
    )
    rows = upright[known[first]]
    alike = np.einsum("ijk,ijk->i", rows[:-1], rows[1:])
    patients = source.patients[known]
    if (patients != "").all():
        cuts = Cuts(np.unique(patients[first], return_inverse=True)[1], alike[:0])
        made_from = "patients"
    else:
        cuts, made_from = cut_numbers(numbers, alike), "numbers"
    measured = {
        "made_from": made_from,
        "numbers": len(numbers),
        "blocks": len(np.unique(cuts.blocks)),
        "cuts": len(cuts.similarity),
        "similarity_at_cuts": _quantiles(cuts.similarity),
        "similarity_of_neighbours": _quantiles(alike),
        "leave_one_out": _leave_one_out(rows, labels[known[first]], numbers, cuts.blocks),
    }
    return cuts.blocks[inverse], measured


def _leave_one_out(
    rows: NDArray[np.float32], labels: NDArray[np.int64], numbers: NDArray[np.int64],
    blocks: NDArray[np.int64],
) -> dict[str, Any]:  # fmt: skip
    """How often the nearest other slice of its class gives a slice its own block."""
    at, _, _ = nearest(
        rows, rows,
        lambda k: (labels[k, np.newaxis] == labels) & (numbers[k, np.newaxis] != numbers),
    )  # fmt: skip
    same = blocks[at] == blocks
    return {
        "same_block": float(same.mean()),
        "within_10_numbers": float((np.abs(numbers[at] - numbers) <= 10).mean()),
        "by_class": {CLASS_NAMES[c]: float(same[labels == c].mean()) for c in np.unique(labels)},
    }


def _quantiles(values: NDArray[np.float32]) -> list[float] | None:
    """Least, quartiles and largest."""
    return [float(v) for v in np.quantile(values, (0, 0.25, 0.5, 0.75, 1))] if len(values) else None


def _compare(
    found: NDArray[np.int64], truth: NDArray[np.int64], numbers: NDArray[np.int64]
) -> dict[str, float | None]:
    """How blocks made by likeness agree with those made from numbers, on the same images."""
    order = np.argsort(numbers, kind="stable")
    found, truth, numbers = found[order], truth[order], numbers[order]
    next_to = (np.diff(numbers) == 1) & (truth[1:] == truth[:-1])
    together = found[1:][next_to] == found[:-1][next_to]
    pure = sum(np.bincount(truth[found == block]).max() for block in np.unique(found))
    return {
        "blocks": float(len(np.unique(found))),
        "neighbours_together": float(together.mean()) if len(together) else None,
        "purity": float(pure / len(found)),
    }


def _whole_groups(
    blocks: NDArray[np.int64], related: NDArray[np.int64], known: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Gives each group one block: that of its first image with a known place, or else its first."""
    order = np.lexsort((np.arange(len(blocks)), ~known, related))
    groups, first = np.unique(related[order], return_index=True)
    leader = order[first][np.searchsorted(groups, related)]
    first_of_block = np.unique(blocks[leader], return_index=True, return_inverse=True)
    return connected_groups(
        len(blocks), np.arange(len(blocks)), first_of_block[1][first_of_block[2]].astype(np.int64)
    )


def assign_folds(labels: NDArray[np.int64], blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Folds 0 to 4 that keep blocks whole and classes in proportion, int64 (n,)."""
    folds = np.zeros(len(labels), dtype=np.int64)
    if len(np.unique(blocks)) < FOLDS:
        raise ValueError(
            f"`blocks` must be at least {FOLDS} for as many folds. Received: "
            f"{len(np.unique(blocks))}"
        )
    splitter = StratifiedGroupKFold(n_splits=FOLDS, shuffle=True, random_state=SEED)
    for fold, (_, inside) in enumerate(splitter.split(labels, labels, blocks)):
        folds[inside] = fold
    return folds


def assign_roles(
    labels: NDArray[np.int64], testing: NDArray[np.bool_],
    groups: NDArray[np.int64], related: NDArray[np.int64],
    kept: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:  # fmt: skip
    """Roles under the protocols `official` and `clean`.

    Either's validation set is a tenth of the Training images that have no copy in Testing under
    any transform, in whole groups, stratified by class: the same tenth, unless `kept` says which
    images networks have been held out of already.

    Args:
        labels: int64 (n,).
        testing: bool (n,), whether the image is of Testing.
        groups: int64 (n,), groups of plain and mirrored copies; they decide what is excluded.
        related: int64 (n,), groups of copies under every transform; they decide the validation.
        kept: bool (n,), images of an earlier validation set: those of them whose whole group is
            kept, and free of Testing, are the validation set of `official`.

    Returns:
        Two str (n,): train, validation or test; and the same or excluded.

    Raises:
        ValueError: None of the kept images can stay in the validation set.
    """
    free = ~testing & ~np.isin(related, related[testing])
    rows = np.flatnonzero(free)
    splitter = StratifiedGroupKFold(n_splits=VALIDATION_PARTS, shuffle=True, random_state=SEED)
    _, chosen = next(splitter.split(rows, labels[rows], related[rows]))
    tenth = np.zeros(len(labels), dtype=bool)
    tenth[rows[chosen]] = True
    held_out = tenth if kept is None else free & kept & ~np.isin(related, related[~kept])
    if not held_out.any():
        raise ValueError(
            "`kept` must hold whole groups of copies without one in Testing. Received: "
            f"{int(np.sum(kept if kept is not None else 0))} images, none of them in one"
        )
    parts = np.where(testing, "test", "train").astype("<U10")
    official, clean = (np.where(part, "validation", parts) for part in (held_out, tenth))
    clean[~testing & np.isin(groups, groups[testing])] = "excluded"
    return official, clean
