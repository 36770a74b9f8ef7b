"""Metrics in plain NumPy. Nothing here knows of files or networks.

Data contract: probabilities float (n, classes), rows summing to 1; labels int (n,), indices
into the classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import NO_TUMOUR

_SMALLEST = 1e-7  # as Keras clips, so that a probability of 0 costs 16.1 and not infinity


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Counts images by true and predicted class.

    Args:
        labels: int64 (n,), true classes.
        predicted: int64 (n,), predicted classes.
        classes: Number of classes.

    Returns:
        int64 (classes, classes); rows are true classes, columns predicted ones.

    Raises:
        ValueError: The lengths differ or a class is outside 0..classes - 1.
    """
    if labels.shape != predicted.shape:
        raise ValueError(
            "`labels` and `predicted` must be equally long. "
            f"Received: {labels.shape} and {predicted.shape}"
        )
    for name, values in (("labels", labels), ("predicted", predicted)):
        if values.size and (values.min() < 0 or values.max() >= classes):
            raise ValueError(
                f"`{name}` must be in 0..{classes - 1}. Received: {values.min()} to {values.max()}"
            )
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def wilson_interval(right: float, total: int, z: float = 1.959964) -> tuple[float, float]:
    """95% confidence interval of a proportion (Wilson 1927).

    Args:
        right: Successes, 0..total.
        total: Trials.
        z: Standard normal quantile; the default gives 95%.

    Returns:
        Lower and upper bound in [0, 1]; (0, 1) without a trial.
    """
    if total == 0:
        return 0.0, 1.0
    share = right / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2)) / (1 + z * z / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def cross_entropy(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> float:
    """Mean negative log-probability of the true class, in nats."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(true, _SMALLEST, 1.0)).mean())


def evaluate(
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
) -> dict[str, Any]:
    """All figures of one set of images.

    Args:
        probabilities: float (n, classes), n of at least 1.
        labels: int64 (n,).
        class_names: A name for each class.

    Returns:
        JSON-ready: `images`, `correct`, `accuracy`, `accuracy_95`, `balanced_accuracy` (mean
        recall of the classes present), `loss`, `confusion` (rows true, columns predicted),
        `classes`: {name: precision, recall, f1, support}, and the two of `missed_and_alarms`; a
        ratio without cases is null.

    Raises:
        ValueError: The shapes do not fit.
    """
    if probabilities.shape != (len(labels), len(class_names)) or len(labels) == 0:
        raise ValueError(
            f"`probabilities` must have shape (n, {len(class_names)}) with a label each. "
            f"Received: {probabilities.shape} and {len(labels)} labels"
        )
    matrix = confusion_matrix(labels, probabilities.argmax(axis=1), len(class_names))
    return evaluate_confusion(matrix, class_names) | {"loss": cross_entropy(probabilities, labels)}


def evaluate_confusion(matrix: NDArray[np.int64], class_names: Sequence[str]) -> dict[str, Any]:
    """The figures of `evaluate` that a confusion matrix decides: all but `loss`.

    Args:
        matrix: int64 (classes, classes), rows true classes, at least one image.
        class_names: A name for each class.
    """
    right = np.diag(matrix)
    support, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    correct, total = int(right.sum()), int(matrix.sum())
    classes = {
        name: {
            "precision": _ratio(right[i], predicted[i]),
            "recall": _ratio(right[i], support[i]),
            "f1": _ratio(2 * right[i], predicted[i] + support[i]),
            "support": int(support[i]),
        }
        for i, name in enumerate(class_names)
    }
    present = support > 0
    return {
        "images": total,
        "correct": correct,
        "accuracy": correct / total,
        "accuracy_95": list(wilson_interval(correct, total)),
        "balanced_accuracy": float((right[present] / support[present]).mean()),
        "confusion": matrix.tolist(),
        "classes": classes,
    } | missed_and_alarms(matrix)


def missed_and_alarms(matrix: NDArray[np.int64]) -> dict[str, Any]:
    """The two numbers that a clinician asks for.

    Args:
        matrix: int64 (classes, classes), rows true classes, in the order of `CLASS_NAMES`.

    Returns:
        JSON-ready: `tumors_called_none` and `healthy_called_tumor`, each with `images` (of the
        tumors, or of the healthy heads), `wrong`, `share` (null without an image) and `share_95`.
    """
    healthy = np.arange(len(matrix)) == NO_TUMOUR
    cases = {"tumors_called_none": (~healthy, healthy), "healthy_called_tumor": (healthy, ~healthy)}
    return {
        name: _wrong(int(matrix[true][:, said].sum()), int(matrix[true].sum()))
        for name, (true, said) in cases.items()
    }


def _wrong(wrong: int, images: int) -> dict[str, Any]:
    return {
        "images": images,
        "wrong": wrong,
        "share": _ratio(wrong, images),
        "share_95": list(wilson_interval(wrong, images)),
    }


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
