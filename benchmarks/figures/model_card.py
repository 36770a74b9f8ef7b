"""Writes MODEL_CARD.md from the committed reports.

`python -m benchmarks.figures.model_card` writes it; `--check` only compares.

The form follows Mitchell et al. 2019, "Model cards for model reporting". The text is in
`benchmarks/figures/model_card.md`, with `{{name}}` where a figure or table of a report belongs.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from benchmarks.figures import tables
from benchmarks.figures.tables import ARTIFACTS, REPORTS, ROOT, read_report, refresh

TEMPLATE = ROOT / "benchmarks" / "figures" / "model_card.md"
CARD = ROOT / "MODEL_CARD.md"


def parts() -> dict[str, str]:
    """What the template's names stand for.

    Raises:
        OSError, KeyError, ValueError: A report is missing or lacks a figure.
    """
    evaluation = read_report(ARTIFACTS / "evaluation.json")
    metadata = read_report(ARTIFACTS / "metadata.json")
    shortcuts = read_report(REPORTS / "shortcuts.json")
    corruptions = read_report(REPORTS / "corruptions.json")
    ood = read_report(REPORTS / "ood.json")
    published = read_report(ROOT / "benchmarks" / "published.json")
    sets = evaluation["sets"]
    return {
        "name": metadata["name"],
        "version": metadata["version"],
        "sha256": metadata["files"][f"{metadata['name']}.tflite"]["sha256"],
        "parameters": f"{metadata['parameters']:,}",
        "training": tables.training(metadata, evaluation),
        "copied": f"{sets['test_images_with_copy_in_training']:,}",
        "test_images": f"{sets['test_images']:,}",
        "finding": tables.finding(evaluation, shortcuts, published),
        "protocols": tables.protocols(evaluation, published),
        "other_collections": tables.other_collections(evaluation),
        "missed_and_alarms": tables.missed_and_alarms(evaluation),
        "accuracy": tables.accuracy(evaluation),
        "classes": tables.classes(evaluation),
        "shortcuts": tables.shortcuts(shortcuts),
        "calibration": tables.calibration(evaluation),
        "trust": tables.trust(evaluation),
        "rule": evaluation["finding"]["rule"],
        "refusals": tables.refusals(ood),
        "corruptions": tables.corruptions(corruptions),
        "corrupted": f"{corruptions['images']['corrupted']:,}",
        "worst": corruptions["worst"].replace("_", " "),
        "mirrored": _share(corruptions["same_label_mirrored"]),
        "heat_map": shortcuts["heat_maps"]["default"],
    }


def _share(figures: dict[str, Any]) -> str:
    return f"{figures['share']:.1%} of {figures['images']:,} images"


def render(template: str, values: dict[str, str]) -> str:
    """The template with its names replaced.

    Raises:
        KeyError: The template names something that is not there.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def main() -> int:
    """Writes the card; with `--check` returns 1 where it would change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    card = render(TEMPLATE.read_text(encoding="utf-8"), parts())
    return refresh(CARD, card, check=check)


if __name__ == "__main__":
    sys.exit(main())
