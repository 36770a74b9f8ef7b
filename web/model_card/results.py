"""What the model card shows of accuracy: by set of images, by class, by protocol, confusions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model.metrics.accuracy import missed_and_alarms
from model.reports import elsewhere
from model.reports.elsewhere import CERTAIN
from model.reports.scores import is_earlier, maybe, score
from web.model_card.figures import optional
from web.model_card.reports import Reports

SETS = ("test_unseen", "test", "test_with_copy_in_training", "validation", "phantoms", "gallery")
"""Sets of images, the most telling first."""

PROTOCOLS = ("grouped", "clean", "official")
"""As `model.evaluation.scores.summarise` calls them, likewise."""


def results(reports: Reports) -> Mapping[str, Any]:
    evaluation = reports["evaluation"]
    scores = evaluation["files"]["litert"]
    runs = optional(lambda: evaluation["protocols"]) or {}
    return {
        "sets": {name: score(scores[name]) for name in SETS if name in scores},
        "unseen": score(scores["test_unseen"]),
        "runs": [row for name in PROTOCOLS for row in _runs(name, runs)],
        "unmeasured": [name for name in ("grouped", "clean") if name not in runs],
    }


def _runs(protocol: str, runs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Networks trained for one protocol; the folds of the grouped one are a single row."""
    if protocol not in runs:
        return []
    found = runs[protocol]
    if protocol == "grouped":
        return [{"protocol": protocol, **grouped(found)}]
    several = len(found["runs"]) > 1
    return [
        {
            "protocol": protocol,
            "earlier": is_earlier(run),
            "score": score(run["test"]),
            "wrong": missed_and_alarms(np.array(run["test"]["confusion"])),
            "seed": run["seed"] if several else None,
        }
        for run in found["runs"]
    ]


def grouped(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The folds of the cross-validation: all answers together, each fold, mean and spread."""
    return {
        "earlier": is_earlier(found["runs"][0]),
        "score": score(found["pooled"]),
        "wrong": missed_and_alarms(np.array(found["pooled"]["confusion"])),
        "done": len(found["runs"]),
        "wanted": int(found["folds_wanted"]),
        "folds": {str(run["protocol"]): score(run["test"]) for run in found["runs"]},
        "accuracy": (float(found["accuracy"]), maybe(found["accuracy_sd"])),
        "balanced": (float(found["balanced_accuracy"]), maybe(found["balanced_accuracy_sd"])),
    }


def others(reports: Reports) -> Mapping[str, Any]:
    evaluation = reports["evaluation"]
    return {
        "certain": CERTAIN,
        "found": elsewhere.others(evaluation),
        "told": elsewhere.told_right(evaluation),
        "before": optional(lambda: reports["first_release"]["mean"]),
    }


def confusion(reports: Reports) -> Mapping[str, Any]:
    scores = reports["evaluation"]["files"]["litert"]
    return {name: score(scores[name]) for name in ("test_unseen", "test") if name in scores}
