"""Scores and shares, as the reports have them.

Reading one raises LookupError where the report lacks a figure, and TypeError or ValueError where
it is of another kind than it should be. The same goes for the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.config import CLASS_NAMES, RECIPE


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
        low, high: The 95% interval of ``accuracy``.
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
    """A part of some images, with its 95% interval."""

    count: int
    images: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibrated:
    """How far the probabilities of a set of images can be believed, before and after the fit."""

    images: int
    ece_before: float
    ece: float
    brier: float


@dataclass(frozen=True)
class Trusted:
    """What a set of images is answered.

    Attributes:
        kept: Share taken for brain MRIs.
        answered, right: Share for which a tumor or none is said, and how many of these are right.
        clear, right_of_clear: The same for the kind of tumor.
    """

    images: int
    kept: float
    answered: float
    right: float | None
    clear: float | None
    right_of_clear: float | None


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


def calibrated(report: Mapping[str, Any]) -> Calibrated:
    """A set of `calibration` in evaluation.json."""
    after = report["after"]
    return Calibrated(
        int(after["images"]),
        float(report["before"]["ece"]),
        float(after["ece"]),
        float(after["brier"]),
    )


def trusted(evaluation: Mapping[str, Any], name: str) -> Trusted:
    """What a set of images is answered, by its name in evaluation.json."""
    finding, kinds = evaluation["finding"]["sets"][name], evaluation["kinds"]["sets"][name]
    return Trusted(
        int(finding["images"]),
        float(evaluation["ood"]["sets"][name]["kept"]),
        float(finding["answered"]),
        maybe(finding["right_of_answered"]),
        maybe(kinds["clear"]),
        maybe(kinds["right_of_clear"]),
    )


def is_earlier(run: Mapping[str, Any]) -> bool:
    """Whether a network was trained by another recipe than the present one."""
    return bool(run["recipe"] != RECIPE)


def maybe(value: Any) -> float | None:
    return None if value is None else float(value)
