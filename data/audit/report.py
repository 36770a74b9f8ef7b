"""What the audit found, as plain values for `benchmarks/reports/audit.json`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.audit.assignment import Source
from data.audit.copies import CANDIDATE, COPY_THRESHOLD, MIRRORED, CopyPairs, connected_groups
from data.audit.manifest import Audit, Images
from data.audit.similarity import TRANSFORMS
from model.config import CLASS_NAMES

THRESHOLDS = (0.95, 0.955, 0.96, 0.965, 0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 0.999)
NOTUMOR = CLASS_NAMES.index("notumor")
BORDERLINE = 10  # pairs on each side of the threshold


def build_report(data: Images, audit: Audit) -> dict[str, Any]:
    """The figures, JSON-ready.

    Returns:
        `images`, `threshold`, `candidate`, `pairs` (place -> transform -> class or all), `test`
        (test images with copies in Training), `groups`, `label_conflicts`, `sensitivity`,
        `outlines` (precision and recall, or null), `borderline`, `blocks`, `roles`, `folds`,
        `folds_from`.
    """
    copies = audit.pairs.where(audit.pairs.similarity >= COPY_THRESHOLD)
    return {
        "images": {
            "Training": count(data.labels[~data.testing]),
            "Testing": count(data.labels[data.testing]),
        },
        "threshold": COPY_THRESHOLD,
        "candidate": CANDIDATE,
        "pairs": pair_counts(data, copies),
        "test": test_counts(data, audit),
        "groups": group_sizes(audit.groups),
        "label_conflicts": label_conflicts(data, audit.groups),
        "sensitivity": [sensitivity(data, audit, level) for level in THRESHOLDS],
        "outlines": None if audit.source is None else agreement(audit, COPY_THRESHOLD),
        "borderline": borderline(data, straight(audit.pairs)),
        "blocks": audit.blocks,
        "roles": {
            protocol: _by_value(data.labels, audit.columns[protocol])
            for protocol in ("official", "clean")
        },
        "folds": _by_value(data.labels, audit.columns["fold"]),
        "folds_from": audit.folds,
    }


def count(labels: NDArray[np.int64]) -> dict[str, int]:
    """Images of each class and in all."""
    numbers = np.bincount(labels, minlength=len(CLASS_NAMES)).tolist()
    return dict(zip(CLASS_NAMES, numbers, strict=True)) | {"all": len(labels)}


def straight(pairs: CopyPairs) -> CopyPairs:
    """The plain and the mirrored ones."""
    return pairs.where(pairs.transform <= MIRRORED)


def pair_counts(data: Images, copies: CopyPairs) -> dict[str, dict[str, dict[str, int]]]:
    """Pairs by place, transform and class of the pair's left image."""
    left, right = data.testing[copies.left], data.testing[copies.right]
    places = {
        "within Training": ~left & ~right,
        "within Testing": left & right,
        "across": left != right,
    }
    return {
        place: {
            name: count(data.labels[copies.left[inside & (copies.transform == number)]])
            for number, name in enumerate(TRANSFORMS)
        }
        for place, inside in places.items()
    }


def test_counts(data: Images, audit: Audit) -> dict[str, dict[str, int]]:
    """Test images, and Training images left in `clean`, by their relation to the other split."""
    test, training = data.testing, ~data.testing
    copied = test & np.isin(audit.groups, audit.groups[training])
    turned = test & ~copied & np.isin(audit.related, audit.related[training])
    left = (audit.columns["clean"] == "train") & np.isin(audit.related, audit.related[test])
    return {
        "with_copy_in_training": count(data.labels[copied]),
        "with_turned_copy_alone": count(data.labels[turned]),
        "unseen": count(data.labels[test & ~copied]),
        "clean_training_images_with_turned_copy_in_test": count(data.labels[left]),
    }


def group_sizes(groups: NDArray[np.int64]) -> dict[str, int]:
    """How many groups have each size, by size."""
    sizes = np.bincount(np.bincount(groups))
    return {str(size): int(n) for size, n in enumerate(sizes) if size and n}


