"""Augmented batches of an epoch: real images, counterfactuals of them, and phantoms.

A network that is trained on the images alone tells the classes apart by their style, since the
tumour-free images come from another source. So a share of the draws of an outlined tumour image
is a counterfactual: with the tumour painted out it becomes `notumor` in the tumour images' own
style, with a patch beside the tumour painted out it keeps its class. Phantoms come in pairs that
differ in the lesion alone.

Data contract: a batch is (images, targets, weights): images float32 (batch, 224, 224, 1) in
[0, 1]; targets `probabilities` float32 (batch, 4), one-hot, and `lesion` float32
(batch, 14, 14, 4), the share of each cell that each tumour covers, `notumor` being
the rest; weights `probabilities` float32 (batch,), `lesion` float32 (batch, 14, 14), zero
for an image whose lesion is unknown.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data.dataset.image_set import ImageSet, one_hot, to_uint8
from data.dataset.outline_files import Outline, outline_mask
from data.phantoms import make_phantom, one_thread
from model.config import CLASS_NAMES, MAP_SHAPE, NO_TUMOUR, TrainingConfig
from model.preprocessing import prepare
from model.training.augmentation import augment, augmenter
from model.training.counterfactuals import MARGIN, control_patch, paint_out

CELLS = MAP_SHAPE[0]
"""Cells along a side of the lesion head's map."""

Batch = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class PhantomPool:
    """Phantoms to draw from, each tumour followed by the same head without it.

    Attributes:
        images: uint8 (n, 224, 224).
        masks: uint8 (n, 224, 224), 255 inside the lesion.
        labels: int64 (n,), indices into `CLASS_NAMES`.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def draw_phantoms(per_class: int, seed: int) -> PhantomPool:
    """Draws `per_class` phantoms of each class, and of each tumour its tumour-free twin.

    Half are drawn at 224 pixels and half at 448, so that resampling is part of the pool.

    Args:
        per_class: Phantoms of each class, at least 1.
        seed: Seed of the first; each phantom has its own, counted up from here.
    """
    images, masks, labels = [], [], []
    with one_thread():
        for number in tqdm(range(per_class * len(CLASS_NAMES)), desc="phantoms", disable=None):
            label = number % len(CLASS_NAMES)
            size = 224 if (number // len(CLASS_NAMES)) % 2 == 0 else 448
            for lesion in (True,) if label == NO_TUMOUR else (True, False):
                phantom = make_phantom(CLASS_NAMES[label], seed + number, size=size, lesion=lesion)
                mask = phantom.mask.astype(np.uint8) * 255
                images.append(to_uint8(prepare(phantom.image.astype(np.float32)))[:, :, 0])
                masks.append(cv2.resize(mask, images[-1].shape, interpolation=cv2.INTER_AREA))
                labels.append(CLASS_NAMES.index(phantom.label))
    return PhantomPool(np.stack(images), np.stack(masks), np.array(labels, dtype=np.int64))


def cached_phantoms(
    per_class: int, seed: int, folder: Path, *, earlier: Path | None = None
) -> PhantomPool:
    """As `draw_phantoms`, kept in `folder` so that a resumed run need not draw them again.

    Args:
        per_class, seed: As `draw_phantoms`.
        folder: Folder of the run, made when missing.
        earlier: Folder of the run before, whose phantoms are taken where they are the same ones.
    """
    path = folder / f"phantom-pairs-{per_class}-{seed}.npz"
    if earlier is not None and not path.exists() and (earlier / path.name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(earlier / path.name, path.with_suffix(".partial.npz"))
        path.with_suffix(".partial.npz").replace(path)
    if path.exists():
        with np.load(path, allow_pickle=False) as saved:
            return PhantomPool(saved["images"], saved["masks"], saved["labels"])
    pool = draw_phantoms(per_class, seed)
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **dataclasses.asdict(pool))
    partial.replace(path)
    return pool


@dataclass(frozen=True)
class _Draw:
    """An image before its augmentation; `mask` is None where the lesion is unknown."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    label: int


