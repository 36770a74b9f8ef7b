"""What the model card shows of calibration, of abstaining, and of pictures of other things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model.config import CLASS_NAMES
from model.metrics.accuracy import missed_and_alarms
from model.reports.elsewhere import refusals
from model.reports.scores import calibrated, is_earlier, maybe, trusted
from web.model_card.charts import Frame, reliability
from web.model_card.figures import optional
from web.model_card.reports import Reports
from web.model_card.results import PROTOCOLS, SETS

RELIABILITY_FRAME = Frame(340, 320, 46, 14, 326, 276)


def calibration(reports: Reports) -> Mapping[str, Any]:
    found = reports["evaluation"]["calibration"]
    return {
        "temperature": float(found["temperature"]),
        "sets": {
            name: _calibrated(found["sets"][name])
            for name in ("test_unseen", "test")
            if name in found["sets"]
        },
        "protocols": _by_protocol(optional(lambda: reports["evaluation"]["protocols"]) or {}),
    }


def _by_protocol(protocols: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Calibration of each protocol's networks on their test images, where it was measured."""
    rows: list[Mapping[str, Any]] = []
    for name in (name for name in PROTOCOLS if name in protocols):
        runs = protocols[name]["runs"]
        row: dict[str, Any] = {"protocol": name, "earlier": is_earlier(runs[0])}
        if name == "grouped":
            if pooled := protocols[name]["pooled"].get("calibration"):
                rows.append(row | {"seed": None} | _gaps(pooled, None))
            continue
        for run in runs:
            if found := run["test"].get("calibration"):
                before, after = found["before"], found["after"]
                seed = run["seed"] if len(runs) > 1 else None
                rows.append(row | {"seed": seed} | _gaps(before, after))
    return rows


def _gaps(before: Mapping[str, Any], after: Mapping[str, Any] | None) -> dict[str, Any]:
    last = before if after is None else after
    return {
        "images": int(last["images"]),
        "before": float(before["ece"]),
        "after": None if after is None else float(after["ece"]),
        "brier": float(last["brier"]),
    }


def _calibrated(report: Mapping[str, Any]) -> Mapping[str, Any]:
    rows = [
        {key: float(row[key]) for key in ("low", "high", "confidence", "accuracy")}
        | {"images": int(row["images"])}
        for row in report["after"]["reliability"]
    ]
    bins = [(row["images"], row["confidence"], row["accuracy"]) for row in rows]
    return {
        "gap": calibrated(report),
        "rows": rows,
        "chart": reliability(bins, RELIABILITY_FRAME, 1 / len(CLASS_NAMES)),
    }


def abstaining(reports: Reports) -> Mapping[str, Any]:
    evaluation = reports["evaluation"]
    finding, kinds = evaluation["finding"], evaluation["kinds"]
    rows = {name: _abstained(evaluation, name) for name in SETS if name in finding["sets"]}
    return {
        "threshold": float(finding["threshold"]),
        "wanted": float(finding["right_wanted"]),
        "kind": float(kinds["threshold"]),
        "very_likely": float(finding["very_likely"]),
        "ceiling": float(evaluation["calibration"]["ceiling"]),
        "sets": rows,
        "unseen": rows.get("test_unseen"),
        "words": optional(lambda: _words(evaluation["other_collections"]["finding"])),
        "refused": optional(lambda: refused(reports)),
    }


def _words(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """How often a finding was right that was said to be very likely, or likely."""
    return {
        word: {"images": int(row["images"]), "right": maybe(row["right"])}
        for word, row in found["words"].items()
    }


def _abstained(evaluation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = trusted(evaluation, name)
    answers = round(found.images * found.answered)
    correct = round(answers * (found.right or 0.0))
    wrong = missed_and_alarms(np.array(evaluation["files"]["litert"][name]["confusion"]))
    return {
        "found": found,
        "of_all": 1 - sum(row["wrong"] for row in wrong.values()) / found.images,
        "silent": found.images - answers,
        "right": correct,
        "wrong": answers - correct,
        "widths": (
            correct / found.images,
            (answers - correct) / found.images,
            1 - answers / found.images,
        ),
    }


def refused(reports: Reports) -> Mapping[str, Any]:
    """Pictures that are no brain MRIs, the kind that is refused most often first."""
    found = refusals(reports["ood"])
    kinds = sorted(found.kinds.items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))
    return {"found": found, "kinds": dict(kinds)}
