"""How the network does on other collections, and on pictures that are no brain MRIs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.reports.scores import maybe

CERTAIN = 0.9
"""A tumor with a greater probability of no tumor is missed with certainty."""

FIGURES = (
    "sensitivity", "specificity", "auroc", "missed_with_certainty", "kept", "answered",
    "right_of_answered", "ece",
)  # fmt: skip
"""Figures of each collection, as `model.evaluation.other_collections` calls them."""


@dataclass(frozen=True)
class Collection:
    """One collection; a figure is None where it has no tumors, or no healthy heads."""

    images: int
    people: int
    figures: Mapping[str, float | None]


@dataclass(frozen=True)
class Style:
    """Pictures of one contrast, plane and skull, there (`stripped` is false) or removed."""

    contrast: str
    plane: str
    stripped: bool
    images: int
    people: int
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True)
class Others:
    """People of other collections.

    Attributes:
        mean: Of each figure over the collections, and `balanced`.
        intervals: The 95% intervals of the means.
    """

    images: int
    people: int
    sets: Mapping[str, Collection]
    styles: tuple[Style, ...]
    mean: Mapping[str, float | None]
    intervals: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Refusals:
    """Pictures of other things, from sources that the rule was not fitted on.

    Attributes:
        kinds: Refused and all pictures of each kind.
        near: Share refused of each kind of spoiled brain MRI.
    """

    kinds: Mapping[str, tuple[int, int]]
    pictures: int
    refused: float
    auroc: float
    near: Mapping[str, float]


def others(evaluation: Mapping[str, Any]) -> Others:
    found = evaluation["other_collections"]
    sets = {
        name: Collection(
            int(row["images"]), int(row["people"]), {key: maybe(row[key]) for key in FIGURES}
        )
        for name, row in found["sets"].items()
    }
    return Others(
        int(found["images"]),
        int(found["people"]),
        sets,
        tuple(Style(**row) for row in found["styles"]),
        {key: maybe(found["mean"][key]) for key in (*FIGURES, "balanced")},
        {key: (float(ends[0]), float(ends[1])) for key, ends in found["mean_95"].items() if ends},
    )


def told_right(evaluation: Mapping[str, Any]) -> Mapping[str, Mapping[str, int]]:
    """Right answers in a hundred pictures, half of them with a tumor, by contrast; "" is any."""
    found = evaluation["other_collections"]
    rows = {"": found | found["mean"], **found["contrasts"]}
    return {
        contrast: {
            "right": round(50 * (row["sensitivity"] + row["specificity"])),
            "images": int(row["images"]),
            "people": int(row["people"]),
        }
        for contrast, row in rows.items()
        if None not in (row["sensitivity"], row["specificity"])
    }


def refusals(ood: Mapping[str, Any]) -> Refusals:
    kinds: dict[str, tuple[int, int]] = {}
    for source in ood["sources"].values():
        if source["part"] == "held_out" and source["pictures"]:
            refused, pictures = kinds.get(source["kind"], (0, 0))
            refused += round(source["pictures"] * source["refused"])
            kinds[str(source["kind"])] = refused, pictures + int(source["pictures"])
    summary = ood["summary"]["held_out"]
    near = {name: float(value) for name, value in ood["refused_of_near_cases"].items()}
    return Refusals(
        kinds, int(summary["pictures"]), float(summary["refused"]), float(summary["auroc"]), near
    )
