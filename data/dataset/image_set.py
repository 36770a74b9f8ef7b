"""From dataset folders, galleries and phantoms to arrays.

Data contract: images are held as uint8 (n, 224, 224, 1), the preprocessed [0, 1] values times
255, in memory or, where there are many, on the disk; labels are int64 (n,), indices into
`CLASS_NAMES`.
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

from data.dataset.image_store import SHAPE, ImageArray, ImageStore, StoredImages, join
from data.layout import (
    DatasetError,
    ImageFile,
    count_by_class,
    list_images,
    list_strays,
    require_every_class,
)
from model.config import CLASS_NAMES
from model.preprocessing import ImageError, load_image

log = logging.getLogger(__name__)

IN_MEMORY = 20_000
"""Images that are held in memory, 1 GB; the images of larger datasets stay on the disk."""

CACHE = Path(__file__).resolve().parents[2] / "data" / "cache"
"""Where they stay unless the user names a folder."""


@dataclass(frozen=True)
class ImageSet:
    """Preprocessed images with labels.

    Attributes:
        images: uint8 (n, 224, 224, 1), an array or `StoredImages`.
        labels: int64 (n,), indices into `CLASS_NAMES`.
        names: "class/file name" of each image, "class/dataset/file name" where several datasets
            were read; of each phantom its class and seed.
        sha256: Hash over names and file contents, in order.
    """

    images: ImageArray
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
        images = self.images
        chosen: ImageArray = (
            images.take(indices) if isinstance(images, StoredImages) else images[indices]
        )
        return ImageSet(chosen, self.labels[indices], names, digest)


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
        _concatenated([part.images for part in sets]),
        np.concatenate([part.labels for part in sets]),
        tuple(name for part in sets for name in part.names),
        digest,
    )


def _concatenated(parts: Sequence[ImageArray]) -> ImageArray:
    stored = [part for part in parts if isinstance(part, StoredImages)]
    if len(stored) == len(parts):
        return join(stored)
    return np.concatenate([np.asarray(part) for part in parts])


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


def load_split(data: Path | Sequence[Path], split: str, *, cache: Path | None = None) -> ImageSet:
    """Reads one split of a dataset, or of several.

    Args:
        data: Folder with Training/ and Testing/, or one that wraps it; or several such folders.
        split: "Training" or "Testing".
        cache: Folder of an image store, from `cache_for`, or None to hold the images in memory.
            The images are the same.

    Returns:
        All readable images. Files that are not images, and images that cannot be read, are
        left out with a warning that counts and names them.

    Raises:
        data.layout.DatasetError: A split or class folder is missing, or holds no readable image,
            or a folder is given twice.
    """
    files, names, strays = _list_split(data, split)
    if strays:
        log.warning("%d files in %s are not images: %s", len(strays), split, ", ".join(strays))
    paths = [file.path for file in files]
    images: ImageArray
    if cache is None:
        images, digests = _read_all(paths, split)
    else:
        images, digests = ImageStore(cache).add(paths, _decode, split)
    unreadable = [p.name for p, d in zip(paths, digests, strict=True) if d is None]
    if unreadable:
        log.warning(
            "%d of %d images in %s could not be read and are left out: %s",
            len(unreadable), len(files), split, ", ".join(unreadable),
        )  # fmt: skip
    digest = hashlib.sha256()
    kept = []
    for file, name, content in zip(files, names, digests, strict=True):
        if content is not None:
            kept.append((file, name))
            digest.update(name.encode() + content)
    require_every_class(count_by_class([file for file, _ in kept]), splits=(split,))
    labels = np.array([CLASS_NAMES.index(file.label) for file, _ in kept], dtype=np.int64)
    return ImageSet(images, labels, tuple(name for _, name in kept), digest.hexdigest())


def cache_for(data: Path | Sequence[Path], cache: Path | None = None) -> Path | None:
    """Where to keep the images of datasets: a folder, or None for the memory.

    Args:
        data: As for `load_split`; both splits count.
        cache: The folder that the user named; without one it is `data/cache`, for more than
            `IN_MEMORY` images.
    """
    if cache is not None:
        return cache
    count = sum(len(list_images(root)) for root in _roots(data))
    if count <= IN_MEMORY:
        return None
    log.info("%d images are kept in %s rather than in memory", count, CACHE)
    return CACHE


def dataset_names(data: Path | Sequence[Path]) -> list[str]:
    """What distinguishes each dataset in the names of its images.

    Returns:
        "" for a single dataset. For several their folders' names, each with as many of the
        folders above as make them differ, joined by "~".

    Raises:
        data.layout.DatasetError: There is none, or a folder is given twice.
    """
    roots = [root.resolve() for root in _roots(data)]
    if len(roots) == 1:
        return [""]
    if not roots or len(set(roots)) < len(roots):
        raise DatasetError(
            "`data` must be one or more folders, each of them once. Received: "
            f"{', '.join(map(str, roots)) or 'none'}"
        )
    depth, names = 0, ["", ""]
    while len(set(names)) < len(roots):
        depth += 1
        names = ["~".join(root.parts[1:][-depth:]) for root in roots]
    return names


def _roots(data: Path | Sequence[Path]) -> list[Path]:
    return [data] if isinstance(data, Path) else list(data)


def _list_split(
    data: Path | Sequence[Path], split: str
) -> tuple[list[ImageFile], list[str], list[str]]:
    """Files and names of the images, and the names of other files."""
    files, names, strays = [], [], []
    for root, dataset in zip(_roots(data), dataset_names(data), strict=True):
        found = list_images(root, splits=(split,))
        files += found
        for file in found:
            names.append("/".join(filter(None, (file.label, dataset, file.path.name))))
        strays += [path.name for path in list_strays(root, splits=(split,))]
    return files, names, strays


def _decode(content: bytes) -> NDArray[np.uint8]:
    return to_uint8(load_image(content))


def _read_all(
    paths: Sequence[Path], description: str
) -> tuple[NDArray[np.uint8], list[bytes | None]]:
    """As `ImageStore.add`, into memory."""

    def read(path: Path) -> tuple[NDArray[np.uint8], bytes] | None:
        content = path.read_bytes()
        try:
            return _decode(content), hashlib.sha256(content).digest()
        except ImageError as error:
            log.debug("%s: %s", path, error)
            return None

    with ThreadPoolExecutor(2) as pool:
        results = list(
            tqdm(
                pool.map(read, paths), total=len(paths), desc=description, leave=False,
                disable=None,
            )
        )  # fmt: skip
    images = [result[0] for result in results if result is not None]
    stacked = np.stack(images) if images else np.empty((0, *SHAPE), dtype=np.uint8)
    return stacked, [None if result is None else result[1] for result in results]


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
