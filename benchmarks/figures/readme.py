"""Writes the figures of the committed reports into README.md.

`python -m benchmarks.figures.readme` replaces what stands between each pair of markers
`<!-- NAME:begin -->` and `<!-- NAME:end -->`; `--check` only says whether that would change it.
"""

from __future__ import annotations

import argparse
import re
import sys

from benchmarks.figures import serving_tables, tables
from benchmarks.figures.tables import ARTIFACTS, REPORTS, ROOT, read_report, refresh

README = ROOT / "README.md"


def sections() -> dict[str, str]:
    """Markdown of each section, from the reports.

    Raises:
        OSError, KeyError, ValueError: A report is missing or lacks a figure.
    """
    evaluation = read_report(ARTIFACTS / "evaluation.json")
    metadata = read_report(ARTIFACTS / "metadata.json")
    published = read_report(ROOT / "benchmarks" / "published.json")
    shortcuts = read_report(REPORTS / "shortcuts.json")
    return {
        "finding": tables.finding(evaluation, shortcuts, published),
        "protocols": tables.protocols(evaluation, published),
        "other_collections": tables.other_collections(evaluation),
        "missed_and_alarms": tables.missed_and_alarms(evaluation),
        "accuracy": tables.accuracy(evaluation),
        "classes": tables.classes(evaluation),
        "shortcuts": tables.shortcuts(shortcuts),
        "heat_maps": tables.heat_maps(read_report(REPORTS / "heat_maps.json")),
        "calibration": tables.calibration(evaluation),
        "trust": tables.trust(evaluation),
        "refusals": tables.refusals(read_report(REPORTS / "ood.json")),
        "training": tables.training(metadata, evaluation),
        "serving": tables.serving(read_report(REPORTS / "serving.json")),
        "comparison": serving_tables.comparison(read_report(REPORTS / "comparison.json")),
        "engines": serving_tables.engines(read_report(REPORTS / "engines.json")),
        "endurance": serving_tables.endurance(
            *(read_report(REPORTS / f"{name}.json") for name in ("render_host", "soak", "fuzz"))
        ),
    }


def render(text: str, parts: dict[str, str]) -> str:
    """`text` with the content between each pair of markers replaced.

    Raises:
        ValueError: A pair of markers is missing.
    """
    for name, content in parts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README.md must have the markers {begin} and {end}. Received: none")
        replacement = f"{begin}\n{content}\n{end}"
        text = pattern.sub(lambda _, new=replacement: new, text)  # type: ignore[misc]
    return text


def main() -> int:
    """Updates README.md; with `--check` returns 1 where it would change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    return refresh(README, render(README.read_text(encoding="utf-8"), sections()), check=check)


if __name__ == "__main__":
    sys.exit(main())