class TrainingFlow:
    """Augmented batches of one epoch; the same config and epoch give the same batches."""

    def __init__(
        self,
        dataset: ImageSet,
        config: TrainingConfig,
        epoch: int,
        *,
        outlines: Mapping[str, Outline] | None = None,
        phantoms: PhantomPool | None = None,
    ) -> None:
        """Draws the epoch's order and what is shown at each place.

        Args:
            dataset: Real images, each of which has one place in the epoch. The last places,
                fewer than a batch, are not shown; they are others in each epoch.
            config: The run's settings.
            epoch: Number of the epoch, from 0.
            outlines: Tumour outlines by image name; without them there are no counterfactuals
                and the lesion head learns from phantoms and tumour-free images alone.
            phantoms: Pool for the share of places that phantoms take.
        """
        self._dataset, self._config = dataset, config
        self._outlines, self._phantoms = outlines or {}, phantoms
        rng = np.random.default_rng([config.seed, epoch])
        places = len(dataset)
        self._order = rng.permutation(places)
        self._chance = rng.random((places, 2))
        self._phantom = rng.integers(len(phantoms) if phantoms else 1, size=places)
        self._seeds = rng.integers(2**32, size=places)
        self._augmenter = augmenter(config.augmentation)

    def __len__(self) -> int:
        # A last batch of a few images would give batch normalisation a poor estimate.
        return max(1, len(self._order) // self._config.batch_size)

    def __getitem__(self, index: int) -> Batch:
        size = self._config.batch_size
        images, labels, lesions, weights = [], [], [], []
        for place in range(index * size, min((index + 1) * size, len(self._order))):
            draw = self._draw(place)
            image, moved = augment(
                draw.image, draw.mask, self._augmenter, self._config.augmentation,
                int(self._seeds[place]),
            )  # fmt: skip
            target, weight = self._cells(draw.label, moved)
            images.append(image)
            labels.append(draw.label)
            lesions.append(target)
            weights.append(weight)
        return (
            np.stack(images),
            {"probabilities": one_hot(np.array(labels)), "lesion": np.stack(lesions)},
            {"probabilities": np.ones(len(labels), np.float32), "lesion": np.stack(weights)},
        )

    def _draw(self, place: int) -> _Draw:
        config = self._config
        if self._phantoms is not None and self._chance[place, 0] < config.phantom_share:
            row = int(self._phantom[place])
            pool = self._phantoms
            return _Draw(pool.images[row], pool.masks[row], int(pool.labels[row]))
        row = int(self._order[place])
        image, label = self._dataset.images[row, :, :, 0], int(self._dataset.labels[row])
        if label == NO_TUMOUR:
            return _Draw(image, np.zeros_like(image), label)
        outline = self._outlines.get(self._dataset.names[row])
        lesion = None if outline is None else outline_mask(outline)
        # With nothing to paint out, the image as it is would be taught as `notumor`.
        if lesion is None or not lesion.any():
            return _Draw(image, None, label)
        return self._counterfactual(place, image, lesion, label)

    def _counterfactual(
        self, place: int, image: NDArray[np.uint8], lesion: NDArray[np.bool_], label: int
    ) -> _Draw:
        """The image itself, or one of its two counterfactuals."""
        config, chance = self._config, self._chance[place, 1]
        margin = MARGIN - 1 + int(self._seeds[place]) % 4
        mask = lesion.astype(np.uint8) * 255
        if chance < config.paint_out_share:
            return _Draw(paint_out(image, lesion, margin=margin), np.zeros_like(mask), NO_TUMOUR)
        if chance < config.paint_out_share + config.control_share:
            control = control_patch(image, lesion, seed=int(self._seeds[place]), margin=margin)
            return _Draw(image if control is None else control, mask, label)
        return _Draw(image, mask, label)

    def _cells(
        self, label: int, mask: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Target and weight of the lesion head's cells."""
        target = np.zeros((CELLS, CELLS, len(CLASS_NAMES)), np.float32)
        target[:, :, NO_TUMOUR] = 1.0
        if mask is None:
            return target, np.zeros((CELLS, CELLS), np.float32)
        cover = cv2.resize(mask, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        if label != NO_TUMOUR:
            target[:, :, NO_TUMOUR] = 1.0 - cover
            target[:, :, label] = cover
        # Lesions cover one cell in twenty; without a weight the head would learn to say "none".
        return target, (1.0 + self._config.lesion_cell_weight * cover).astype(np.float32)
