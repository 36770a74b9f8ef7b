"""The committed reports that the model card shows, read once at start-up.

A report that is absent, or lacks a figure, costs the sections that need it; a damaged one stops
the app, as other damaged files do. Figures are looked up as in any dict, and one that is not there
names its file and its place: "benchmarks/reports/ood.json: summary.held_out".
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from model.config import ARTIFACTS
from web.settings import ROOT

REPORTS = ROOT / "benchmarks" / "reports"
OF_ARTIFACTS = ("evaluation", "metadata")
OF_REPORTS = (
    "audit", "corruptions", "first_release", "heat_maps", "ood", "serving", "shortcuts",
)  # fmt: skip


class ReportError(RuntimeError):
    """A damaged report; the message is one sentence."""


class MissingFigureError(LookupError):
    """A report or a figure that is not there; the message is its file and place."""


class Figures(dict[str, Any]):
    """A JSON object that knows where it stands: what it lacks raises a MissingFigureError."""

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        super().__init__({key: _placed(value, _join(place, key)) for key, value in values.items()})
        self.place = place

    def __missing__(self, key: str) -> NoReturn:
        raise MissingFigureError(_join(self.place, key))


@dataclass(frozen=True)
class Reports:
    """What was found.

    Attributes:
        figures: The JSON reports by name, those that are there.
        history: Rows of history.csv, or the error that says why it has no rows.
    """

    figures: Mapping[str, Figures]
    history: tuple[Mapping[str, float], ...] | MissingFigureError

    def __getitem__(self, name: str) -> Figures:
        """A report; MissingFigureError where its file is absent."""
        if name not in self.figures:
            raise MissingFigureError(_file_of(name))
        return self.figures[name]


def load_reports(artifacts: Path | None = None, reports: Path | None = None) -> Reports:
    """Reads every report that is there.

    Args:
        artifacts: Folder of the model's files; by default ``model/artifacts``.
        reports: Folder of the other reports; by default ``benchmarks/reports``.

    Raises:
        ReportError: A file cannot be read as what it should be.
    """
    artifacts, reports = artifacts or ARTIFACTS, reports or REPORTS
    paths = {name: artifacts / f"{name}.json" for name in OF_ARTIFACTS}
    paths |= {name: reports / f"{name}.json" for name in OF_REPORTS}
    found = {name: _read_json(name, path) for name, path in paths.items() if path.exists()}
    return Reports(found, _read_history(artifacts / "history.csv"))


def _file_of(name: str) -> str:
    folder = "model/artifacts" if name in OF_ARTIFACTS else "benchmarks/reports"
    return f"{folder}/{name}.json"


def _join(place: str, key: str) -> str:
    return f"{place}{': ' if place.endswith('.json') else '.'}{key}"


def _placed(value: Any, place: str) -> Any:
    if isinstance(value, dict):
        return Figures(value, place)
    if isinstance(value, list):
        return [_placed(item, f"{place}[{index}]") for index, item in enumerate(value)]
    return value


def _read_json(name: str, path: Path) -> Figures:
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise ReportError(f"The report {path} cannot be read: {error}.") from error
    if not isinstance(values, dict):
        raise ReportError(
            f"The report {path} must hold a JSON object. Received: {type(values).__name__}."
        )
    return Figures(values, _file_of(name))


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no figure")


def _read_history(path: Path) -> tuple[Mapping[str, float], ...] | MissingFigureError:
    if not path.exists():
        return MissingFigureError("model/artifacts/history.csv")
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = tuple(
                {k: _finite(v) for k, v in row.items() if not _not_measured(k, v)}
                for row in csv.DictReader(file)
            )
    except (OSError, ValueError, TypeError) as error:
        raise ReportError(f"The history {path} cannot be read: {error}.") from error
    return rows or MissingFigureError("model/artifacts/history.csv")


def _not_measured(name: str, text: str) -> bool:
    """Whether a figure is of other collections, in a run without such."""
    return name in ("val_sensitivity", "val_specificity") and text == "nan"


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no figure")
    return value
