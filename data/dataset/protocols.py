"""Which images a run trains on, checks itself on and is tested on.

- `official` (leaked): all Training but the validation images; tested on Testing. Three quarters of
  the test images have a copy in Training. Only this one compares with published figures.
- `clean`: without every Training image whose group of copies touches Testing.
- `fold-0` to `fold-4`: grouped cross-validation over the images of both splits, in which one
  patient's slices stay on one side; no validation images, since nothing is selected.

The division itself is data, `data/splits.csv`, made by `python -m model audit`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.dataset.division import CROSS_VALIDATION, PROTOCOLS, Manifest
from data.dataset.image_set import ImageSet, cache_for, load_split, merge

SPLITS = ("Training", "Testing")


@dataclass(frozen=True)
class Parts:
    """The images of one protocol; `validation` is None in cross-validation."""

    training: ImageSet
    validation: ImageSet | None
    test: ImageSet


def load_parts(
    data: Path | Sequence[Path], manifest: Manifest, protocol: str, *, cache: Path | None = None
) -> Parts:
    """Reads a dataset, or several, and divides it.

    Args:
        data: Folder with Training/ and Testing/, or one that wraps it; or several such folders.
        manifest: The division.
        protocol: One of `PROTOCOLS`.
        cache: Folder to keep the images in; without one, they are kept in memory unless they are
            many, as `data.dataset.image_set.cache_for` says.

    Raises:
        ValueError: An unknown protocol, or an image that the manifest does not name.
        data.layout.DatasetError: The dataset folder is not usable.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"`protocol` must be one of {', '.join(PROTOCOLS)}. Received: {protocol}")
    cache = cache_for(data, cache)
    splits = {split: load_split(data, split, cache=cache) for split in SPLITS}
    if protocol in CROSS_VALIDATION:
        fold = CROSS_VALIDATION.index(protocol)
        inside = {
            split: manifest.folds(images.names, split) == fold for split, images in splits.items()
        }
        outside = {split: ~chosen for split, chosen in inside.items()}
        return Parts(_gather(splits, outside), None, _gather(splits, inside))
    roles = {
        split: manifest.roles(images.names, split, protocol) for split, images in splits.items()
    }
    training, validation, test = (
        _gather(splits, {split: found == role for split, found in roles.items()})
        for role in ("train", "validation", "test")
    )
    return Parts(training, validation, test)


def official_sets(test: ImageSet, unseen: Collection[str]) -> dict[str, ImageSet]:
    """The official test split and its two parts, by name, from the files of the unseen images."""
    alone = np.array([f"Testing/{name}" in unseen for name in test.names])
    return {
        "test": test,
        "test_with_copy_in_training": test.take(np.flatnonzero(~alone)),
        "test_unseen": test.take(np.flatnonzero(alone)),
    }


def _gather(splits: dict[str, ImageSet], chosen: dict[str, NDArray[np.bool_]]) -> ImageSet:
    """The chosen images of both splits."""
    return merge([images.take(np.flatnonzero(chosen[split])) for split, images in splits.items()])
