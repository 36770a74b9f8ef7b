"""What training minimizes, and at which learning rate. Only `keras.*` is called."""

from __future__ import annotations

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
class WarmRestart(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A linear warm-up, a cosine, and another from the peak (Loshchilov and Hutter 2017).

    Args:
        peak: Highest learning rate; the warm-up starts at a twentieth and each cosine ends at a
            two-hundredth of it.
        warm_up: Steps of the warm-up, the first of the first cosine.
        first: Steps of the first cosine.
        second: Steps of the second, 0 for none.
    """

    def __init__(self, peak: float, warm_up: int, first: int, second: int) -> None:
        self._settings = {"peak": peak, "warm_up": warm_up, "first": first, "second": second}
        cosine = keras.optimizers.schedules.CosineDecay
        self._first = cosine(
            peak / 20, max(1, first - warm_up), 0.005, warmup_target=peak, warmup_steps=warm_up
        )
        self._second = cosine(peak, max(1, second), alpha=0.005)

    def __call__(self, step: Any) -> Any:
        """The learning rate of a step."""
        first, second = self._settings["first"], self._settings["second"]
        if not second:
            return self._first(step)
        step = keras.ops.cast(step, "float32")
        return keras.ops.where(
            step < first, self._first(step), self._second(keras.ops.maximum(step - first, 0.0))
        )

    def get_config(self) -> dict[str, Any]:
        """What `__init__` takes."""
        return dict(self._settings)


def learning_rate_schedule(config: TrainingConfig, steps: int) -> WarmRestart:
    """The learning rate of a run whose epochs have `steps` steps."""
    first = max(1, round(config.restart * config.epochs)) * steps
    warm_up = max(1, steps // 2)
    return WarmRestart(config.learning_rate, warm_up, first, config.epochs * steps - first)
