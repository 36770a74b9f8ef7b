"""The section `other_collections` of `evaluation.json`: people of other hospitals, held out.

The nearest that this project comes to a stranger's picture: collections, contrasts and scanners
beside the dataset's, and people of whom no picture was trained or calibrated on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset.collections import CONTRASTS, Collections, person_of, style_of
from model.config import NO_TUMOUR
from model.inference.classifier import Classifier
from model.metrics.accuracy import wilson_interval
from model.metrics.calibration import calibration_error
from model.metrics.decisions import finding_figures
from model.predictors import network_outputs
from model.reports.elsewhere import CERTAIN

RESAMPLED = 1000
"""Draws of people with replacement, for the intervals of the means."""
_MEANS = (
    "sensitivity", "specificity", "balanced", "auroc", "missed_with_certainty", "kept", "answered",
    "right_of_answered", "ece",
)  # fmt: skip


def other_collections(classifier: Classifier, report: Collections) -> dict[str, Any]:
    """Figures of the calibrated network on other collections.

    Args:
        classifier: The exported network with its constants.
        report: Images of the people that are held out for this report.

    Returns:
        JSON-ready: `images`, `people`; `sets`: collection -> figures of `set_figures`; `mean`: the
        means of these figures over the sets that have them, and `mean_95`, their intervals over
        people drawn anew within each set; `styles`: of each `contrast`, `plane` and skull
        (`stripped` or not) the `images`, `people`, `sensitivity` and `specificity`; `contrasts`:
        the same and `balanced` by contrast, where one is told, as `model.reading.contrast.NAMES`
        calls it; `finding`, the figures of `model.metrics.decisions.finding_figures` over all
        images.
    """
    trust = classifier.trust
    if trust is None:
        raise ValueError("`classifier` must have been loaded with its constants. Received: without")
    logits, features = network_outputs(classifier, report.images)
    judged = [trust.judge(row, seen) for row, seen in zip(logits, features, strict=True)]
    probabilities = np.stack([found.probabilities for found in judged])
    rows = {
        "tumor": 1 - probabilities[:, NO_TUMOUR],
        "truth": report.labels != NO_TUMOUR,
        "kept": np.array([found.in_distribution for found in judged]),
        "answered": np.array([found.finding is not None for found in judged]),
        "person": np.array([person_of(name) for name in report.names]),
    }
    sets = {
        str(name): {key: values[report.collections == name] for key, values in rows.items()}
        for name in np.unique(report.collections)
    }
    figures = {name: set_figures(**part) for name, part in sets.items()}
    return {
        "images": len(report),
        "people": len(np.unique(rows["person"])),
        "sets": figures,
        "mean": means(list(figures.values())),
        "mean_95": _mean_intervals(list(sets.values())),
        "styles": _styles(report.names, rows),
        "contrasts": _contrasts(report.names, rows),
        "finding": finding_figures(probabilities, report.labels, rows["answered"]),
    }


def _styles(names: tuple[str, ...], rows: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """How the pictures of each style are told."""
    style = [style_of(name) for name in names]
    found = []
    for contrast, plane, stripped in sorted(set(style)):
        there = np.array([one == (contrast, plane, stripped) for one in style])
        told = _told(there, rows, ("images", "people", "sensitivity", "specificity"))
        found.append({"contrast": contrast, "plane": plane, "stripped": stripped} | told)
    return found


def _contrasts(names: tuple[str, ...], rows: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """How the pictures of each contrast are told, with any plane and skull."""
    titles = np.array([style_of(name)[0] for name in names])
    wanted = ("images", "people", "sensitivity", "specificity", "balanced")
    return {
        contrast: _told(titles == title, rows, wanted)
        for contrast, title in CONTRASTS.items()
        if title in titles
    }


def _told(
    there: NDArray[np.bool_], rows: dict[str, NDArray[Any]], wanted: tuple[str, ...]
) -> dict[str, Any]:
    """Some of the `set_figures` of some of the pictures."""
    figures = set_figures(**{key: values[there] for key, values in rows.items()})
    return {name: figures[name] for name in wanted}


def set_figures(
    tumor: NDArray[np.float64],
    truth: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    answered: NDArray[np.bool_],
    person: NDArray[np.str_],
) -> dict[str, Any]:
    """Figures of one collection.

    Args:
        tumor: float64 (n,), the probability of a tumor.
        truth: bool (n,), whether there is one.
        kept: bool (n,), whether the picture passed for a brain MRI.
        answered: bool (n,), whether a finding was given.
        person: str (n,).

    Returns:
        JSON-ready: `images`, `people`; `sensitivity`, `specificity` and `balanced` (the mean of
        both, or the one there is), where each image is answered by the likelier finding; `auroc`;
        `missed_with_certainty` of the tumors; the shares `kept` and `answered`,
        `right_of_answered` and `ece`. Null where the set has no such image. `_95` are Wilson
        intervals that count a person's images as one, since they are alike.
    """
    found = tumor > 0.5
    right = found == truth
    missed = 1 - tumor > CERTAIN
    shares = {
        "sensitivity": (right, truth),
        "specificity": (right, ~truth),
        "missed_with_certainty": (missed, truth),
        "kept": (kept, np.ones_like(kept)),
        "answered": (answered, np.ones_like(kept)),
        "right_of_answered": (right, answered),
    }
    figures: dict[str, Any] = {"images": len(truth), "people": len(np.unique(person))}
    for name, (counted, rows) in shares.items():
        share = float(counted[rows].mean()) if rows.any() else None
        people = len(np.unique(person[rows]))
        figures[name] = share
        if share is not None:
            figures[f"{name}_95"] = list(wilson_interval(share * people, people))
    both = [figures[n] for n in ("sensitivity", "specificity") if figures[n] is not None]
    binary = np.stack([1 - tumor, tumor], axis=1)
    return figures | {
        "balanced": float(np.mean(both)),
        "auroc": auroc(tumor, truth),
        "ece": calibration_error(binary, truth.astype(np.int64)),
    }


def auroc(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float | None:
    """Chance that a positive's score exceeds a negative's, a tie counting half; None without."""
    from scipy.stats import rankdata

    positives = int(truth.sum())
    if positives in (0, len(truth)):
        return None
    ranks = rankdata(scores)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(truth) - positives)))


def means(figures: list[dict[str, Any]]) -> dict[str, float | None]:
    """Means over the sets that have a figure."""
    found = {n: [f[n] for f in figures if f[n] is not None] for n in _MEANS}
    return {name: float(np.mean(rows)) if rows else None for name, rows in found.items()}


def _mean_intervals(sets: list[dict[str, NDArray[Any]]]) -> dict[str, list[float]]:
    rng = np.random.default_rng(1)
    drawn = [means([set_figures(**_redrawn(part, rng)) for part in sets]) for _ in range(RESAMPLED)]
    values = {n: [value for row in drawn if (value := row[n]) is not None] for n in _MEANS}
    return {n: np.quantile(rows, [0.025, 0.975]).tolist() for n, rows in values.items() if rows}


def _redrawn(part: dict[str, NDArray[Any]], rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """The set with its people drawn with replacement."""
    people = np.unique(part["person"])
    drawn = rng.choice(people, len(people))
    rows = np.concatenate([np.flatnonzero(part["person"] == one) for one in drawn])
    return {key: values[rows] for key, values in part.items()}
