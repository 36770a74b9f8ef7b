"""Pictures and records that several test modules of `model/` share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RUN: dict[str, Any] = {"config": {"epochs": 2}, "data": {"images": 8}}


def smooth_images(n: int, seed: int) -> NDArray[np.uint8]:
    """Distinct images without fine detail: uint8 (n, 224, 224, 1)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 7, 7, 1), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, 32, 32, 1), dtype=np.uint8))
