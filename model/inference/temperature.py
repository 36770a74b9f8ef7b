"""Softmax with a temperature, which the server needs; fitting it is `model.metrics.calibration`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-12


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities from logits, or from log-probabilities.

    Args:
        logits: float (..., classes).
        temperature: Divides them; above 1 lowers the confidence. The order of classes stays.

    Returns:
        float64, of the same shape, summing to 1 over the last axis.
    """
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return found


def log_probabilities(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Logits of probabilities, float (..., classes); a probability of 0 counts as 1e-12."""
    return np.asarray(np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST)))


def soften(probabilities: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float64]:
    """Probabilities at another temperature, as `softmax` of their logarithms."""
    return softmax(log_probabilities(probabilities), temperature)
