"""From dataset folders to arrays, the validation split, and augmented batches.

Data contract: images are held as uint8 (n, 224, 224, 1), the preprocessed [0, 1] values times
255; batches are float32 (batch, 224, 224, 1) in [0, 1] with one-hot labels float32 (batch, 4).
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold
from tqdm import tqdm

from data.layout import count_by_class, list_images, list_strays, require_every_class
from data.phantoms import make_phantom
from model.config import CLASS_NAMES, AugmentationConfig, TrainingConfig
from model.lookalikes import alike_groups
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


def cached_phantoms(per_class: int, seed: int, folder: Path) -> ImageSet:
    """As `make_phantoms`, kept in `folder` so that a resumed run need not draw them again."""
    path = folder / f"phantoms-{per_class}-{seed}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as saved:
            return ImageSet(
                saved["images"], saved["labels"], tuple(saved["names"].tolist()),
                str(saved["sha256"]),
            )  # fmt: skip
    phantoms = make_phantoms(per_class, seed)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial, images=phantoms.images, labels=phantoms.labels,
        names=np.array(phantoms.names), sha256=np.array(phantoms.sha256),
    )  # fmt: skip
    partial.replace(path)
    return phantoms


def split_validation(
    dataset: ImageSet, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divides a dataset into a training and a validation part.

    Stratified by class; near-identical copies and mirror images stay on one side, so that
    the validation figure is not flattered by them.

    Args:
        dataset: The images of Training.
        share: Share for validation, in (0, 1); taken as one over the nearest whole number, and
            a half at most.
        seed: Seed of the division.

    Returns:
        Sorted indices of the training part and of the validation part, int64.
    """
    folds = StratifiedGroupKFold(n_splits=max(2, round(1 / share)), shuffle=True, random_state=seed)
    groups = alike_groups(dataset.images)
    train, validation = next(folds.split(dataset.images, dataset.labels, groups))
    return np.sort(train).astype(np.int64), np.sort(validation).astype(np.int64)


class TrainingFlow(keras.utils.PyDataset):  # type: ignore[misc]
    """Augmented batches of one epoch; the same config and epoch give the same batches."""

    def __init__(
        self, dataset: ImageSet, phantoms: ImageSet | None, config: TrainingConfig, epoch: int
    ) -> None:
        """Draws the epoch's order and which places phantoms take.

        Args:
            dataset: Real images, each of which has one place in the epoch.
            phantoms: Pool for the share of places that phantoms take, or None.
            config: The run's settings.
            epoch: Number of the epoch, from 0.
        """
        # Two threads: SciPy's and Pillow's loops release the GIL, and so does the step.
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._dataset, self._phantoms, self._config = dataset, phantoms, config
        rng = np.random.default_rng([config.seed, epoch])
        self._order = rng.permutation(len(dataset))
        self._from_pool = np.full(len(dataset), -1)
        if phantoms is not None and len(phantoms) and epoch >= config.phantom_start_epoch:
            chosen = rng.random(len(dataset)) < config.phantom_share
            self._from_pool[chosen] = rng.integers(len(phantoms), size=int(chosen.sum()))
        self._image_seeds = rng.integers(2**32, size=len(dataset))
        self._augmenter = augmenter(config.augmentation)

    def __len__(self) -> int:
        return -(-len(self._order) // self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = self._config.batch_size
        images, labels = [], []
        for place in range(index * size, min((index + 1) * size, len(self._order))):
            source, row = self._dataset, int(self._order[place])
            if self._from_pool[place] >= 0 and self._phantoms is not None:
                source, row = self._phantoms, int(self._from_pool[place])
            images.append(
                augment(
                    source.images[row], self._augmenter, self._config.augmentation,
                    int(self._image_seeds[place]),
                )
            )  # fmt: skip
            labels.append(source.labels[row])
        return np.stack(images), one_hot(np.array(labels))


def augmenter(config: AugmentationConfig) -> Any:
    """The `ImageDataGenerator` with the given ranges; it takes and gives values of 0 to 255."""
    return ImageDataGenerator(
        rotation_range=config.rotation_range,
        width_shift_range=config.width_shift_range,
        height_shift_range=config.height_shift_range,
        zoom_range=config.zoom_range,
        shear_range=config.shear_range,
        horizontal_flip=config.horizontal_flip,
        brightness_range=config.brightness_range,
        fill_mode="constant",
        cval=0.0,
        data_format="channels_last",
    )


# `get_random_transform` seeds NumPy's global generator, which threads share.
_global_generator = threading.Lock()


def augment(
    image: NDArray[np.uint8], generator: Any, config: AugmentationConfig, seed: int
) -> NDArray[np.float32]:
    """One random variant of an image.

    Args:
        image: uint8 (224, 224, 1).
        generator: From `augmenter(config)`.
        config: For the share of degraded images.
        seed: The same seed gives the same variant.

    Returns:
        float32 (224, 224, 1) in [0, 1].
    """
    with _global_generator:
        parameters = generator.get_random_transform(image.shape, seed=seed)
    changed = generator.apply_transform(image.astype(np.float32), parameters)
    rng = np.random.default_rng(seed)
    if rng.random() < config.degrade:
        changed = _degrade(changed, rng)
    scaled: NDArray[np.float32] = np.clip(changed / np.float32(255.0), 0.0, 1.0)
    return scaled.astype(np.float32)


_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX)


def _degrade(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Down to 96..224 pixels and back, then JPEG of quality 40..95; values 0 to 255."""
    height, width = image.shape[:2]
    picture = Image.fromarray(np.clip(image[:, :, 0], 0, 255).astype(np.uint8))
    small = int(rng.integers(96, height + 1))
    picture = picture.resize((small, small), _FILTERS[rng.integers(3)])
    picture = picture.resize((width, height), _FILTERS[rng.integers(2)])
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.integers(40, 96)))
    return np.asarray(Image.open(buffer), dtype=np.float32)[:, :, np.newaxis]


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
