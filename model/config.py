"""Frozen settings shared by training and serving. No I/O, no side effect on import."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLASS_NAMES: tuple[str, ...] = ("glioma", "meningioma", "notumor", "pituitary")
"""Class names in the order of the network's outputs."""

NO_TUMOUR = CLASS_NAMES.index("notumor")

IMAGE_SIZE = 224
"""Height and width in pixels of what the network sees."""

PARAMETER_COUNT = 3_763_940
"""Parameters of the saved network, every one trainable."""

MODEL_NAME = "brain_tumor_cnn"

MAP_SHAPE = (14, 14, 256)
"""The finest deep map, which the exported file gives out for heat maps: cells of 16 pixels."""

FEATURE_COUNT = 2 * MAP_SHAPE[2]
"""Mean and standard deviation of each of its channels, which the not-an-MRI detector looks at."""

PRECISIONS = ("auto", "float32", "mixed_bfloat16")
QUANTIZATIONS = ("none", "dynamic", "int8")

ARTIFACTS = Path(__file__).resolve().parent / "artifacts"


@dataclass(frozen=True)
class ArchitectureConfig:
    """Shape of the network. The defaults give exactly `PARAMETER_COUNT` parameters.

    Attributes:
        filters: Output channels of each 3 x 3 convolution.
        strides: Stride of each convolution.
        pools: Max-pooling size after each convolution, 1 for none. Strides and pools
            together take 224 pixels to a 3 x 3 map.
        lesion_layer: Number of the convolution, from 1, whose map (before its pooling) the lesion
            head looks at while training, and the heat map is made of: 14 x 14 cells of 16 pixels.
        hidden: Units of the hidden dense layers.
        dropout: Share of hidden units dropped while training, in [0, 1).
    """

    filters: tuple[int, ...] = (128, 128, 128, 128, 256, 256, 256, 256)
    strides: tuple[int, ...] = (2, 2, 1, 1, 1, 1, 1, 1)
    pools: tuple[int, ...] = (2, 1, 1, 2, 1, 1, 2, 2)
    lesion_layer: int = 7
    hidden: tuple[int, ...] = (484, 284)
    dropout: float = 0.2

    def __post_init__(self) -> None:
        lengths = {len(self.filters), len(self.strides), len(self.pools)}
        if len(lengths) != 1:
            raise ValueError(
                "`filters`, `strides` and `pools` must be equally long. Received: "
                f"{len(self.filters)}, {len(self.strides)} and {len(self.pools)} entries"
            )
        if not 1 <= self.lesion_layer <= len(self.filters):
            raise ValueError(
                f"`lesion_layer` must be in 1..{len(self.filters)}. Received: {self.lesion_layer}"
            )
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"`dropout` must be in [0, 1). Received: {self.dropout}")


