"""Augmented batches of an epoch.

Data contract: a batch is (images, targets, weights): images float32 (batch, 224, 224, 1) in
[0, 1]; targets `probabilities` float32 (batch, 4), 1 for each admissible class, and `lesion`
float32 (batch, 14, 14, 4), the share of each cell that a tumor covers, for each class that it
may be, `notumor` being the rest; weights `probabilities` float32 (batch,), `lesion` float32
(batch, 14, 14), zero for an image whose lesion is unknown.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from data.dataset.collections import LABELS, TUMOR
from model.config import CLASS_NAMES, MAP_SHAPE, NO_TUMOUR, TrainingConfig
from model.training.augmentation import augment, augmenter
from model.training.draws import KINDS, Draw, Draws, Sources

CELLS = MAP_SHAPE[0]
"""Cells along a side of the lesion head's map."""

Batch = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]


class TrainingFlow:
    """Augmented batches of one epoch; the same config and epoch give the same batches."""

    def __init__(self, sources: Sources, config: TrainingConfig, epoch: int) -> None:
        """Draws the epoch's order and what is shown at each place.

        Args:
            sources: The images. Each of the dataset has one place in the epoch. The last places,
                fewer than a batch, are not shown; they are others in each epoch.
            config: The run's settings.
            epoch: Number of the epoch, from 0.
        """
        self._config = config
        rng = np.random.default_rng([config.seed, epoch])
        images, places = len(sources.dataset), sources.draws(config)
        shares = np.array([sources.shares(config)[kind] for kind in KINDS[1:]])
        kinds = np.zeros(places, np.int64)
        if places > images:
            kinds[images:] = 1 + rng.choice(3, places - images, p=shares / shares.sum())
        order = rng.permutation(places)
        self._rows, self._kinds = order, kinds[order]
        self._seeds = rng.integers(2**32, size=places)
        self._draws = Draws(sources, config, epoch)
        self._changes = config.augmentation_at(epoch)
        self._augmenter = augmenter(self._changes)

    def __len__(self) -> int:
        # A last batch of a few images would give batch normalisation a poor estimate.
        return max(1, len(self._rows) // self._config.batch_size)

    def __getitem__(self, index: int) -> Batch:
        size = self._config.batch_size
        images, labels, lesions, weights = [], [], [], []
        for place in range(index * size, min((index + 1) * size, len(self._rows))):
            draw, image, moved = self.shown(place)
            target, weight = self._cells(draw.label, moved)
            images.append(image)
            labels.append(admissible(draw.label))
            lesions.append(target)
            weights.append(weight)
        return (
            np.stack(images),
            {"probabilities": np.stack(labels), "lesion": np.stack(lesions)},
            {"probabilities": np.ones(len(labels), np.float32), "lesion": np.stack(weights)},
        )

    def shown(self, place: int) -> tuple[Draw, NDArray[np.float32], NDArray[np.float32] | None]:
        """What is drawn for a place of the epoch, and its variant and mask as `augment` says."""
        draw, seed = self.draw(place), int(self._seeds[place])
        changes = self._changes
        return draw, *augment(draw.image, draw.mask, self._augmenter, changes, seed)

    def kind(self, place: int) -> str:
        """Which of `KINDS` is drawn for a place of the epoch."""
        return KINDS[self._kinds[place]]

    def draw(self, place: int) -> Draw:
        """What is drawn for a place of the epoch, before its augmentation."""
        rng = np.random.default_rng([int(self._seeds[place]), 2])
        return self._draws.draw(self.kind(place), int(self._rows[place]), rng)

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
            target[:] = cover[:, :, np.newaxis] * admissible(label)
            target[:, :, NO_TUMOUR] = 1.0 - cover
        # Lesions cover one cell in twenty; without a weight the head would learn to say "none".
        return target, (1.0 + self._config.lesion_cell_weight * cover).astype(np.float32)


def admissible(label: int) -> NDArray[np.float32]:
    """Which classes an image may be of, float32 (4,): its own, or each tumor for `TUMOR`."""
    if label == TUMOR:
        return np.array([name != CLASS_NAMES[NO_TUMOUR] for name in CLASS_NAMES], np.float32)
    return np.array([name == LABELS[label] for name in CLASS_NAMES], np.float32)
