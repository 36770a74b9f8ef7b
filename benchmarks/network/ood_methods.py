"""Ways to tell how unlike brain MRIs a picture's features are, fitted on brain MRIs alone.

Each takes features float64 (n, d) with labels and logits of training images and gives a function
from features and logits to scores (larger: less like a brain MRI), with the bytes its constants
need at float16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

Array = NDArray[np.float64]
_NEIGHBOURS, _BANK = 5, 600


@dataclass(frozen=True)
class Method:
    """A fitted detector: `score(features, logits)` gives (n,), `size` is in bytes."""

    score: Callable[[Array, Array], Array]
    size: int


def fit_all(features: Array, labels: NDArray[np.int64], logits: Array) -> dict[str, Method]:
    """All methods on one kind of features."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    scale = 1.0 / np.maximum(spread, 1e-3 * spread.max())

    def standard(rows: Array) -> Array:
        scaled: Array = (rows - centre) * scale
        return scaled

    rows = standard(features)
    return {
        "mahalanobis": _mahalanobis(standard, rows),
        "mahalanobis by class": _by_class(standard, rows, labels),
        "relative mahalanobis": _relative(standard, rows, labels),
        "vim": _vim(standard, rows, logits),
        "residual": _residual(standard, rows),
        "knn": _knn(standard, rows),
    }


def _inverse_root(rows: Array) -> Array:
    values, vectors = np.linalg.eigh(ledoit_wolf(rows, assume_centered=True)[0])
    root: Array = (vectors / np.sqrt(np.maximum(values, 1e-9))) @ vectors.T
    return root


def _mahalanobis(standard: Any, rows: Array) -> Method:
    root = _inverse_root(rows)
    return Method(lambda x, _: np.linalg.norm(standard(x) @ root, axis=1), 2 * root.size)


def _nearest(standard: Any, rows: Array, labels: NDArray[np.int64]) -> tuple[Any, int]:
    means = np.stack([rows[labels == k].mean(axis=0) for k in np.unique(labels)])
    root = _inverse_root(rows - means[np.searchsorted(np.unique(labels), labels)])
    white = means @ root

    def distance(x: Array) -> Array:
        seen = standard(x) @ root
        found: Array = np.min([np.linalg.norm(seen - m, axis=1) for m in white], axis=0)
        return found

    return distance, 2 * (root.size + white.size)


def _by_class(standard: Any, rows: Array, labels: NDArray[np.int64]) -> Method:
    distance, size = _nearest(standard, rows, labels)
    return Method(lambda x, _: distance(x), size)


def _relative(standard: Any, rows: Array, labels: NDArray[np.int64]) -> Method:
    distance, size = _nearest(standard, rows, labels)
    root = _inverse_root(rows)
    return Method(
        lambda x, _: distance(x) ** 2 - np.linalg.norm(standard(x) @ root, axis=1) ** 2,
        size + 2 * root.size,
    )


def _principal(rows: Array, kept: float) -> Array:
    values, vectors = np.linalg.eigh(rows.T @ rows)
    shares = np.cumsum(values[::-1]) / values.sum()
    count = min(int(np.searchsorted(shares, kept)) + 1, len(values) - 1)
    basis: Array = vectors[:, ::-1][:, :count]
    return basis


def _residual(standard: Any, rows: Array) -> Method:
    basis = _principal(rows, 0.97)

    def score(x: Array, _: Array) -> Array:
        seen = standard(x)
        left: Array = np.linalg.norm(seen - (seen @ basis) @ basis.T, axis=1)
        return left

    return Method(score, 2 * basis.size)


def _energy(logits: Array) -> Array:
    top = logits.max(axis=1, keepdims=True)
    energy: Array = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return energy


def _vim(standard: Any, rows: Array, logits: Array) -> Method:
    """Residual, scaled to the logits, minus their energy (Wang et al. 2022)."""
    residual = _residual(standard, rows)
    basis = _principal(rows, 0.97)
    left = np.linalg.norm(rows - (rows @ basis) @ basis.T, axis=1)
    scale = logits.max(axis=1).mean() / left.mean()
    return Method(lambda x, z: scale * residual.score(x, z) - _energy(z), residual.size)


def _knn(standard: Any, rows: Array) -> Method:
    """Distance to the fifth nearest of 600 training images, unit length (Sun et al. 2022)."""
    chosen = np.random.default_rng(0).permutation(len(rows))[:_BANK]

    def unit(x: Array) -> Array:
        return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9))

    bank = unit(rows[chosen])

    def score(x: Array, _: Array) -> Array:
        nearest: Array = -np.sort(unit(standard(x)) @ bank.T, axis=1)[:, -_NEIGHBOURS]
        return nearest

    return Method(score, 2 * bank.size)
