"""Figures of cases: the finding first, then the kind, and how far to trust either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from model.config import CLASS_NAMES, NO_TUMOUR
from model.judge.cases import Case
from model.judge.folders import LABELS, TUMOR, UNKNOWN
from model.metrics.accuracy import confusion_matrix, evaluate_confusion, wilson_interval
from model.metrics.calibration import calibration_figures
from model.reading.contrast import NAMES
from model.reading.series import PLANES

Figures = dict[str, Any]


def figures(cases: Sequence[Case]) -> Figures | None:
    """All figures of some cases, JSON-ready; None without a case.

    Returns:
        `images`; `sensitivity` and `specificity` (right, of, share, share_95) and their mean
        `balanced`, null where either has no picture; `refused`, `answered` and
        `right_of_answered`, null where the network does not say; `kinds`, of
        `evaluate_confusion`, over the pictures whose class is known and whose answer names one,
        null without; `confusion`, rows true and columns said, in the order of `LABELS`;
        `calibration` of the finding, null without probabilities.
    """
    if not cases:
        return None
    known = [case for case in cases if case.label != TUMOR and case.said != TUMOR]
    return finding_figures(cases) | {
        "kinds": evaluate_confusion(_confusion(known, len(CLASS_NAMES)), CLASS_NAMES)
        if known
        else None,
        "confusion": _confusion(cases, len(LABELS)).tolist(),
        "calibration": _calibration(cases),
    }


def finding_figures(cases: Sequence[Case]) -> Figures:
    """The part of `figures` that asks whether there is a tumor, and whether that was answered."""
    tumors = [case for case in cases if case.label != NO_TUMOUR]
    healthy = [case for case in cases if case.label == NO_TUMOUR]
    sensitivity, specificity = (
        share(case.finding_right for case in rows) for rows in (tumors, healthy)
    )
    present = [s["share"] for s in (sensitivity, specificity) if s["share"] is not None]
    return {
        "images": len(cases),
        "sensitivity": sensitivity,
        "specificity": specificity,
        "balanced": float(np.mean(present)) if len(present) == 2 else None,
        "refused": _said_share(cases, lambda case: case.refused),
        "answered": _said_share(cases, lambda case: case.answered),
        "right_of_answered": share(case.finding_right for case in cases if case.answered)
        if any(case.answered for case in cases)
        else None,
    }


def share(hits: Iterable[bool]) -> Figures:
    """`right` of `of`, their `share` (null without a case) and its 95% interval."""
    counted = [bool(hit) for hit in hits]
    right, of = sum(counted), len(counted)
    return {
        "right": right,
        "of": of,
        "share": right / of if of else None,
        "share_95": list(wilson_interval(right, of)),
    }


def by_place(cases: Sequence[Case]) -> dict[str, dict[str, Figures]]:
    """`finding_figures` by contrast and by plane; what is not known comes last."""
    kinds: dict[str, tuple[Callable[[Case], str | None], tuple[str, ...]]] = {
        "contrast": (lambda case: case.contrast, NAMES),
        "plane": (lambda case: case.plane, PLANES),
    }
    return {
        kind: {
            name: finding_figures(rows)
            for name in dict.fromkeys((*names, UNKNOWN))
            if (rows := [case for case in cases if (value(case) or UNKNOWN) == name])
        }
        for kind, (value, names) in kinds.items()
    }


def mistakes(cases: Iterable[Case], most: int) -> list[Case]:
    """The surest wrong answers first; those without a probability come in their order, last."""
    wrong = [case for case in cases if not case.right]
    return sorted(wrong, key=lambda case: -(case.confidence or 0.0))[:most]


def _said_share(cases: Sequence[Case], said: Callable[[Case], bool | None]) -> Figures | None:
    values = [value for case in cases if (value := said(case)) is not None]
    return share(values) if values else None


def _confusion(cases: Sequence[Case], classes: int) -> Any:
    labels, said = (np.array([getattr(c, n) for c in cases], np.int64) for n in ("label", "said"))
    return confusion_matrix(labels, said, classes)


def _calibration(cases: Sequence[Case]) -> Figures | None:
    """Of the finding: its probability is at least a half."""
    known = [case for case in cases if case.tumor is not None]
    if not known:
        return None
    tumor = np.array([case.tumor for case in known], dtype=np.float64)
    truth = np.array([case.label != NO_TUMOUR for case in known], dtype=np.int64)
    return calibration_figures(np.stack([1 - tumor, tumor], axis=1), truth)
