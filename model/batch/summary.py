"""A batch on one page: counts, confidence, abstentions, the least certain pictures, errors.

The page is one file that loads nothing, for whoever gets the output sent. Memory is flat: rows are
counted as they pass, and of the least certain and the errors only the first few are kept.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model.batch.page import environment, thumbnail
from model.batch.tables import read_rows
from model.config import CLASS_NAMES
from model.inference.answer_text import TITLES
from model.inference.trust import RULE

LEAST_CERTAIN = 24
SHOWN_ERRORS = 100
BINS = 15
"""Of the confidence, from 0.25, below which no best of four classes can be, to 1."""

_LOW = 1 / len(CLASS_NAMES)


@dataclass(frozen=True)
class Bar:
    """A bar of the histogram, in the units of its drawing, and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    low: float
    high: float
    count: int


class Tally:
    """Counts rows as they pass."""

    def __init__(self) -> None:
        self.rows = self.errors = self.abstained = 0
        self.labels: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.planes: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.bins = [0] * BINS
        self.first_errors: list[dict[str, Any]] = []
        self._least: list[tuple[float, int, dict[str, Any]]] = []

    def counted(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Passes rows on."""
        for row in rows:
            self._count(row)
            yield row

    def _count(self, row: dict[str, Any]) -> None:
        self.rows += 1
        self.models[row["model_sha256"]] += 1
        if row["error"] is not None:
            self.errors += 1
            if len(self.first_errors) < SHOWN_ERRORS:
                self.first_errors.append(row)
            return
        self.labels[row["label"]] += 1
        self.planes[row["plane"] or ""] += 1
        share = (row["confidence"] - _LOW) / (1 - _LOW)
        self.bins[min(max(int(share * BINS), 0), BINS - 1)] += 1
        if row["abstained"]:
            self.abstained += 1
            self.reasons[row["reason"]] += 1
        else:
            self.answered[row["label"]] += 1
        if row["in_distribution"]:  # the scores of the others mean nothing
            entry = (-row["confidence"], -self.rows, dict(row))
            (heapq.heappush if len(self._least) < LEAST_CERTAIN else heapq.heappushpop)(
                self._least, entry
            )

    def least_certain(self) -> list[dict[str, Any]]:
        """Rows that look like a brain MRI, the least confident first."""
        return [row for *_, row in sorted(self._least, key=lambda entry: (-entry[0], -entry[1]))]


def summary_path(out: Path) -> Path:
    """Where the summary of an output goes: beside it."""
    return out.with_suffix(".html") if out.suffix else out.with_name(f"{out.name}.html")


def summarise(out: Path) -> Path:
    """Summarises an output of `classify`.

    Returns:
        The page's path.

    Raises:
        OSError, ValueError: It cannot be read.
    """
    tally = Tally()
    for _ in tally.counted(read_rows(out)):
        pass
    return write_summary(summary_path(out), tally, out.name)


def write_summary(path: Path, tally: Tally, name: str) -> Path:
    """Writes the page; pictures come from the sources, as far as they are still there."""
    path.write_text(render(tally, name), encoding="utf-8")
    return path


def render(tally: Tally, name: str) -> str:
    """The page as HTML."""
    return (
        environment()
        .get_template("summary.html")
        .render(
            tally=tally,
            name=name,
            titles=TITLES,
            rule=RULE,
            bars=_bars(tally.bins),
            least=[
                (row, thumbnail(row["path"], row["plane"], row["slice"]))
                for row in tally.least_certain()
            ],
            date=datetime.now(UTC).date().isoformat(),
            answers=tally.rows - tally.errors,
        )
    )


def _bars(bins: list[int], width: float = 600, height: float = 160) -> list[Bar]:
    largest, step = max(*bins, 1), width / len(bins)
    span = (1 - _LOW) / len(bins)
    return [
        Bar(
            x=k * step + 1.5, y=height - height * count / largest, width=step - 3,
            height=height * count / largest, low=_LOW + k * span, high=_LOW + (k + 1) * span,
            count=count,
        )
        for k, count in enumerate(bins)
    ]  # fmt: skip
