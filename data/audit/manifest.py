"""From images to the rows of `data/splits.csv`, and what was found on the way.

Data contract: images of both splits in one array, uint8 (n, 224, 224, 1); files are named below
the dataset folder, such as "Training/glioma/Tr-gl_0010.jpg".
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.audit.assignment import Source, assign_blocks, assign_folds, assign_roles
from data.audit.blocks import nearest
from data.audit.copies import (  # fmt: skip
    COPY_THRESHOLD,
    MIRRORED,
    CopyPairs,
    connected_groups,
    find_copies,
    gather,
    verified,
)
from data.audit.published_folds import load_published_folds, take_over
from data.audit.similarity import TRANSFORMS, signatures
from data.dataset.division import COLUMNS, Manifest
from data.dataset.image_set import cache_for, load_split
from data.dataset.image_store import ImageArray, StoredImages, join
from data.dataset.outline_files import Outline

LOOK_FROM = 0.95
"""Similarity from which pairs are kept for the report."""


@dataclass(frozen=True)
class Images:
    """The images of both splits, sorted by file.

    Attributes:
        files: str (n,).
        images: uint8 (n, 224, 224, 1).
        labels: int64 (n,), indices into `CLASS_NAMES`.
        testing: bool (n,), whether the image is of Testing.
    """

    files: NDArray[np.str_]
    images: ImageArray
    labels: NDArray[np.int64]
    testing: NDArray[np.bool_]


@dataclass(frozen=True)
class Audit:
    """What the search found; one entry an image, and pairs of rows.

    Attributes:
        pairs: Similarity of at least `LOOK_FROM`, every transform.
        groups: int64 (n,), connected groups of plain and mirrored copies.
        related: int64 (n,), the same of copies under every transform.
        source: What the outlines say, or None.
        columns: The manifest's columns but `file`, each an array (n,).
        blocks: What was measured about the blocks.
        folds: What the folds were made from.
    """

    pairs: CopyPairs
    groups: NDArray[np.int64]
    related: NDArray[np.int64]
    source: Source | None
    columns: dict[str, NDArray[Any]]
    blocks: dict[str, Any]
    folds: dict[str, Any]


def load_images(data: Path | Sequence[Path], *, cache: Path | None = None) -> Images:
    """Reads both splits of a dataset, or of several.

    Args:
        data: As for `data.dataset.image_set.load_split`.
        cache: As for `data.dataset.protocols.load_parts`.

    Raises:
        data.layout.DatasetError: As `data.dataset.image_set.load_split`.
    """
    cache = cache_for(data, cache)
    training, test = (load_split(data, split, cache=cache) for split in ("Training", "Testing"))
    files = np.array(
        [f"Training/{name}" for name in training.names] + [f"Testing/{name}" for name in test.names]
    )
    order = np.argsort(files)
    images: ImageArray
    if isinstance(training.images, StoredImages) and isinstance(test.images, StoredImages):
        images = join([training.images, test.images]).take(order)
    else:
        filled = np.empty((len(files), *test.images.shape[1:]), dtype=np.uint8)
        places = np.argsort(order)  # where each file goes; filling saves the memory of a copy
        filled[places[: len(training)]] = training.images
        filled[places[len(training) :]] = test.images
        images = filled
    labels = np.concatenate([training.labels, test.labels])[order]
    return Images(files[order], images, labels, np.char.startswith(files[order], "Testing/"))


def source_of(files: NDArray[np.str_], outlines: Mapping[str, Outline]) -> Source:
    """The origin of Training images that have an outline."""
    found = [
        outlines.get(name.removeprefix("Training/")) if name.startswith("Training/") else None
        for name in files.tolist()
    ]
    return Source(
        np.array([o.source_slice if o else -1 for o in found], dtype=np.int64),
        np.array([bool(o and o.mirrored) for o in found]),
        np.array([(o.patient or "") if o else "" for o in found]),
    )


def audit(
    data: Images, outlines: Mapping[str, Outline] | None = None, keep: Manifest | None = None
) -> Audit:
    """Searches for copies and divides the images.

    Args:
        data: The images.
        outlines: By "class/file name" of Training, as `load_outlines` gives.
        keep: An earlier division, whose validation images under `official` stay such.
    """
    n = len(data.files)
    pairs = find_copies(data.images, threshold=LOOK_FROM, transforms=TRANSFORMS)
    copies = pairs.where(pairs.similarity >= COPY_THRESHOLD)
    straight = copies.where(copies.transform <= MIRRORED)
    groups = connected_groups(n, straight.left, straight.right)
    related = connected_groups(n, copies.left, copies.right)
    source = None if outlines is None else source_of(data.files, outlines)
    rows = signatures(data.images)
    blocks, measured = assign_blocks(rows, data.labels, related, source)
    kept = None if keep is None else np.isin(data.files, keep.select("official", "validation"))
    official, clean = assign_roles(data.labels, data.testing, groups, related, kept)
    at, similarity, mirrored = _nearest(data, rows, pairs)
    folds, made_from = assign_folds(data.labels, blocks), {"made_from": "blocks"}
    if source is not None:
        folds, made_from = take_over(
            folds, load_published_folds(), rows, data.labels, related, source
        )
    columns = {
        "group": groups,
        "nearest": data.files[at],
        "similarity": similarity,
        "mirrored": mirrored,
        "block": blocks,
        "official": official,
        "clean": clean,
        "fold": folds,
    }
    return Audit(pairs, groups, related, source, columns, measured, made_from)


def _nearest(
    data: Images, rows: NDArray[np.float32], pairs: CopyPairs
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int8]]:
    """Row, similarity and whether mirrored of each image's nearest other, plain or mirrored.

    The most similar of the pairs, or for images in none the one with the largest coarse cosine.
    """
    n = len(rows)
    each = np.arange(n)
    at, cosine, kind = nearest(rows, rows, lambda k: k[:, np.newaxis] != each)
    coarse = CopyPairs(each, at, cosine, kind)
    found = [
        verified(data.images, data.images, coarse.where(kind == transform), -np.inf)
        for transform in (0, MIRRORED)
    ]
    straight = pairs.where(pairs.transform <= MIRRORED)
    back = CopyPairs(straight.right, straight.left, straight.similarity, straight.transform)
    every = gather([*found, straight, back])
    order = np.lexsort((every.right, -every.similarity, every.left))
    every = every.where(order)
    best = every.where(np.diff(every.left, prepend=-1) > 0)
    return best.right, best.similarity, best.transform


def write_manifest(
    path: Path, files: NDArray[np.str_], columns: Mapping[str, NDArray[Any]]
) -> None:
    """Writes the manifest, whole or not at all, sorted by file."""
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in np.argsort(files):
            values = [columns[name][row] for name in COLUMNS[1:]]
            writer.writerow(
                [files[row], *(f"{v:.4f}" if isinstance(v, np.floating) else v for v in values)]
            )
    partial.replace(path)
