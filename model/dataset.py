"""From dataset folders, galleries and phantoms to arrays.

Data contract: images are held as uint8 (n, 224, 224, 1), the preprocessed [0, 1] values times
255; labels are int64 (n,), indices into `CLASS_NAMES`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data.layout import count_by_class, list_images, list_strays, require_every_class
from data.phantoms import make_phantom
from model.config import CLASS_NAMES
from model.preprocessing import ImageError, load_image, prepare

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageSet:
    """Preprocessed images with labels.

    Attributes:
        images: uint8 (n, 224, 224, 1).
        labels: int64 (n,), indices into `CLASS_NAMES`.
        names: "class/file name" of each image, or of each phantom its class and seed.
        sha256: Hash over names and file contents, in order.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> dict[str, int]:
        """Number of images of each class."""
        totals = np.bincount(self.labels, minlength=len(CLASS_NAMES))
        return {name: int(n) for name, n in zip(CLASS_NAMES, totals, strict=True)}

    def take(self, indices: NDArray[np.int64]) -> ImageSet:
        """The images at `indices`, int64 (k,), in that order."""
        names = tuple(self.names[i] for i in indices)
        digest = hashlib.sha256("\n".join((self.sha256, *names)).encode()).hexdigest()
        return ImageSet(self.images[indices], self.labels[indices], names, digest)


def merge(sets: Sequence[ImageSet]) -> ImageSet:
    """The images of several sets, one after the other.

    Raises:
        ValueError: There is no set.
    """
    if not sets:
        raise ValueError("`sets` must hold at least one set. Received: none")
    if len(sets) == 1:
        return sets[0]
    digest = hashlib.sha256("\n".join(part.sha256 for part in sets).encode()).hexdigest()
    return ImageSet(
        np.concatenate([part.images for part in sets]),
        np.concatenate([part.labels for part in sets]),
        tuple(name for part in sets for name in part.names),
        digest,
    )


def to_uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """[0, 1] values as uint8, rounded: any shape."""
    rounded: NDArray[np.uint8] = np.rint(image * 255.0).astype(np.uint8)
    return rounded


def to_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 values as float32 in [0, 1]: any shape."""
    scaled: NDArray[np.float32] = images.astype(np.float32) / np.float32(255.0)
    return scaled


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Labels (n,) as float32 (n, 4)."""
    rows: NDArray[np.float32] = np.eye(len(CLASS_NAMES), dtype=np.float32)[labels]
    return rows


def load_split(directory: Path, split: str) -> ImageSet:
    """Reads one split of the dataset.

    Args:
        directory: Folder with Training/ and Testing/, or one that wraps it.
        split: "Training" or "Testing".

    Returns:
        All readable images. Files that are not images, and images that cannot be read, are
        left out with a warning that counts and names them.

    Raises:
        data.layout.DatasetError: A split or class folder is missing, or holds no readable image.
    """
    files = list_images(directory, splits=(split,))
    strays = [path.name for path in list_strays(directory, splits=(split,))]
    if strays:
        log.warning("%d files in %s are not images: %s", len(strays), split, ", ".join(strays))

    def read(path: Path) -> tuple[NDArray[np.uint8], bytes] | None:
        content = path.read_bytes()
        try:
            return to_uint8(load_image(content)), hashlib.sha256(content).digest()
        except ImageError as error:
            log.debug("%s: %s", path, error)
            return None

    with ThreadPoolExecutor(2) as pool:
        paths = [file.path for file in files]
        results = list(
            tqdm(pool.map(read, paths), total=len(paths), desc=split, leave=False, disable=None)
        )
    unreadable = [p.name for p, r in zip(paths, results, strict=True) if r is None]
    if unreadable:
        log.warning(
            "%d of %d images in %s could not be read and are left out: %s",
            len(unreadable), len(files), split, ", ".join(unreadable),
        )  # fmt: skip
    kept = [file for file, result in zip(files, results, strict=True) if result is not None]
    require_every_class(count_by_class(kept), splits=(split,))
    digest = hashlib.sha256()
    images, labels, names = [], [], []
    for file, result in zip(files, results, strict=True):
        if result is not None:
            images.append(result[0])
            labels.append(CLASS_NAMES.index(file.label))
            names.append(f"{file.label}/{file.path.name}")
            digest.update(names[-1].encode() + result[1])
    return ImageSet(
        np.stack(images), np.array(labels, dtype=np.int64), tuple(names), digest.hexdigest()
    )


def make_phantoms(per_class: int, seed: int) -> ImageSet:
    """Draws phantoms and preprocesses them like any other image.

    Half are drawn at 224 pixels and half at 448, so that resampling is part of the pool.

    Args:
        per_class: Phantoms of each class.
        seed: Seed of the first; each phantom has its own, counted up from here.

    Returns:
        `4 * per_class` images, classes in turn.
    """
    images, labels, names = [], [], []
    for number in tqdm(
        range(per_class * len(CLASS_NAMES)), desc="phantoms", leave=False, disable=None
    ):
        label = number % len(CLASS_NAMES)
        size = 224 if (number // len(CLASS_NAMES)) % 2 == 0 else 448
        phantom = make_phantom(CLASS_NAMES[label], seed + number, size=size)
        images.append(to_uint8(prepare(phantom.image.astype(np.float32))))
        labels.append(label)
        names.append(f"{CLASS_NAMES[label]}/phantom-{seed + number}")
    stacked = np.stack(images)
    digest = hashlib.sha256(stacked.tobytes() + "\n".join(names).encode()).hexdigest()
    return ImageSet(stacked, np.array(labels, dtype=np.int64), tuple(names), digest)


def load_gallery(folder: Path) -> ImageSet:
    """Reads a gallery folder: the images that its `manifest.json` names.

    Raises:
        ImageError, OSError, ValueError, KeyError: The manifest or an image cannot be read.
    """
    samples = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["samples"]
    contents = [(folder / sample["file"]).read_bytes() for sample in samples]
    labels = np.array([CLASS_NAMES.index(s["true_label"]) for s in samples], dtype=np.int64)
    names = tuple(f"{s['true_label']}/{s['file']}" for s in samples)
    images = np.stack([to_uint8(load_image(content)) for content in contents])
    digest = hashlib.sha256("\n".join(names).encode() + b"".join(contents)).hexdigest()
    return ImageSet(images, labels, names, digest)
