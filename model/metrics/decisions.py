"""Where an answer may be given: thresholds for the finding and the kind, and the largest claim.

Data contract: probabilities float (n, classes), calibrated, rows summing to 1; labels int (n,),
indices into the classes, or their number for a tumor whose kind is not known; weights float (n,).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import CLASS_NAMES, NO_TUMOUR
from model.inference.trust import KINDS, VERY_LIKELY
from model.metrics.accuracy import wilson_interval

COVERAGE = 0.95
"""Share of the tumors of each kind whose kind must remain plausible."""
RIGHT = 0.95
"""Share of the findings on held-out people that must be right, for tumors and for healthy heads."""
LEAST_FINDING = 0.8
"""The smallest probability that is ever called a finding."""
LARGEST_KIND = 0.15
"""A kind with this share of the tumors' probability always remains plausible."""

Probabilities = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


def fit_ceiling(probabilities: Probabilities, labels: Labels) -> float:
    """The largest probability of a finding that the data bear out.

    Of the n answers in the surer half k are wrong: the next one is wrong with probability
    (k + 1) / (n + 2), by Laplace's rule of succession.
    """
    claimed, right = _findings(probabilities, labels)
    surest = np.argsort(-claimed, kind="stable")[: math.ceil(len(claimed) / 2)]
    wrong = int((~right[surest]).sum())
    return 1 - (wrong + 1) / (len(surest) + 2)


def fit_finding_threshold(
    probabilities: Probabilities,
    labels: Labels,
    weights: NDArray[np.float64],
    share_right: float = RIGHT,
) -> float:
    """The smallest probability from which findings, of a tumor or of none, are right often enough.

    Args:
        probabilities, labels, weights: Of images of held-out people.
        share_right: Share of the findings, by weight, that must be right: of those on tumors, and
            of those on healthy heads.

    Returns:
        A number from `LEAST_FINDING` to 1.
    """
    claimed, right = _findings(probabilities, labels)
    order = np.argsort(-claimed, kind="stable")
    claimed, right, weights = claimed[order], right[order], weights[order]
    good = np.append(claimed[1:] < claimed[:-1], True)  # the last of equal claims
    for group in (labels[order] == NO_TUMOUR, labels[order] != NO_TUMOUR):
        counted, of = (np.cumsum(weights * rows) for rows in (group & right, group))
        good &= counted >= share_right * of
    enough = np.flatnonzero(good)
    smallest = claimed[enough[-1]] if len(enough) else 1.0
    return float(max(LEAST_FINDING, smallest))


def fit_kind_threshold(
    probabilities: Probabilities, labels: Labels, coverage: float = COVERAGE
) -> float:
    """The share of the tumors' probability from which a kind remains plausible.

    Class-conditional conformal prediction (Sadinle et al. 2019) among the tumors: each kind gets
    the threshold that keeps `coverage` of the tumors of this kind, and the lowest serves for all,
    so that no kind is said on weaker evidence than another.

    Args:
        probabilities, labels: Of images of held-out people; those of known tumors are looked at.
        coverage: Share of the tumors of each kind.

    Returns:
        A number in (0, `LARGEST_KIND`].

    Raises:
        ValueError: A kind has too few images for this coverage: fewer than
            coverage / (1 - coverage).
    """
    needed = math.ceil(coverage / (1 - coverage) - 1e-9)
    found = [LARGEST_KIND]
    for kind in KINDS:
        rows = labels == kind
        if rows.sum() < needed:
            raise ValueError(
                f"`labels` must hold at least {needed} images of each kind of tumor. "
                f"Received: {int(rows.sum())} of {CLASS_NAMES[kind]}"
            )
        shares = np.sort(probabilities[rows, kind] / (1 - probabilities[rows, NO_TUMOUR]))
        found.append(shares[math.floor((len(shares) + 1) * (1 - coverage) + 1e-9) - 1])
    return float(min(found))


def finding_figures(
    probabilities: Probabilities, labels: Labels, answered: NDArray[np.bool_]
) -> dict[str, Any]:
    """How the findings do on labelled images.

    Args:
        probabilities, labels: As the module says.
        answered: bool (n,), where a finding was given.

    Returns:
        JSON-ready: `images`, `answered` (share), `right_of_answered` (null where none was) and
        `words`: for "very likely" and "likely" the `images` that were answered so, the share
        `right` (null without an image) and its interval `right_95`.
    """
    claimed, right = _findings(probabilities, labels)
    very = claimed >= VERY_LIKELY
    words = {"very likely": answered & very, "likely": answered & ~very}
    return {
        "images": len(labels),
        "answered": float(answered.mean()),
        "right_of_answered": float(right[answered].mean()) if answered.any() else None,
        "words": {
            word: {
                "images": int(rows.sum()),
                "right": float(right[rows].mean()) if rows.any() else None,
                "right_95": list(wilson_interval(int(right[rows].sum()), int(rows.sum()))),
            }
            for word, rows in words.items()
        },
    }


def kind_figures(labels: Labels, plausible: NDArray[np.bool_]) -> dict[str, Any]:
    """How the kinds do on tumors of known kind that were not called none.

    Args:
        labels: As the module says.
        plausible: bool (n, classes), of `model.inference.trust.Trust.plausible`.

    Returns:
        JSON-ready: `images`, `coverage_of_kind` (share of each kind that remained plausible, null
        without an image), `clear` (share with one plausible kind) and `right_of_clear`.
    """
    rows = np.isin(labels, KINDS) & plausible[:, KINDS].any(axis=1)
    labels, plausible = labels[rows], plausible[rows]
    held = plausible[np.arange(len(labels)), labels]
    clear = plausible[:, KINDS].sum(axis=1) == 1
    return {
        "images": len(labels),
        "coverage_of_kind": {
            CLASS_NAMES[k]: float(held[labels == k].mean()) if (labels == k).any() else None
            for k in KINDS
        },
        "clear": float(clear.mean()) if len(labels) else None,
        "right_of_clear": float(held[clear].mean()) if clear.any() else None,
    }


def _findings(
    probabilities: Probabilities, labels: Labels
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How probable the likelier finding is, and whether it is right."""
    tumor = 1 - probabilities[:, NO_TUMOUR].astype(np.float64)
    right = (tumor > 0.5) == (labels != NO_TUMOUR)
    return np.maximum(tumor, 1 - tumor), np.asarray(right)
