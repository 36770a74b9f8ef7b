"""Settings of a run of seconds."""

from __future__ import annotations

import numpy as np

from data.dataset.image_set import ImageSet
from model.config import ArchitectureConfig, TrainingConfig

CONFIG = TrainingConfig(
    epochs=2,
    batch_size=4,
    collection_share=0.0,
    graft_share=0.0,
    phantom_share=0.0,
    seed=3,
    precision="float32",
    architecture=ArchitectureConfig(
        filters=(4, 4, 4, 4),
        strides=(2, 2, 2, 1),
        pools=(2, 1, 2, 4),
        lesion_layer=3,
        hidden=(8, 6),
    ),
)


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Eight images to train on and eight for validation."""
    return images.take(np.arange(8)), images.take(np.arange(8, 16))
