"""Writes the figures of the committed reports into README.md.

`python -m benchmarks.readme` replaces what stands between each pair of markers
`<!-- NAME:begin -->` and `<!-- NAME:end -->`; `--check` only says whether that would change it.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
EVALUATION = ROOT / "model" / "artifacts" / "evaluation.json"
METADATA = ROOT / "model" / "artifacts" / "metadata.json"
SERVING = ROOT / "benchmarks" / "reports" / "serving.json"
SHORTCUTS = ROOT / "benchmarks" / "reports" / "shortcuts.json"
EXPERIMENTS = ROOT / "benchmarks" / "reports" / "experiments.csv"

SETS = {
    "test": "official test split (**leaked**)",
    "test_with_copy_in_training": "of these, with a copy or mirrored copy in Training",
    "test_unseen": "of these, without one",
    "validation": "validation part of Training, look-alikes kept out of the training part",
    "train": "training part (not augmented)",
    "phantoms": "phantoms drawn for the evaluation",
    "gallery": "the 40 phantoms of the embedded gallery",
}


def sections() -> dict[str, str]:
    """Markdown of each section, from the reports.

    Raises:
        OSError, KeyError, ValueError: A report is missing or lacks a figure.
    """
    evaluation, metadata, serving, shortcuts = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (EVALUATION, METADATA, SERVING, SHORTCUTS)
    )
    return {
        "accuracy": _accuracy(evaluation),
        "classes": _classes(evaluation),
        "training": _training(metadata, evaluation),
        "serving": _serving(serving),
        "shortcuts": _shortcuts(shortcuts),
        "experiments": _experiments(EXPERIMENTS.read_text(encoding="utf-8")),
    }


def _accuracy(evaluation: dict[str, Any]) -> str:
    rows = [
        "| images | correct (LiteRT) | accuracy | 95% interval | Keras file |",
        "|---|---|---|---|---|",
    ]
    for name, label in SETS.items():
        litert, keras = (evaluation["files"][file][name] for file in ("litert", "keras"))
        low, high = litert["accuracy_95"]
        rows.append(
            f"| {label} | {litert['correct']:,} of {litert['images']:,} "
            f"| {litert['accuracy']:.2%} | {low:.1%} to {high:.1%} | {keras['accuracy']:.2%} |"
        )
    return "\n".join(rows)


def _classes(evaluation: dict[str, Any]) -> str:
    litert = evaluation["files"]["litert"]
    rows = [
        "| class | gallery phantoms right | official test images right (leaked) "
        "| unseen test images right |",
        "|---|---|---|---|",
    ]
    for index, name in enumerate(litert["test"]["classes"]):
        cells = [
            f"{litert[part]['confusion'][index][index]} of "
            f"{litert[part]['classes'][name]['support']}"
            for part in ("gallery", "test", "test_unseen")
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _shortcuts(report: dict[str, Any]) -> str:
    heat = report["heat_maps"]
    figures = {
        "tumour painted out: the answer becomes *no tumour* | at least 60%": report["painted_out"][
            "to_notumor"
        ],
        "patch beside it painted out: the answer changes | at most 3%": report["control"][
            "changed"
        ],
        "phantoms with and without the lesion: both right | at least 95%": report["pairs"][
            "both_right"
        ],
        "heat map's maximum in the tumour or within 8 pixels | at least 75%": heat["methods"][
            heat["default"]
        ]["hits"],
    }
    rows = ["| on images held out of training | aim | measured |", "|---|---|---|"]
    for label, by_class in figures.items():
        found = by_class["all"]
        low, high = found["interval_95"]
        rows.append(
            f"| {label} | {found['share']:.1%} ({found['count']} of {found['images']}; "
            f"{low:.1%} to {high:.1%}) |"
        )
    return "\n".join(rows)


def _experiments(table: str) -> str:
    """A sentence on the last experiment."""
    last = list(csv.DictReader(table.splitlines()))[-1]
    return (
        "In the latest of the [experiments](benchmarks/reports/experiments.csv), with painted-out "
        f"tumours among the training images, {float(last['painted_out_to_notumor']):.0%} of such "
        f"answers become *no tumour* and the heat map hits {float(last['heat_map_hits']):.0%} of "
        f"the tumours, but only {float(last['validation_accuracy']):.1%} of the validation images "
        "are right: not yet good enough to ship."
    )


def _training(metadata: dict[str, Any], evaluation: dict[str, Any]) -> str:
    run = metadata["training"]
    config = run["config"]
    return (
        f"Trained for {config['epochs']} epochs on {run['data']['training']:,} images "
        f"({run['data']['validation']:,} held out for validation; a share of "
        f"{config['phantom_share']:.0%} of the draws are phantoms from epoch "
        f"{config['phantom_start_epoch'] + 1} on) on {run['machine']}, {run['precision']}; "
        f"evaluated on {evaluation['machine']}."
    )


def _serving(serving: dict[str, Any]) -> str:
    median = serving["median"]
    rows = [
        f"| on {serving['machine']}, median of {serving['starts']} starts | |",
        "|---|---|",
        f"| process start to first answer | {median['seconds_to_first_answer']:.2f} s |",
        f"| process start to first prediction | {median['seconds_to_first_prediction']:.2f} s |",
        f"| inference of one image | {median['milliseconds_per_inference']:.1f} ms |",
        f"| resident memory at start | {median['resident_megabytes_at_start']:.0f} MB |",
        "| resident memory after 40 predictions "
        f"| {median['resident_megabytes_after_40_predictions']:.0f} MB |",
        f"| installed size of the environment | {serving['installed_megabytes']:.0f} MB |",
    ]
    return "\n".join(rows)


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
    old = README.read_text(encoding="utf-8")
    new = render(old, sections())
    if check:
        return int(new != old)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
