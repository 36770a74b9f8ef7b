"""Small typed pieces of the reports: scores, shares, counts by class.

Reading one raises ``MissingFigureError`` where the report lacks it, and TypeError or ValueError
where it is of another kind than it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from model.config import CLASS_NAMES, RECIPE

T = TypeVar("T")

INTERVAL = 0.95
"""Level of the intervals that the reports call ``accuracy_95`` and ``interval_95``."""


@dataclass(frozen=True)
class ClassScore:
    """One class; ``precision``, ``recall`` and ``f1`` are None where no image makes them known."""

    right: int
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True)
class Score:
    """How well a set of images was read, as ``evaluate_confusion`` reports it.

    Attributes:
        low, high: The interval of ``accuracy``.
        confusion: Images by true class (row) and answer (column).
        lowest: Name and recall of the class read worst.
    """

    images: int
    correct: int
    accuracy: float
    low: float
    high: float
    balanced: float
    classes: Mapping[str, ClassScore]
    confusion: tuple[tuple[int, ...], ...]
    lowest: tuple[str, float]


@dataclass(frozen=True)
class Share:
    """A part of some images, with its interval."""

    count: int
    images: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Layer:
    """One layer of the network.

    Attributes:
        name: The layer's own, such as "conv1".
        kind: Keras's class name, such as "Conv2D".
        shape: Of what it gives, without the batch axis: (height, width, channels) or (units,).
        parameters: Trainable and fixed together.
        kernel, stride: Height and width of a window and of its step, where it has one.
        function: What an Activation applies.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    kernel: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    function: str | None = None


def layer(report: Mapping[str, Any]) -> Layer:
    kernel, stride = report.get("kernel"), report.get("stride")
    return Layer(
        str(report["name"]),
        str(report["kind"]),
        tuple(int(side) for side in report["shape"]),
        int(report["parameters"]),
        None if kernel is None else tuple(kernel),
        None if stride is None else tuple(stride),
        report.get("function"),
    )


def score(report: Mapping[str, Any]) -> Score:
    confusion = tuple(tuple(int(cell) for cell in row) for row in report["confusion"])
    if [len(row) for row in confusion] != [len(CLASS_NAMES)] * len(CLASS_NAMES):
        raise ValueError("`confusion` must have a row and a column for each class")
    classes = {
        name: ClassScore(
            confusion[index][index],
            int(found["support"]),
            maybe(found["precision"]),
            maybe(found["recall"]),
            maybe(found["f1"]),
        )
        for index, name in enumerate(CLASS_NAMES)
        for found in (report["classes"][name],)
    }
    low, high = report["accuracy_95"]
    known = {name: found.recall for name, found in classes.items() if found.recall is not None}
    worst = min(known, key=lambda name: known[name])
    return Score(
        int(report["images"]),
        int(report["correct"]),
        float(report["accuracy"]),
        float(low),
        float(high),
        float(report["balanced_accuracy"]),
        classes,
        confusion,
        (worst, known[worst]),
    )


def share(report: Mapping[str, Any]) -> Share:
    low, high = report["interval_95"]
    return Share(
        int(report["count"]),
        int(report["images"]),
        float(report["share"]),
        float(low),
        float(high),
    )


def by_class(report: Mapping[str, Any]) -> dict[str, int]:
    """Counts of each class and, under "all", of all of them."""
    return {name: int(report[name]) for name in (*CLASS_NAMES, "all")}


def maybe(value: Any) -> float | None:
    return None if value is None else float(value)


def optional(read: Callable[[], T]) -> T | None:
    """What ``read`` gives, None where a figure is missing: for a part of a section."""
    try:
        return read()
    except LookupError:
        return None


def is_earlier(run: Mapping[str, Any]) -> bool:
    """Whether a network was trained by another recipe than the present one."""
    return bool(run["recipe"] != RECIPE)
