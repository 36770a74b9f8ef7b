"""Which images of Training a network has not been trained on: one place for all benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.dataset.division import load_manifest
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import load_outlines, outline_mask
from data.dataset.protocols import load_parts
from model.probes.shortcuts import Outlined


def held_out(data: Path) -> ImageSet:
    """The validation images: held out of the runs of both protocols, `official` and `clean`.

    Raises:
        ManifestError, data.layout.DatasetError: The dataset or its division is not usable.
        ValueError: The division holds out no image.
    """
    return trained_and_held_out(data)[1]


def trained_and_held_out(data: Path) -> tuple[ImageSet, ImageSet]:
    """The images that the shipped network was trained on, and those held out of it."""
    parts = load_parts(data, load_manifest(), "official")
    if parts.validation is None or not len(parts.validation):
        raise ValueError("`data` must have validation images. Received: a division without one")
    return parts.training, parts.validation


def outlined(images: ImageSet, path: Path) -> Outlined:
    """Those of the images that have an outline, with its mask.

    Raises:
        OutlinesError: The file of outlines is not as it should be.
        ValueError: None of the images has an outline.
    """
    outlines = load_outlines(path)
    rows = np.array([i for i, name in enumerate(images.names) if name in outlines], dtype=np.int64)
    if not len(rows):
        raise ValueError(f"`outlines` must hold held-out images. Received: {path} with none")
    kept = images.take(rows)
    masks = np.stack([outline_mask(outlines[name]) for name in kept.names])
    return Outlined(kept.images[:], kept.labels, masks, kept.names)
