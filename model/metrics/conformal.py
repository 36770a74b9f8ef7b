"""Prediction sets with a promised coverage for each class (class-conditional, Mondrian).

The score of a class is 1 minus its probability (Sadinle et al. 2019); a class belongs to the set
where its score is at most that class's threshold. The promise: of images like the validation
images, the true class is in the set for at least 95% of each class.

MAPIE 1.6 has no class-conditional method that runs without PyTorch, so each class is conformalised
with MAPIE by itself, on the images of that class, which is the definition.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.inference.trust import prediction_sets

COVERAGE = 0.95


def fit_thresholds(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], coverage: float = COVERAGE
) -> NDArray[np.float64]:
    """Conformalises each class with MAPIE.

    Args:
        probabilities: float (n, classes), of validation images, after temperature scaling.
        labels: int64 (n,).
        coverage: Share of each class that its set must hold.

    Returns:
        float64 (classes,): the largest score with which a class is in the set.

    Raises:
        ValueError: A class has too few images for this coverage: fewer than
            coverage / (1 - coverage).
    """
    needed = math.ceil(coverage / (1 - coverage) - 1e-9)
    thresholds = np.empty(probabilities.shape[1])
    for label in range(probabilities.shape[1]):
        rows = labels == label
        if rows.sum() < needed:
            raise ValueError(
                f"`labels` must hold at least {needed} images of each class. "
                f"Received: {int(rows.sum())} of class {label}"
            )
        scores = conformalised(probabilities[rows], labels[rows], coverage).conformity_scores
        rank = math.ceil((len(scores) + 1) * coverage - 1e-9)
        thresholds[label] = np.sort(scores.ravel())[rank - 1]
    return thresholds


def conformalised(
    probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], coverage: float
) -> Any:
    """MAPIE's split conformal classifier over given probabilities, its features."""
    from mapie.classification import SplitConformalClassifier

    fitted = SplitConformalClassifier(
        _given(probabilities.shape[1]),
        confidence_level=coverage,
        conformity_score="lac",
        prefit=True,
    )
    with warnings.catch_warnings():  # a single class is what is wanted here
        warnings.filterwarnings("ignore", message=".*conformalization dataset has less labels")
        fitted.conformalize(probabilities.astype(np.float64), labels)
    return fitted


def _given(classes: int) -> Any:
    """A scikit-learn classifier whose features are the probabilities themselves."""
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        classes_ = np.arange(classes)

        def fit(self, X: Any, y: Any) -> Given:
            return self

        def predict_proba(self, X: Any) -> Any:
            return np.asarray(X)

        def predict(self, X: Any) -> Any:
            return np.asarray(X).argmax(axis=1)

        def __sklearn_is_fitted__(self) -> bool:
            return True

    return Given()


def conformal_figures(
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    thresholds: NDArray[np.floating[Any]],
    class_names: tuple[str, ...],
) -> dict[str, Any]:
    """How the sets do on labelled images.

    Returns:
        JSON-ready: `images`, `coverage`, `coverage_of_class` (null without an image),
        `mean_set_size`, `single` (share of sets with one class), `accuracy_of_single`.
    """
    sets = prediction_sets(probabilities, thresholds)
    held = sets[np.arange(len(labels)), labels]
    single = sets.sum(axis=1) == 1
    right = probabilities.argmax(axis=1) == labels
    return {
        "images": len(labels),
        "coverage": float(held.mean()),
        "coverage_of_class": {
            name: float(held[labels == k].mean()) if (labels == k).any() else None
            for k, name in enumerate(class_names)
        },
        "mean_set_size": float(sets.sum(axis=1).mean()),
        "single": float(single.mean()),
        "accuracy_of_single": float(right[single].mean()) if single.any() else None,
    }
