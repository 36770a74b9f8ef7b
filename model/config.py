"""Frozen settings shared by training and serving. No I/O, no side effect on import."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLASS_NAMES: tuple[str, ...] = ("glioma", "meningioma", "notumor", "pituitary")
"""Class names in the order of the network's outputs."""

IMAGE_SIZE = 224
"""Height and width in pixels of what the network sees."""

PARAMETER_COUNT = 3_763_940
"""Parameters of the saved network, every one trainable."""

MODEL_NAME = "brain_tumor_cnn"

ARTIFACTS = Path(__file__).resolve().parent / "artifacts"


@dataclass(frozen=True)
class ArchitectureConfig:
    """Shape of the network. The defaults give exactly `PARAMETER_COUNT` parameters.

    Attributes:
        filters: Output channels of each 3 x 3 convolution.
        strides: Stride of each convolution.
        pools: Max-pooling size after each convolution, 1 for none. Strides and pools
            together take 224 pixels to a 3 x 3 map.
        hidden: Units of the hidden dense layers.
        dropout: Share of hidden units dropped while training, in [0, 1).
    """

    filters: tuple[int, ...] = (128, 128, 128, 128, 256, 256, 256, 256)
    strides: tuple[int, ...] = (2, 2, 1, 1, 1, 1, 1, 1)
    pools: tuple[int, ...] = (2, 1, 1, 2, 1, 1, 2, 2)
    hidden: tuple[int, ...] = (484, 284)
    dropout: float = 0.3

    def __post_init__(self) -> None:
        lengths = {len(self.filters), len(self.strides), len(self.pools)}
        if len(lengths) != 1:
            raise ValueError(
                "`filters`, `strides` and `pools` must be equally long. Received: "
                f"{len(self.filters)}, {len(self.strides)} and {len(self.pools)} entries"
            )
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {self.dropout}")


@dataclass(frozen=True)
class AugmentationConfig:
    """What happens to each training image, anew in each epoch.

    The first seven are arguments of Keras's `ImageDataGenerator` under its own names;
    `degrade` is the share of images that are also resampled and JPEG-compressed, because
    the same MRI reaches users at several sizes and qualities.
    """

    rotation_range: float = 12.0
    width_shift_range: float = 0.06
    height_shift_range: float = 0.06
    zoom_range: float = 0.10
    shear_range: float = 6.0
    horizontal_flip: bool = True
    brightness_range: tuple[float, float] = (0.8, 1.2)
    degrade: float = 0.3


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the outcome of a training run.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images a step.
        learning_rate: Peak of the Adamax learning rate: one epoch of warm-up, then a
            cosine down to a hundredth of it.
        validation_share: Share of Training that is held out, in (0, 1). Near-identical
            copies and mirror images always fall on one side.
        phantom_share: Share of the draws that are synthetic phantoms, in [0, 1).
        phantom_start_epoch: First epoch (from 0) in which phantoms are drawn.
        phantoms_per_class: Size of the pool of phantoms that are drawn from.
        phantom_seed: First seed of that pool. The gallery's phantoms have seeds of
            1,000,000 and more, the evaluation's 2,000,000 and more.
        seed: Seed of weights, split, order and augmentation.
        precision: "auto", "float32" or "mixed_bfloat16".
    """

    epochs: int = 34
    batch_size: int = 32
    learning_rate: float = 2e-3
    validation_share: float = 0.1
    phantom_share: float = 0.2
    phantom_start_epoch: int = 13
    phantoms_per_class: int = 500
    phantom_seed: int = 10_000
    seed: int = 2026
    precision: str = "auto"
    architecture: ArchitectureConfig = dataclasses.field(default_factory=ArchitectureConfig)
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"`epochs` must be at least 1. Received: {self.epochs}")
        if self.batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: {self.batch_size}")
        if not 0.0 < self.validation_share < 1.0:
            raise ValueError(
                f"`validation_share` must be in (0, 1). Received: {self.validation_share}"
            )
        if not 0.0 <= self.phantom_share < 1.0:
            raise ValueError(f"`phantom_share` must be in [0, 1). Received: {self.phantom_share}")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"`precision` must be one of {', '.join(PRECISIONS)}. Received: {self.precision!r}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Returns nested plain values, ready for JSON (tuples become lists)."""
        return {
            key: list(value) if isinstance(value, tuple) else _listed(value)
            for key, value in dataclasses.asdict(self).items()
        }


PRECISIONS = ("auto", "float32", "mixed_bfloat16")
QUANTIZATIONS = ("none", "dynamic", "int8")


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: list(v) if isinstance(v, tuple) else v for k, v in value.items()}
    return value
