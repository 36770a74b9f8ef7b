"""What the tests of the batches draw from: numbered images, a head with a tumor, phantoms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from data.phantoms.sets import PhantomPool
from model.config import CLASS_NAMES, NO_TUMOUR, AugmentationConfig, TrainingConfig
from model.training.batches import TrainingFlow
from model.training.draws import Sources
from tests.model_helpers import smooth_images

STILL = AugmentationConfig(
    rotation_range=0, width_shift_range=0, height_shift_range=0, zoom_range=0, shear_range=0,
    horizontal_flip=False, brightness_range=(1.0, 1.0), recolor=0, strip=0, curve=0, frame=0,
    background=0, marks=0, turn=0, degrade=0, gamma=0, bias_field=0, blur=0, noise=0, elastic=0,
)  # fmt: skip
CONFIG = TrainingConfig(
    batch_size=8, collection_share=0.0, graft_share=0.0, phantom_share=0.0, paint_out_share=0.0,
    control_share=0.0, ramp=0.0, seed=7, augmentation=STILL,
)  # fmt: skip
EVERYTHING = replace(CONFIG, paint_out_share=0.5, control_share=0.5)
BOX = np.array([[60, 80], [100, 80], [100, 130], [60, 130]], np.float32)  # x 60..99, y 80..129


def numbered(values: range) -> ImageSet:
    """Images that carry their own number as grey value; the label is the number modulo 4."""
    numbers = np.array(values)
    images = np.broadcast_to(numbers[:, None, None, None], (len(numbers), 224, 224, 1))
    return ImageSet(images.astype(np.uint8), numbers % 4, tuple(map(str, values)), "numbered")


def pool_of(values: range) -> PhantomPool:
    """Phantoms that carry their number likewise; the lesion is the upper half of each tumour."""
    images = numbered(values)
    masks = np.zeros((len(images), 224, 224), np.uint8)
    masks[images.labels != NO_TUMOUR, :112] = 255
    return PhantomPool(images.images[:, :, :, 0], masks, images.labels)


def flow_of(
    images: ImageSet, config: TrainingConfig = CONFIG, number: int = 0, **others: Any
) -> TrainingFlow:
    """The flow of an epoch over images; `others` are the other sources."""
    return TrainingFlow(Sources(images, others.pop("outlines", {}), **others), config, number)


def epoch(flow: TrainingFlow) -> tuple[np.ndarray, np.ndarray]:
    """Grey value at the centre and label of each image of a flow over `numbered` images."""
    batches = [flow[i] for i in range(len(flow))]
    images = np.concatenate([batch[0] for batch in batches])
    labels = np.concatenate([batch[1]["probabilities"] for batch in batches])
    assert images.dtype == labels.dtype == np.float32
    return np.rint(images[:, 112, 112, 0] * 255).astype(int), labels.argmax(axis=1)


def head() -> np.ndarray:
    """A head of one texture, with a bright tumour in `BOX`: uint8 (224, 224, 1)."""
    image = np.zeros((224, 224), np.uint8)
    cv2.ellipse(image, (112, 112), (90, 105), 0, 0, 360, 110, -1)
    image = np.where(image > 0, image + smooth_images(1, seed=2)[0, :, :, 0] // 16, 0)
    image[80:130, 60:100] = 255
    return image.astype(np.uint8)[:, :, np.newaxis]


def one(label: str, config: TrainingConfig, outlines: dict[str, Outline] | None) -> Any:
    """The batch of an epoch over one image of `head`."""
    images = ImageSet(head()[np.newaxis], np.array([CLASS_NAMES.index(label)]), ("x/a",), "hash")
    return flow_of(images, config, outlines=outlines or {})[0]


OUTLINES = {"x/a": Outline(1, False, BOX)}


def pairs(batch: Any, other: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Targets and weights of two batches."""
    for part in (1, 2):
        assert batch[part].keys() == other[part].keys() == {"probabilities", "lesion"}
        for name in batch[part]:
            yield batch[part][name], other[part][name]
