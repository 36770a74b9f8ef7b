"""Frozen settings shared by training and serving. No I/O, no side effect on import."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

CLASS_NAMES: tuple[str, ...] = ("glioma", "meningioma", "notumor", "pituitary")
"""Class names in the order of the network's outputs."""

NO_TUMOUR = CLASS_NAMES.index("notumor")

IMAGE_SIZE = 224
"""Height and width in pixels of what the network sees."""

PARAMETER_COUNT = 3_763_940
"""Parameters of the saved network, every one trainable."""

RECIPE = "one run"
"""How `model.training.train` trains; a score of another recipe says which in its `recipe`."""

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
    pools: tuple[int, ...] = (2, 1, 1, 2, 1, 2, 1, 2)
    lesion_layer: int = 6
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


KERAS_AUGMENTATION = (
    "rotation_range", "width_shift_range", "height_shift_range", "zoom_range", "shear_range",
    "horizontal_flip", "brightness_range",
)  # fmt: skip
"""Fields of `AugmentationConfig` that are arguments of `ImageDataGenerator`."""


@dataclass(frozen=True)
class AugmentationConfig:
    """What happens to each training image, anew in each epoch and alike for every class.

    The first seven are arguments of Keras's `ImageDataGenerator` under its own names; the others
    are shares of the images, in [0, 1]:

    Attributes:
        recolor: The tumor made brighter or darker, where an outline is known.
        strip: Without skull and scalp.
        curve: With other tones, up to those of another contrast.
        frame: Cut or padded to another frame around the head.
        background: With grey air, or a frame around the picture.
        marks: With letters near the rim, as viewers print them.
        turn: Turned by quarters, and mirrored.
        degrade: Resampled and JPEG-compressed, because the same MRI reaches users at several
            sizes and qualities.
        gamma: Given another tone curve, a power.
        bias_field: Given a smooth brightness field, as receive coils leave it.
        blur: Blurred.
        noise: Given Gaussian noise.
        elastic: Bent by a smooth random field, a few pixels far: no two heads or tumors have
            the same shape.
    """

    rotation_range: float = 14.0
    width_shift_range: float = 0.07
    height_shift_range: float = 0.07
    zoom_range: float = 0.10
    shear_range: float = 6.0
    horizontal_flip: bool = True
    brightness_range: tuple[float, float] = (0.8, 1.2)
    recolor: float = 0.15
    strip: float = 0.15
    curve: float = 0.3
    frame: float = 0.5
    background: float = 0.12
    marks: float = 0.06
    turn: float = 0.06
    degrade: float = 0.3
    gamma: float = 0.2
    bias_field: float = 0.15
    blur: float = 0.2
    noise: float = 0.15
    elastic: float = 0.2

    def calmed(self, factor: float) -> AugmentationConfig:
        """The same with every share times `factor`."""
        shares = {
            field.name: getattr(self, field.name) * factor
            for field in dataclasses.fields(self)
            if field.name not in KERAS_AUGMENTATION
        }
        return dataclasses.replace(self, **shares)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the outcome of a training run.

    An epoch shows each image of the dataset once. The other draws, of collections, phantoms and
    grafts, come on top, so that they are the shares given here of all draws.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images a step.
        learning_rate: Peak of the Adamax learning rate: half an epoch of warm-up, then a
            cosine down to a two-hundredth of it, which starts anew at each of `restarts`, the last
            time from half the peak.
        restarts: Shares of the epochs after which the learning rate starts anew, rising, in (0, 1).
        calm: Factor on the augmentation's shares in the last of several cosines: images as they
            are, at last (as Ge et al. 2021, YOLOX, end without their strongest augmentation).
        collection_share: Share of the draws that are images of other collections, in [0, 1).
        graft_share: Share that are healthy heads with a tumor of another image blended in, or a
            patch of healthy tissue, in [0, 1).
        graft_controls: Share of the grafts that are of healthy tissue, in [0, 1].
        phantom_share: Share of the draws that are synthetic phantoms, in [0, 1).
        phantoms_per_class: Size of the pool of phantoms that are drawn from; each tumor comes
            with its tumor-free twin.
        phantom_seed: First seed of that pool. The gallery's phantoms have seeds of
            1,000,000 and more, the evaluation's 2,000,000 and more.
        paint_out_share: Share of the draws of an outlined tumor image in which the tumor is
            painted out and the label is `notumor`, in [0, 1].
        control_share: Share in which a patch beside the tumor is painted out and the label stays.
        ramp: Share of the epochs over which the two shares of painted images grow from zero:
            the network first learns what a tumor looks like.
        lesion_loss_weight: Weight of the lesion head's loss against the classification's.
        lesion_cell_weight: How much more a cell inside a lesion counts than one outside.
        seed: Seed of weights, order and augmentation.
        precision: "auto", "float32" or "mixed_bfloat16".
    """

    epochs: int = 68
    batch_size: int = 32
    learning_rate: float = 2e-3
    restarts: tuple[float, ...] = (0.5,)
    calm: float = 0.5
    collection_share: float = 0.26
    graft_share: float = 0.14
    graft_controls: float = 0.4
    phantom_share: float = 0.18
    phantoms_per_class: int = 800
    phantom_seed: int = 10_000
    paint_out_share: float = 0.14
    control_share: float = 0.12
    ramp: float = 0.1
    lesion_loss_weight: float = 1.0
    lesion_cell_weight: float = 8.0
    seed: int = 1
    precision: str = "auto"
    architecture: ArchitectureConfig = dataclasses.field(default_factory=ArchitectureConfig)
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "phantoms_per_class"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")
        shares = (self.collection_share, self.graft_share, self.phantom_share)
        if not (min(shares) >= 0.0 and sum(shares) < 1.0):
            raise ValueError(
                "`collection_share`, `graft_share` and `phantom_share` must be at least 0 and "
                f"together below 1. Received: {', '.join(map(str, shares))}"
            )
        for name in ("graft_controls", "ramp", "calm"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"`{name}` must be in [0, 1]. Received: {getattr(self, name)}")
        ends = (0.0, *self.restarts, 1.0)
        if any(after <= before for before, after in pairwise(ends)):
            raise ValueError(f"`restarts` must rise, in (0, 1). Received: {self.restarts}")
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

    @property
    def cycles(self) -> tuple[int, ...]:
        """Epochs of each cosine of the learning rate; those of no epoch are left out."""
        ends = [round(share * self.epochs) for share in (0.0, *self.restarts, 1.0)]
        return tuple(after - before for before, after in pairwise(ends) if after > before)

    def augmentation_at(self, epoch: int) -> AugmentationConfig:
        """The augmentation of an epoch, from 0."""
        cycles = self.cycles
        if len(cycles) == 1 or epoch < self.epochs - cycles[-1]:
            return self.augmentation
        return self.augmentation.calmed(self.calm)

    def as_dict(self) -> dict[str, Any]:
        """Returns nested plain values, ready for JSON (tuples become lists)."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain
