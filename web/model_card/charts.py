"""Geometry of the model card's drawings: numbers for SVG attributes, no words and no colours.

Coordinates are in the units of each drawing's own ``viewBox``, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from web.model_card.figures import Layer

Point = tuple[float, float]
NAME_HEIGHT = 14.0  # a line of the curves' names


@dataclass(frozen=True)
class Frame:
    """A drawing and the plot inside it: left, top, right and bottom are the plot's edges."""

    width: float
    height: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Tick:
    value: float
    at: float


@dataclass(frozen=True)
class Line:
    """A curve: ``key`` names it, ``points`` is for a polyline, ``end`` is where its name goes."""

    key: str
    points: str
    dots: tuple[Point, ...]
    end: Point


@dataclass(frozen=True)
class LineChart:
    frame: Frame
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Dot:
    """One bin of a reliability diagram: where it is, how large, and how far from the diagonal."""

    x: float
    y: float
    ideal: float
    radius: float


@dataclass(frozen=True)
class Reliability:
    frame: Frame
    ticks_across: tuple[Tick, ...]
    ticks_up: tuple[Tick, ...]
    dots: tuple[Dot, ...]
    diagonal: tuple[Point, Point]


def ticks(low: float, high: float, wanted: int = 4) -> tuple[float, ...]:
    """Round values (1, 2 or 5 times a power of ten apart) that reach from low to high."""
    if not high > low:
        low, high = low - 0.5, low + 0.5
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(k * step, 10) for k in range(first, last + 1))


def line_chart(
    epochs: Sequence[float], series: Mapping[str, Sequence[float]], frame: Frame
) -> LineChart:
    """Curves over epochs on one scale."""
    values = [value for line in series.values() for value in line]
    heights = ticks(min(values), max(values))
    spread = max(epochs) - min(epochs) or 1.0

    def x(epoch: float) -> float:
        return round(frame.left + (epoch - min(epochs)) / spread * (frame.right - frame.left), 1)

    def y(value: float) -> float:
        return round(_between(value, heights[0], heights[-1], frame.bottom, frame.top), 1)

    ends = _apart([y(line[-1]) for line in series.values()])
    lines = []
    for (key, line), end in zip(series.items(), ends, strict=True):
        dots = tuple((x(e), y(v)) for e, v in zip(epochs, line, strict=True))
        points = " ".join(f"{a},{b}" for a, b in dots)
        lines.append(Line(key, points, dots, (dots[-1][0], end)))
    return LineChart(
        frame,
        tuple(Tick(e, x(e)) for e in _some(epochs)),
        tuple(Tick(v, y(v)) for v in heights),
        tuple(lines),
    )


def _apart(heights: Sequence[float], gap: float = NAME_HEIGHT) -> list[float]:
    """Heights for the names of curves: those of their ends, or as far apart as names are high."""
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    found = list(heights)
    for before, after in pairwise(order):
        missing = gap - (found[after] - found[before])
        if missing > 0:
            found[before] = round(found[before] - missing / 2, 1)
            found[after] = round(found[after] + missing / 2, 1)
    return found


def _some(epochs: Sequence[float], most: int = 10) -> Sequence[float]:
    """At most ``most`` of the epochs, evenly spaced."""
    return epochs[:: -(-len(epochs) // most)]


def reliability(
    bins: Sequence[tuple[float, float, float]], frame: Frame, low: float
) -> Reliability:
    """Dots of a reliability diagram.

    Args:
        bins: Images, mean confidence and accuracy of each.
        frame: Where to draw.
        low: The least confidence there can be; both axes end at 1, accuracy begins at 0.
    """
    most = max(images for images, _, _ in bins)

    def x(confidence: float) -> float:
        return round(_between(confidence, low, 1, frame.left, frame.right), 1)

    def y(share: float) -> float:
        return round(_between(share, 0, 1, frame.bottom, frame.top), 1)

    dots = tuple(
        Dot(x(sure), y(right), y(sure), round(3.5 + 9 * math.sqrt(images / most), 1))
        for images, sure, right in bins
    )
    across = tuple(Tick(v, x(v)) for v in ticks(0, 1, 5) if v >= low)
    return Reliability(
        frame,
        across,
        tuple(Tick(v, y(v)) for v in ticks(0, 1, 5)),
        dots,
        ((x(low), y(low)), (x(1), y(1))),
    )


def _between(value: float, low: float, high: float, start: float, end: float) -> float:
    return start + (value - low) / (high - low) * (end - start)


# the network as films: one stack for each layer with weights, thinner and smaller on the way


@dataclass(frozen=True)
class Stage:
    """Layers drawn as one: a layer with weights, or the input, and what follows it.

    Attributes:
        layers: The first gives the stage its name.
        shape: Of what the last of them gives.
        parameters: Of all of them.
        x: Middle of its stack.
        size: Width and height of one film.
        films: x and y of each film's upper left corner, the hindmost first.
    """

    layers: tuple[Layer, ...]
    shape: tuple[int, ...]
    parameters: int
    x: float
    size: tuple[float, float]
    films: tuple[Point, ...]


@dataclass(frozen=True)
class Diagram:
    width: float
    height: float
    middle: float
    stages: tuple[Stage, ...]


SLOT, GAP = 76.0, 26.0  # least width of a stack's place, and what it leaves free there
MIDDLE = 88.0
TALLEST = 92.0
SHIFT = 3.0  # from a film to the one behind it


def diagram(layers: Sequence[Layer]) -> Diagram:
    """The drawing of a network."""
    groups: list[list[Layer]] = []
    for layer in layers:
        if not groups or layer.parameters or layer.kind == "Flatten":
            groups.append([])
        groups[-1].append(layer)
    widest = max(max(layer.shape[:2]) for layer in layers if len(layer.shape) > 1)
    longest = max((layer.shape[0] for layer in layers if len(layer.shape) == 1), default=1)
    stages: list[Stage] = []
    end = 0.0
    for group in groups:
        stage, width = _stage(tuple(group), end, widest, longest)
        stages.append(stage)
        end += width
    return Diagram(round(end, 1), 214.0, MIDDLE, tuple(stages))


def _stage(
    layers: tuple[Layer, ...], start: float, widest: int, longest: int
) -> tuple[Stage, float]:
    """A stack whose place begins at ``start``, and the width of that place."""
    shape = layers[-1].shape
    if len(shape) > 1:
        size = (_length(shape[1], widest), _length(shape[0], widest))
        sheets = 1 + round(math.log2(shape[2]) * 0.75)
    else:
        size, sheets = (9.0, _length(shape[0], longest)), 1
    offset = SHIFT * (sheets - 1) / 2
    width = max(SLOT, size[0] + 2 * offset + GAP)
    x = round(start + width / 2, 1)
    left, top = x - size[0] / 2, MIDDLE - size[1] / 2
    films = tuple(
        (round(left + offset - SHIFT * k, 1), round(top - offset + SHIFT * k, 1))
        for k in range(sheets)
    )
    parameters = sum(layer.parameters for layer in layers)
    return Stage(layers, shape, parameters, x, size, films), width


def _length(side: int, longest: int) -> float:
    return round(12 + (TALLEST - 12) * math.sqrt(side / longest), 1)