@dataclass(frozen=True)
class AugmentationConfig:
    """What happens to each training image, anew in each epoch.

    The first seven are arguments of Keras's `ImageDataGenerator` under its own names; the others
    are shares of the images, in [0, 1]:

    Attributes:
        degrade: Resampled and JPEG-compressed, because the same MRI reaches users at several
            sizes and qualities.
        gamma: Given another tone curve.
        bias_field: Given a smooth brightness field, as receive coils leave it.
        blur: Blurred.
        noise: Given Gaussian noise.
        elastic: Bent by a smooth random field, a few pixels far, as no two heads or tumours are
            of one shape.
    """

    rotation_range: float = 14.0
    width_shift_range: float = 0.07
    height_shift_range: float = 0.07
    zoom_range: float = 0.10
    shear_range: float = 6.0
    horizontal_flip: bool = True
    brightness_range: tuple[float, float] = (0.8, 1.2)
    degrade: float = 0.3
    gamma: float = 0.2
    bias_field: float = 0.12
    blur: float = 0.12
    noise: float = 0.12
    elastic: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the outcome of a training run.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images a step.
        learning_rate: Peak of the Adamax learning rate: half an epoch of warm-up, then a
            cosine down to a two-hundredth of it.
        phantom_share: Share of the draws that are synthetic phantoms, in [0, 1).
        phantoms_per_class: Size of the pool of phantoms that are drawn from; each tumour comes
            with its tumour-free twin.
        phantom_seed: First seed of that pool. The gallery's phantoms have seeds of
            1,000,000 and more, the evaluation's 2,000,000 and more.
        paint_out_share: Share of the draws of an outlined tumour image in which the tumour is
            painted out and the label is `notumor`, in [0, 1].
        control_share: Share in which a patch beside the tumour is painted out and the label stays.
        lesion_loss_weight: Weight of the lesion head's loss against the classification's.
        lesion_cell_weight: How much more a cell inside a lesion counts than one outside.
        label_smoothing: Share of each label that is spread over the classes, in [0, 1).
        seed: Seed of weights, order and augmentation.
        precision: "auto", "float32" or "mixed_bfloat16".
    """

    epochs: int = 32
    batch_size: int = 32
    learning_rate: float = 1e-3
    phantom_share: float = 0.18
    phantoms_per_class: int = 500
    phantom_seed: int = 10_000
    paint_out_share: float = 0.2
    control_share: float = 0.16
    lesion_loss_weight: float = 1.0
    lesion_cell_weight: float = 8.0
    label_smoothing: float = 0.0
    seed: int = 1
    precision: str = "auto"
    architecture: ArchitectureConfig = dataclasses.field(default_factory=ArchitectureConfig)
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "phantoms_per_class"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")
        for name in ("phantom_share", "label_smoothing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"`{name}` must be in [0, 1). Received: {getattr(self, name)}")
        if not (
            min(self.paint_out_share, self.control_share) >= 0.0
            and self.paint_out_share + self.control_share <= 1.0
        ):
            raise ValueError(
                "`paint_out_share` and `control_share` must be at least 0 and together at most 1. "
                f"Received: {self.paint_out_share} and {self.control_share}"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"`precision` must be one of {', '.join(PRECISIONS)}. Received: {self.precision!r}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Returns nested plain values, ready for JSON (tuples become lists)."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


STAGES: dict[str, TrainingConfig] = {
    "groundwork": TrainingConfig(
        epochs=34, learning_rate=2e-3, phantom_share=0.2, paint_out_share=0.0, control_share=0.0,
        lesion_loss_weight=0.0, seed=2026,
    ),
    "counterfactuals": TrainingConfig(),
    "refinement": TrainingConfig(epochs=6, learning_rate=4e-4, phantom_share=0.35, seed=2),
    "consolidation": TrainingConfig(
        epochs=16, learning_rate=6e-4, phantom_share=0.3, phantoms_per_class=1000,
        phantom_seed=100_000, paint_out_share=0.15, seed=3,
    ),
    "reconsolidation": TrainingConfig(
        epochs=16, learning_rate=6e-4, phantom_share=0.3, phantoms_per_class=1000,
        phantom_seed=200_000, paint_out_share=0.15, seed=4,
        augmentation=AugmentationConfig(blur=0.25),
    ),
    "polish": TrainingConfig(
        epochs=10, learning_rate=5e-4, phantom_share=0.3, phantoms_per_class=1000,
        phantom_seed=300_000, paint_out_share=0.12, seed=6,
        augmentation=AugmentationConfig(blur=0.25, elastic=0.3),
    ),
}  # fmt: skip
"""The stages of a training, each from the weights of the one before.

First the classes alone, by style or otherwise: from there a network needs a fraction of the epochs
that a fresh one needs to learn, in the second stage, what a tumour is. The third is short and has
more phantoms, whose pairs differ in the lesion alone. The fourth draws phantoms that no stage
before has seen, since a network knows after some epochs those of its pool better than others, and
paints tumours out less often. The fifth does so once more, again with phantoms of its own, and
blurs twice as many draws, since blur is what the network before it stood least. The sixth bends a
share of the draws, so that no head or tumour keeps its shape, and paints fewer tumours out still.
"""

BRIEF = TrainingConfig(
    epochs=20, learning_rate=2e-3, phantom_share=0.0, paint_out_share=0.0, control_share=0.0,
    seed=11, architecture=ArchitectureConfig(pools=(4, 1, 1, 1, 2, 1, 2, 1), lesion_layer=5),
)  # fmt: skip
"""A recipe of one stage for grouped cross-validation, which takes five networks.

Real images alone, and pooled by 4 after the first convolution, which makes a step 2.7 times
cheaper at the same number of parameters.
"""

RECIPES: dict[str, TrainingConfig] = {**STAGES, "brief": BRIEF}
"""What `python -m model train --stage` takes."""
