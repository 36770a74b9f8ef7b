"""Which images a run trains on, checks itself on and is tested on.

- `official` (leaked): all Training but the validation images; tested on Testing. Three quarters of
  the test images have a copy in Training. Only this one compares with published figures.
- `clean`: without every Training image whose group of copies touches Testing.
- `fold-0` to `fold-4`: grouped cross-validation over the images of both splits, in which one
  patient's slices stay on one side; no validation images, since nothing is selected.

The division itself is data, `data/splits.csv`, made by `python -m model audit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.dataset import ImageSet, load_split, merge
from model.splits import FOLDS, Manifest

CROSS_VALIDATION = tuple(f"fold-{fold}" for fold in range(FOLDS))
PROTOCOLS = ("official", "clean", *CROSS_VALIDATION)
SPLITS = ("Training", "Testing")


@dataclass(frozen=True)
class Parts:
    """The images of one protocol; `validation` is None in cross-validation."""

    training: ImageSet
    validation: ImageSet | None
    test: ImageSet


def load_parts(data: Path, manifest: Manifest, protocol: str) -> Parts:
    """Reads the dataset and divides it.

    Args:
        data: Folder with Training/ and Testing/, or one that wraps it.
        manifest: The division.
        protocol: One of `PROTOCOLS`.

    Raises:
        ValueError: An unknown protocol, or an image that the manifest does not name.
        data.layout.DatasetError: The dataset folder is not usable.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"`protocol` must be one of {', '.join(PROTOCOLS)}. Received: {protocol}")
    whole = merge([load_split(data, split) for split in SPLITS])
    return divide(whole, manifest, protocol)


def divide(whole: ImageSet, manifest: Manifest, protocol: str) -> Parts:
    """As `load_parts`, from images of both splits, whose names begin with their split."""
    if protocol in CROSS_VALIDATION:
        fold = manifest.folds(whole.names) == CROSS_VALIDATION.index(protocol)
        return Parts(_take(whole, ~fold), None, _take(whole, fold))
    roles = manifest.roles(whole.names, protocol)
    training, validation, test = (
        _take(whole, roles == role) for role in ("train", "validation", "test")
    )
    return Parts(training, validation, test)


def _take(images: ImageSet, chosen: NDArray[np.bool_]) -> ImageSet:
    return images.take(np.flatnonzero(chosen).astype(np.int64))
