"""Small typed pieces of the reports that the page alone shows: layers, counts by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from model.config import CLASS_NAMES

T = TypeVar("T")

INTERVAL = 0.95
"""Level of the intervals that the reports call ``accuracy_95`` and ``interval_95``."""


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


def by_class(report: Mapping[str, Any]) -> dict[str, int]:
    """Counts of each class and, under "all", of all of them."""
    return {name: int(report[name]) for name in (*CLASS_NAMES, "all")}


def optional(read: Callable[[], T]) -> T | None:
    """What ``read`` gives, None where a figure is missing: for a part of a section."""
    try:
        return read()
    except LookupError:
        return None
