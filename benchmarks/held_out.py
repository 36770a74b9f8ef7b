"""Which images of Training a network has not been trained on: one place for all benchmarks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from data.layout import list_images
from model.config import ARTIFACTS, CLASS_NAMES, IMAGE_SIZE
from model.dataset import ImageSet, load_split, split_validation, to_uint8
from model.preprocessing import load_image
from model.shortcuts import Outlined

ROLE = "validation"


def held_out(data: Path, names: Path | None = None, metadata: Path | None = None) -> ImageSet:
    """The images of Training that were held out of a run.

    Args:
        data: Dataset folder.
        names: A text file with "class/file name" a line, or a manifest of splits (CSV with the
            columns `file` and `role`, of which the role "validation" counts). By default the
            split is made again as the run in `metadata` made it.
        metadata: The `metadata.json` of the network; by default that of the shipped one.

    Raises:
        OSError, KeyError: A file cannot be read or lacks a field.
        ValueError: No image of Training has one of the names.
    """
    if names is not None:
        return _named(data, read_names(names))
    described = json.loads((metadata or ARTIFACTS / "metadata.json").read_text(encoding="utf-8"))
    config = described["training"]["config"]
    training = load_split(data, "Training")
    _, rows = split_validation(training, config["validation_share"], config["seed"])
    return training.take(rows)


def read_names(path: Path) -> set[str]:
    """The "class/file name" entries of a list or of a manifest's validation role."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".csv":
        return {_short(line.strip()) for line in text.splitlines() if line.strip()}
    rows = csv.DictReader(text.splitlines())
    return {_short(row["file"]) for row in rows if row["role"] == ROLE}


def outlined(images: ImageSet, path: Path) -> Outlined:
    """Those of the images that have an outline, with its mask.

    Raises:
        OSError, ValueError, KeyError: The file of outlines is not as it should be.
        ValueError: None of the images has an outline.
    """
    masks = _load_masks(path, set(images.names))
    rows = np.array([i for i, name in enumerate(images.names) if name in masks], dtype=np.int64)
    if not len(rows):
        raise ValueError(f"`outlines` must hold held-out images. Received: {path} with none")
    kept = images.take(rows)
    return Outlined(
        kept.images, kept.labels, np.stack([masks[name] for name in kept.names]), kept.names
    )


def _load_masks(path: Path, names: set[str]) -> dict[str, NDArray[np.bool_]]:
    """Masks, bool (224, 224), of the named images: {name: {"outline": [[x, y], ..]}}."""
    content = json.loads(path.read_text(encoding="utf-8"))
    found = {}
    for name in names & content.keys():
        # Pixel i reaches from i to i + 1; OpenCV's 0 is the first pixel's centre.
        points = np.rint((np.array(content[name]["outline"]) - 0.5) * 16).astype(np.int32)
        mask = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        cv2.fillPoly(mask, [points], (1,), shift=4)
        found[name] = mask.astype(np.bool_)
    return found


def _named(data: Path, names: set[str]) -> ImageSet:
    files = [
        file
        for file in list_images(data, splits=("Training",))
        if f"{file.label}/{file.path.name}" in names
    ]
    if not files:
        raise ValueError(f"`names` must name images of Training. Received: {len(names)} others")
    return ImageSet(
        np.stack([to_uint8(load_image(file.path)) for file in files]),
        np.array([CLASS_NAMES.index(file.label) for file in files], dtype=np.int64),
        tuple(f"{file.label}/{file.path.name}" for file in files),
        "",
    )


def _short(name: str) -> str:
    return "/".join(Path(name).parts[-2:])
