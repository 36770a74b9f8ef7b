"""The report: figures as JSON, and one page that shows them with the surest mistakes' pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.batch.page import environment, thumbnail
from model.config import ARTIFACTS, CLASS_NAMES
from model.inference.answer_text import TITLES
from model.judge.cases import Case
from model.judge.figures import by_place, figures, mistakes
from model.judge.folders import LABELS

SHOWN_MISTAKES = 24
SHOWN_FILES = 100
NAMES = TITLES | {"tumor": "Tumor, kind unknown"}
CONTRASTS = {
    "t1c": "T1 with contrast agent", "flair": "FLAIR", "t2": "T2", "t1": "T1",
    "pd": "proton density",
}  # fmt: skip
COMPARED = {
    "sensitivity": "tumors found",
    "specificity": "healthy heads spared",
    "balanced": "mean of both",
    "answered": "answered",
    "right_of_answered": "right where answered",
}
"""Figures that both this report and that of the other collections have, and their words."""

_SIDE = 300  # pixels, of the reliability diagram


@dataclass(frozen=True)
class Judged:
    """What was judged.

    Attributes:
        name: Of the folder or the file of answers.
        answers: Whose they are: the model's name and hash, or the file's name.
        cases: One a picture.
        errors: What could not be read: `name` and `error`.
        compared: Whether the pictures themselves were compared with the training images; False
            where the dataset's file names alone tell.
        own: Whether the answers are this project's network's.
    """

    name: str
    answers: str
    cases: tuple[Case, ...]
    errors: tuple[dict[str, str], ...]
    compared: bool
    own: bool


def report_of(judged: Judged) -> dict[str, Any]:
    """All figures, JSON-ready; pictures that the network may have learned from apart.

    Returns:
        `new` and `copies`: of `model.judge.figures.figures`, of the pictures without and with a
        copy among the training images; `all`; `by`: contrast and plane of the new ones;
        `copies_found`, `mistakes` (of the new ones, the surest first), `errors`; and
        `other_collections`, what this network's own evaluation says, null where it has none.
    """
    new = [case for case in judged.cases if case.copy_of is None]
    copies = [case for case in judged.cases if case.copy_of is not None]
    return {
        "command": "python -m model judge",
        "name": judged.name,
        "answers": judged.answers,
        "labels": list(LABELS),
        "images": len(judged.cases),
        "not_readable": len(judged.errors),
        "of_several_slices": sum(case.slice is not None for case in judged.cases),
        "copies_looked_for_in": "pictures" if judged.compared else "file names of the dataset",
        "new": figures(new),
        "copies": figures(copies),
        "all": figures(judged.cases),
        "by": by_place(new),
        "copies_found": [
            {"file": case.name, "copy_of": case.copy_of, "mirrored": case.mirrored}
            for case in copies
        ],
        "mistakes": [_mistake(case) for case in mistakes(new, SHOWN_FILES)],
        "errors": list(judged.errors),
        "other_collections": other_collections() if judged.own else None,
    }


def _mistake(case: Case) -> dict[str, Any]:
    return {
        "file": case.name,
        "true": LABELS[case.label],
        "said": LABELS[case.said],
        "confidence": case.confidence,
        "tumor_probability": case.tumor,
    }


def other_collections() -> dict[str, Any] | None:
    """The section of that name of the shipped evaluation; None where it has none."""
    report = json.loads((ARTIFACTS / "evaluation.json").read_text(encoding="utf-8"))
    found: dict[str, Any] | None = report.get("other_collections")
    return found


def write_report(judged: Judged, out: Path) -> dict[str, Any]:
    """Writes the page, and the figures beside it under the same name in JSON.

    Args:
        judged: What was judged.
        out: Ends in .html.

    Returns:
        The figures.

    Raises:
        OSError: One of both cannot be written.
    """
    report = report_of(judged)
    out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    out.write_text(render(judged, report), encoding="utf-8")
    return report


def render(judged: Judged, report: dict[str, Any]) -> str:
    """The page as HTML."""
    new = [case for case in judged.cases if case.copy_of is None]
    return (
        environment(Path(__file__).parent)
        .get_template("report.html")
        .render(
            judged=judged, report=report, names=NAMES, contrasts=CONTRASTS, labels=LABELS,
            class_names=CLASS_NAMES, compared=_compared(report), points=_points(report["new"]),
            mistakes=[
                (case, case.picture or thumbnail(case.path, None, case.slice))
                for case in mistakes(new, SHOWN_MISTAKES)
            ],
            most=SHOWN_FILES, date=datetime.now(UTC).date().isoformat(),
        )
    )  # fmt: skip


def _compared(report: dict[str, Any]) -> list[tuple[str, float | None, float, list[float] | None]]:
    """Rows of the comparison: words, here, in the other collections, and their interval."""
    if report["other_collections"] is None or report["new"] is None:
        return []
    mean = report["other_collections"]["mean"]
    intervals = report["other_collections"].get("mean_95", {})
    return [
        (words, _share(report["new"][name]), mean[name], intervals.get(name))
        for name, words in COMPARED.items()
        if mean.get(name) is not None
    ]


def _share(figure: dict[str, Any] | float | None) -> float | None:
    return figure["share"] if isinstance(figure, dict) else figure


def _points(found: dict[str, Any] | None) -> Sequence[dict[str, float]]:
    """The reliability diagram's points, from a half to 1 each way, and how many stand for each."""
    if found is None or found["calibration"] is None:
        return []
    return [
        {
            "x": (row["confidence"] - 0.5) * 2 * _SIDE,
            "y": _SIDE - max(row["accuracy"] - 0.5, 0) * 2 * _SIDE,
            "r": 4 + 14 * (row["images"] / found["calibration"]["images"]) ** 0.5,
        }
        for row in found["calibration"]["reliability"]
    ]
