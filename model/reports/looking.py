"""Whether the network looks at tumors, how well its heat maps point, and what spoiling costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.config import CLASS_NAMES
from model.reports.scores import Share, share


@dataclass(frozen=True)
class Measure:
    """A share and what was aimed at: at least so much, or at most."""

    name: str
    found: Share
    aim: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the aim is met."""
        return self.found.share <= self.aim if self.at_most else self.found.share >= self.aim


@dataclass(frozen=True)
class Pointing:
    """How often the maximum of the shipped heat map lies in the tumor, or near it.

    Attributes:
        tolerance: Pixels that count as near.
        middle: The same for the middle of the head, where it was measured.
    """

    method: str
    tolerance: int
    measure: Measure
    classes: Mapping[str, Share]
    middle: Share | None


@dataclass(frozen=True)
class HeatMap:
    """A kind of heat map: its hits and its overlap, on phantoms and on held-out tumors."""

    name: str
    shipped: bool
    phantoms: Share
    phantoms_iou: float
    real: Share
    real_iou: float


@dataclass(frozen=True)
class Corruptions:
    """Accuracy on images that were spoiled on purpose.

    Attributes:
        rows: Of each corruption, by strength.
        worst: The one that costs most at middle strength.
        mirrored: Images that get the same label when mirrored.
    """

    clean: Share
    rows: Mapping[str, tuple[Share, ...]]
    worst: str
    mirrored: Share


def measures(shortcuts: Mapping[str, Any]) -> tuple[Measure, ...]:
    """Tumors painted out, patches beside them painted out, and pairs of phantoms."""
    bars = shortcuts["bars"]
    return (
        _measure("painted_out", shortcuts["painted_out"]["to_notumor"],
                 bars["painted_out_to_notumor"]),
        _measure("control", shortcuts["control"]["changed"], bars["control_changed"],
                 at_most=True),
        _measure("pairs", shortcuts["pairs"]["both_right"], bars["pairs_both_right"]),
    )  # fmt: skip


def _measure(name: str, report: Mapping[str, Any], aim: float, *, at_most: bool = False) -> Measure:
    return Measure(name, share(report["all"]), float(aim), at_most)


def pointing(shortcuts: Mapping[str, Any]) -> Pointing:
    maps = shortcuts["heat_maps"]
    hits = maps["methods"][maps["default"]]["hits"]
    middle = maps.get("middle_of_the_head")
    return Pointing(
        str(maps["default"]),
        int(maps["tolerance_pixels"]),
        _measure("heat_maps", hits, shortcuts["bars"]["heat_map_hits"]),
        {name: share(hits[name]) for name in CLASS_NAMES if name in hits},
        None if middle is None else share(middle["hits"]["all"]),
    )


def heat_maps(report: Mapping[str, Any]) -> tuple[HeatMap, ...]:
    """Every kind that was measured, the best on phantoms first."""
    phantoms, real = report["phantoms"]["methods"], report["held_out"]["methods"]
    found = [
        HeatMap(
            name,
            name == report["shipped"],
            share(row["hits"]["all"]),
            float(row["iou"]["all"]),
            share(real[name]["hits"]["all"]),
            float(real[name]["iou"]["all"]),
        )
        for name, row in phantoms.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.phantoms.count))


def corruptions(report: Mapping[str, Any]) -> Corruptions:
    return Corruptions(
        share(report["clean"]),
        {
            name: tuple(share(cell) for cell in row["accuracy"])
            for name, row in report["corruptions"].items()
        },
        str(report["worst"]),
        share(report["same_label_mirrored"]),
    )
