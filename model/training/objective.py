"""What training minimizes, and at which learning rate. Only `keras.*` is called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from model.config import NO_TUMOUR, TrainingConfig

_LEAST = 1e-7  # probability, before its logarithm is taken


@keras.saving.register_keras_serializable(package="model")  # type: ignore[untyped-decorator]
def superset_cross_entropy(target: Any, found: Any) -> Any:
    """-log of the probability of all admissible classes together, each image's or cell's.

    With one admissible class it is the cross-entropy (superset learning: Cour et al. 2011). Where
    the admissible classes cover a share of a cell, `notumor` has the rest.

    Args:
        target: float32 (..., 4), the share of each class that the image or cell may be of.
        found: float32 (..., 4), probabilities.
    """
    ops = keras.ops
    tumors = ops.convert_to_tensor([float(k != NO_TUMOUR) for k in range(target.shape[-1])])
    share = ops.max(target * tumors, axis=-1)  # (...,)
    allowed = ops.cast(target * tumors > 0, "float32")
    there = ops.log(ops.sum(allowed * found, axis=-1) + _LEAST)
    none = ops.log(found[..., NO_TUMOUR] + _LEAST)
    return -(share * there + target[..., NO_TUMOUR] * none)


@keras.saving.register_keras_serializable(package="model")  # type: ignore[untyped-decorator]
def superset_accuracy(target: Any, found: Any) -> Any:
    """Whether the most probable class is admissible, as 0 or 1 for each image."""
    ops = keras.ops
    best = ops.one_hot(ops.argmax(found, axis=-1), target.shape[-1])
    return ops.max(best * ops.cast(target > 0, "float32"), axis=-1)


@keras.saving.register_keras_serializable(package="model")
class WarmRestarts(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A linear warm-up and a cosine, then others from the peak (Loshchilov and Hutter 2017).

    The last of several starts from half the peak.

    Args:
        peak: Highest learning rate; the warm-up starts at a twentieth and each cosine ends at a
            two-hundredth of it.
        warm_up: Steps of the warm-up, the first of the first cosine.
        cycles: Steps of each cosine.
    """

    def __init__(self, peak: float, warm_up: int, cycles: Sequence[int]) -> None:
        self._settings = {"peak": peak, "warm_up": warm_up, "cycles": list(cycles)}
        self._starts = [sum(cycles[:k]) for k in range(len(cycles))]
        cosine = keras.optimizers.schedules.CosineDecay
        first, *others = cycles
        peaks = [peak] * (len(others) - 1) + [peak / 2]
        self._cosines = [
            cosine(
                peak / 20, max(1, first - warm_up), 0.005, warmup_target=peak, warmup_steps=warm_up
            ),
            *(cosine(top, steps, alpha=0.005) for top, steps in zip(peaks, others, strict=False)),
        ]

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        ops = keras.ops
        step = ops.cast(step, "float32")
        rate = self._cosines[0](step)
        for start, cosine in zip(self._starts[1:], self._cosines[1:], strict=True):
            rate = ops.where(step < start, rate, cosine(ops.maximum(step - start, 0.0)))
        return rate

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return dict(self._settings)


def learning_rate_schedule(config: TrainingConfig, steps: int) -> WarmRestarts:
    """The learning rate of a run whose epochs have `steps` steps."""
    cycles = [epochs * steps for epochs in config.cycles]
    return WarmRestarts(config.learning_rate, max(1, steps // 2), cycles)
