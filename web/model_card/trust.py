"""What the model card shows of calibration, of abstaining, and of pictures of other things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model.config import CLASS_NAMES
from model.metrics.accuracy import missed_and_alarms
from web.model_card.charts import Frame, reliability
from web.model_card.figures import is_earlier, maybe, optional
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
    after = report["after"]
    rows = [
        {key: float(row[key]) for key in ("low", "high", "confidence", "accuracy")}
        | {"images": int(row["images"])}
        for row in after["reliability"]
    ]
    bins = [(row["images"], row["confidence"], row["accuracy"]) for row in rows]
    return {
        "images": int(after["images"]),
        "ece_before": float(report["before"]["ece"]),
        "ece": float(after["ece"]),
        "brier": float(after["brier"]),
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
        "others": optional(lambda: other_pictures(reports)),
    }


def _words(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """How often a finding was right that was said to be very likely, or likely."""
    return {
        word: {"images": int(row["images"]), "right": maybe(row["right"])}
        for word, row in found["words"].items()
    }


def _abstained(evaluation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    finding, kinds = evaluation["finding"]["sets"][name], evaluation["kinds"]["sets"][name]
    images, answered = int(finding["images"]), float(finding["answered"])
    right = maybe(finding["right_of_answered"])
    answers = round(images * answered)
    correct = round(answers * (right or 0.0))
    wrong = missed_and_alarms(np.array(evaluation["files"]["litert"][name]["confusion"]))
    return {
        "images": images,
        "kept": float(evaluation["ood"]["sets"][name]["kept"]),
        "answered": answered,
        "accuracy": right,
        "of_all": 1 - sum(row["wrong"] for row in wrong.values()) / images,
        "silent": images - answers,
        "right": correct,
        "wrong": answers - correct,
        "widths": (correct / images, (answers - correct) / images, 1 - answers / images),
        "clear": maybe(kinds["clear"]),
        "right_of_clear": maybe(kinds["right_of_clear"]),
    }


def other_pictures(reports: Reports) -> Mapping[str, Any]:
    """Pictures that are no brain MRIs, by kind, from sources that the rule was not fitted on."""
    ood = reports["ood"]
    kinds: dict[str, list[int]] = {}
    for source in ood["sources"].values():
        if source["part"] == "held_out" and source["pictures"]:
            counts = kinds.setdefault(str(source["kind"]), [0, 0])
            counts[0] += round(source["pictures"] * source["refused"])
            counts[1] += int(source["pictures"])
    summary = ood["summary"]["held_out"]
    return {
        "kinds": dict(sorted(kinds.items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))),
        "pictures": int(summary["pictures"]),
        "refused": float(summary["refused"]),
        "auroc": float(summary["auroc"]),
        "near": {name: float(value) for name, value in ood["refused_of_near_cases"].items()},
    }
