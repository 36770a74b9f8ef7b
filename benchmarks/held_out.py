"""Which images of Training a network has not been trained on: one place for all benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.outline_files import load_outlines, outline_mask
from model.dataset import ImageSet
from model.protocols import load_parts
from model.shortcuts import Outlined
from model.splits import load_manifest


def held_out(data: Path) -> ImageSet:
    """The validation images: held out of the runs of both protocols, `official` and `clean`.

    Raises:
        ManifestError, data.layout.DatasetError: The dataset or its division is not usable.
        ValueError: The division holds out no image.
    """
    validation = load_parts(data, load_manifest(), "official").validation
    if validation is None or not len(validation):
        raise ValueError("`data` must have validation images. Received: a division without one")
    return validation


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
    return Outlined(kept.images, kept.labels, masks, kept.names)