def label_conflicts(data: Images, groups: NDArray[np.int64]) -> list[list[str]]:
    """Groups whose files are of several classes."""
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [data.files[rows].tolist() for rows in parts if len(set(data.labels[rows])) > 1]


def sensitivity(data: Images, audit: Audit, level: float) -> dict[str, Any]:
    """What another threshold would find."""
    pairs = straight(audit.pairs)
    pairs = pairs.where(pairs.similarity >= level)
    groups = connected_groups(len(data.files), pairs.left, pairs.right)
    sizes = np.bincount(groups)
    copied = data.testing & np.isin(groups, groups[~data.testing])
    row: dict[str, Any] = {
        "threshold": level,
        "pairs": len(pairs),
        "pairs_of_tumours": int((data.labels[pairs.left] != NOTUMOR).sum()),
        "groups_of_several": int((sizes > 1).sum()),
        "largest_group": int(sizes.max()),
        "test_with_copy_in_training": int(copied.sum()),
    }
    return row if audit.source is None else row | agreement(audit, level)


def agreement(audit: Audit, level: float) -> dict[str, Any]:
    """Precision and recall of plain and of mirrored pairs against the outlines' slice numbers."""
    source = audit.source
    if source is None:
        raise ValueError("`audit` must have a source. Received: None")
    pairs = straight(audit.pairs)
    pairs = pairs.where((pairs.similarity >= level) & _both_known(source, pairs))
    true = (source.numbers[pairs.left] == source.numbers[pairs.right]) & (
        (source.mirrored[pairs.left] != source.mirrored[pairs.right])
        == (pairs.transform == MIRRORED)
    )
    known = {name: _true_pairs(source, number) for name, number in (("plain", 0), ("mirrored", 1))}
    result: dict[str, Any] = {}
    for name, number in (("plain", 0), ("mirrored", MIRRORED)):
        chosen = pairs.transform == number
        right, found = int((true & chosen).sum()), int(chosen.sum())
        result[name] = {
            "true": known[name],
            "found": found,
            "precision": right / found if found else None,
            "recall": right / known[name] if known[name] else None,
        }
    return result


def _both_known(source: Source, pairs: CopyPairs) -> NDArray[np.bool_]:
    both: NDArray[np.bool_] = (source.numbers[pairs.left] >= 0) & (source.numbers[pairs.right] >= 0)
    return both


def _true_pairs(source: Source, mirrored: int) -> int:
    """Pairs of images of one slice, of one handedness or of both."""
    known = source.numbers >= 0
    turned = np.bincount(source.numbers[known], source.mirrored[known])
    plain = np.bincount(source.numbers[known]) - turned
    if mirrored:
        return int((plain * turned).sum())
    return int((plain * (plain - 1) / 2 + turned * (turned - 1) / 2).sum())


def borderline(data: Images, pairs: CopyPairs) -> dict[str, list[dict[str, Any]]]:
    """The pairs nearest to the threshold on both sides, tumours and notumor apart."""

    def listed(wanted: Callable[[NDArray[np.int64]], NDArray[np.bool_]]) -> list[dict[str, Any]]:
        some = pairs.where(wanted(data.labels[pairs.left]))
        order = np.argsort(some.similarity)
        place = int(np.searchsorted(some.similarity[order], COPY_THRESHOLD))
        return [
            {
                "left": str(data.files[some.left[k]]),
                "right": str(data.files[some.right[k]]),
                "similarity": round(float(some.similarity[k]), 4),
                "transform": TRANSFORMS[some.transform[k]],
            }
            for k in order[max(place - BORDERLINE, 0) : place + BORDERLINE]
        ]

    return {"tumours": listed(lambda c: c != NOTUMOR), "notumor": listed(lambda c: c == NOTUMOR)}


def _by_value(labels: NDArray[np.int64], values: NDArray[Any]) -> dict[str, dict[str, int]]:
    return {str(value): count(labels[values == value]) for value in np.unique(values)}


def peak_memory() -> int | None:
    """Largest resident memory of this process so far, in megabytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS, KiB on Linux
    return round(peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024))
