"""Whether probabilities are worth their number: temperature, calibration errors, Brier score.

Plain NumPy and SciPy. Data contract: probabilities float (n, classes), rows summing to 1; labels
int (n,), indices into the classes. Temperatures act on log-probabilities, which do as well as
logits (Guo et al. 2017) and exist for averages of two softmaxes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import NO_TUMOUR
from model.inference.temperature import softmax

BINS = 15
_RANGE = (0.05, 20.0)

Probabilities = NDArray[np.floating[Any]]
Bin = dict[str, float | int]


def fit_temperature(
    logits: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The temperature with the lowest negative log-likelihood.

    Args:
        logits: float (n, classes), or log-probabilities, of validation images.
        labels: Their classes; the number of classes for a tumor whose kind is not known, of which
            any kind is as good (the superset loss, -log(1 - p(notumor))).
        weights: float (n,), how much each image counts; by default all the same.

    Returns:
        A number in [0.05, 20]; above 1 where the network was too sure.

    Raises:
        ValueError: There is no image, or the shapes do not fit.
    """
    from scipy.optimize import minimize_scalar

    _check(logits, labels)

    def loss(log_temperature: float) -> float:
        true = true_probabilities(softmax(logits, float(np.exp(log_temperature))), labels)
        return float(-np.average(np.log(np.maximum(true, 1e-300)), weights=weights))

    found = minimize_scalar(loss, bounds=tuple(np.log(_RANGE)), method="bounded")
    return float(np.exp(found.x))


def true_probabilities(
    probabilities: Probabilities, labels: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probability of each image's class, or of any tumor where its kind is not known: (n,)."""
    rows = np.flatnonzero(labels < probabilities.shape[1])
    found = np.asarray(1 - probabilities[:, NO_TUMOUR].astype(np.float64))
    found[rows] = probabilities[rows, labels[rows]]
    return found


def reliability(
    probabilities: Probabilities,
    labels: NDArray[np.int64],
    bins: int = BINS,
    *,
    equal_mass: bool = False,
) -> list[Bin]:
    """Bins of confidence, as a reliability diagram shows them.

    Args:
        probabilities, labels: As the module says.
        bins: Number of bins of equal width in [0, 1], or of equally many images.
        equal_mass: True for equally many images.

    Returns:
        For each bin that holds an image, by rising confidence: `low` and `high` (its bounds),
        `images`, `confidence` (mean) and `accuracy`.
    """
    _check(probabilities, labels)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    if equal_mass:
        groups = np.array_split(np.argsort(confidence, kind="stable"), bins)
        bounds = [(confidence[g[0]], confidence[g[-1]]) for g in groups if len(g)]
    else:
        place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # (low, high]
        groups = [np.flatnonzero(place == number) for number in range(bins)]
        bounds = [(k / bins, (k + 1) / bins) for k in range(bins) if len(groups[k])]
    return [
        {
            "low": float(low),
            "high": float(high),
            "images": len(group),
            "confidence": float(confidence[group].mean()),
            "accuracy": float(right[group].mean()),
        }
        for group, (low, high) in zip((g for g in groups if len(g)), bounds, strict=True)
    ]


def calibration_error(
    probabilities: Probabilities,
    labels: NDArray[np.int64],
    bins: int = BINS,
    *,
    equal_mass: bool = False,
) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over images."""
    return error_of_bins(reliability(probabilities, labels, bins, equal_mass=equal_mass))


def error_of_bins(bins: Sequence[Bin]) -> float:
    """The expected calibration error of bins of `reliability`, at least one."""
    images = sum(b["images"] for b in bins)
    return float(sum(b["images"] * abs(b["confidence"] - b["accuracy"]) for b in bins) / images)


def pool_bins(several: Sequence[Sequence[Bin]]) -> list[Bin]:
    """Bins of equal width over the images of several sets together.

    Args:
        several: For each set what `reliability` gives, with one number of bins.

    Returns:
        The bins that it would give for all the images at once.
    """
    together: dict[float, list[Bin]] = {}
    for bins in several:
        for row in bins:
            together.setdefault(row["low"], []).append(row)
    return [_merge(rows) for _, rows in sorted(together.items())]


def _merge(rows: list[Bin]) -> Bin:
    images = sum(row["images"] for row in rows)
    return {"low": rows[0]["low"], "high": rows[0]["high"], "images": images} | {
        name: sum(row["images"] * row[name] for row in rows) / images
        for name in ("confidence", "accuracy")
    }


def brier_score(probabilities: Probabilities, labels: NDArray[np.int64]) -> float:
    """Mean squared distance from the true class's corner, summed over classes: 0 to 2."""
    _check(probabilities, labels)
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities.astype(np.float64) - truth) ** 2).sum(axis=1).mean())


def calibration_figures(probabilities: Probabilities, labels: NDArray[np.int64]) -> dict[str, Any]:
    """JSON-ready: `images`, `ece`, `adaptive_ece`, `brier`, `log_loss`, `reliability`."""
    from model.metrics.accuracy import cross_entropy

    return {
        "images": len(labels),
        "ece": calibration_error(probabilities, labels),
        "adaptive_ece": calibration_error(probabilities, labels, equal_mass=True),
        "brier": brier_score(probabilities, labels),
        "log_loss": cross_entropy(probabilities, labels),
        "reliability": reliability(probabilities, labels),
    }


def _check(probabilities: Probabilities, labels: NDArray[np.int64]) -> None:
    if probabilities.ndim != 2 or len(labels) == 0 or len(probabilities) != len(labels):
        raise ValueError(
            "`probabilities` must have shape (n, classes) with a label each, n at least 1. "
            f"Received: {probabilities.shape} and {len(labels)} labels"
        )
