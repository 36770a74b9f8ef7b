"""Phantoms with their exact lesions and heads, to measure heat maps on.

Data contract: as `model.probes.shortcuts.Outlined`; heads bool (n, 224, 224). Seeds start where no
training draw does, and where those of `evaluation.json` start too.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.phantoms import make_phantom
from data.phantoms.sets import TUMOURS, drawn_in_processes, kept, prepared
from model.config import CLASS_NAMES
from model.evaluation.report import PHANTOM_SEED
from model.probes.shortcuts import Outlined

Mask = NDArray[np.bool_]


def draw(per_class: int, seed: int = PHANTOM_SEED, *, workers: int = 1) -> tuple[Outlined, Mask]:
    """Draws phantoms of the three tumours at 224 pixels, preprocessed like any other image.

    Args:
        per_class: Phantoms of each tumour class, at least 1.
        seed: Seed of the first; each phantom has its own, counted up from here.
        workers: Processes to draw with; the result does not depend on it.

    Returns:
        `3 * per_class` phantoms, classes in turn, with their lesions; and their heads.
    """
    numbers = range(per_class * len(TUMOURS))
    one = partial(_phantom, seed=seed)
    drawn = drawn_in_processes(one, numbers, workers)
    labels = np.array([CLASS_NAMES.index(_label(n)) for n in numbers], dtype=np.int64)
    images, lesions, heads = (np.stack([row[part] for row in drawn]) for part in range(3))
    return Outlined(images, labels, lesions, _names(per_class, seed)), heads


def cached(per_class: int, folder: Path, *, workers: int = 1) -> tuple[Outlined, Mask]:
    """As `draw`, kept in `folder`, since drawing them takes minutes."""

    def arrays() -> dict[str, NDArray[Any]]:
        outlined, heads = draw(per_class, workers=workers)
        return {
            "images": outlined.images,
            "labels": outlined.labels,
            "masks": outlined.masks,
            "heads": heads,
        }

    found = kept(folder / f"heat-map-phantoms-{per_class}-{PHANTOM_SEED}.npz", arrays)
    names = _names(per_class, PHANTOM_SEED)
    return Outlined(found["images"], found["labels"], found["masks"], names), found["heads"]


def _label(number: int) -> str:
    return TUMOURS[number % len(TUMOURS)]


def _names(per_class: int, seed: int) -> tuple[str, ...]:
    numbers = range(per_class * len(TUMOURS))
    return tuple(f"{_label(number)}/phantom-{seed + number}" for number in numbers)


def _phantom(number: int, seed: int) -> tuple[NDArray[Any], Mask, Mask]:
    phantom = make_phantom(_label(number), seed + number)
    return prepared(phantom), phantom.mask, phantom.head
