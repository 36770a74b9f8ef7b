"""Temperature scaling, which the server needs; fitting it is `model.metrics.calibration`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SMALLEST = 1e-12


def soften(probabilities: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float64]:
    """Softmax of the log-probabilities divided by `temperature`.

    Args:
        probabilities: float (..., classes), summing to 1 over the last axis.
        temperature: Above 0; above 1 lowers the confidence. The order of classes stays.

    Returns:
        float64, of the same shape.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST)) / temperature
    powers = np.exp(logs - logs.max(axis=-1, keepdims=True))
    softened: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return softened
