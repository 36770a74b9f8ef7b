"""Pictures and records that several test modules of `model/` share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.inference.trust import Trust

RUN: dict[str, Any] = {"config": {"epochs": 2}, "data": {"images": 8}}


TRUST = Trust(
    temperature=1.0,
    ceiling=1.0,
    finding_threshold=0.75,
    kind_threshold=0.15,
    mean=np.zeros(512, np.float32),
    whitener=np.eye(512, dtype=np.float32),
    ood_threshold=1000.0,
)
"""Constants under which probabilities stay and every picture passes for a brain MRI."""


def smooth_images(n: int, seed: int) -> NDArray[np.uint8]:
    """Distinct images without fine detail: uint8 (n, 224, 224, 1)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 7, 7, 1), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, 32, 32, 1), dtype=np.uint8))
