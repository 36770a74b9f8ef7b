"""Tumors drawn as discs, as the probes' tests share them."""

from __future__ import annotations

import numpy as np

from model.config import CLASS_NAMES
from model.probes.shortcuts import Outlined

ROWS, COLUMNS = np.mgrid[:224, :224]


def disc(row: int, column: int, radius: int) -> np.ndarray:
    return np.asarray((ROWS - row) ** 2 + (COLUMNS - column) ** 2 <= radius**2)


def tumours(count: int = 6) -> Outlined:
    """Grey balls with a white disc left of the middle, classes in turn."""
    labels = np.array([0, 1, 3] * count, dtype=np.int64)[:count]
    masks = np.stack([disc(100, 60 + 2 * k, 10) for k in range(count)])
    images = np.repeat(np.where(disc(112, 112, 90), 120, 0)[np.newaxis], count, axis=0)
    images[masks] = 255
    return Outlined(
        images[..., np.newaxis].astype(np.uint8), labels, masks,
        tuple(f"{CLASS_NAMES[k]}/{n}.png" for n, k in enumerate(labels)),
    )  # fmt: skip
