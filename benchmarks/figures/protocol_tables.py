"""Markdown tables of the protocols: accuracy, calibration, tumors missed and false alarms.

Each function takes `evaluation.json`, parsed, and returns Markdown without a trailing newline.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np

from benchmarks.figures.tables import SETS, interval, spread_of, table
from model.metrics import accuracy as accuracy_of
from model.reports.scores import Score, is_earlier, score

CLEAN = "clean: no copy of a test image in training"


def protocols(evaluation: dict[str, Any], published: list[dict[str, str]]) -> str:
    """Accuracy under each protocol, ours above the published ones."""
    found = evaluation["protocols"]
    rows = []
    if "grouped" in found:
        rows.append(_grouped_row(found["grouped"]))
    if "clean" in found:
        rows += _mean_row("clean", CLEAN, found["clean"])
        rows += _rows("clean", CLEAN, found["clean"]["runs"])
    if "official" in found:
        runs = found["official"]["runs"]
        rows += _rows("official", "official (**leaked**)", runs)
        for part in ("test_with_copy_in_training", "test_unseen"):
            rows += _rows("official", f"official, {SETS[part]}", runs, part)
    rows += [
        [f"published: {row['model']}", row["protocol"], "", row["accuracy"], "", "", ""]
        for row in published
    ]
    return table(
        ("network", "protocol", "test images", "accuracy", "95% interval", "balanced accuracy",
         "lowest recall"),
        rows,
    )  # fmt: skip


def _mean_row(name: str, label: str, summary: dict[str, Any]) -> list[list[str]]:
    """The mean over seeds, where there are several."""
    runs = summary["runs"]
    if len(runs) == 1:
        return []
    shares = [
        f"{summary[key]:.2%} ± {summary[f'{key}_sd']:.2%}"
        for key in ("accuracy", "balanced_accuracy")
    ]
    return [
        [f"ours, trained for `{name}`, mean of {len(runs)} seeds{_recipe(runs[0])}", label,
         f"{runs[0]['test']['images']:,}", f"**{shares[0]}**", "", shares[1],
         _lowest(*(score(run["test"]) for run in runs))]
    ]  # fmt: skip


def _rows(name: str, label: str, runs: list[dict[str, Any]], part: str = "test") -> list[list[str]]:
    rows = []
    for run in runs:
        found = score(run[part])
        seed = f", seed {run['seed']}" if len(runs) > 1 else ""
        rows.append(
            [f"ours, trained for `{name}`{seed}{_recipe(run)}", label, f"{found.images:,}",
             f"**{found.accuracy:.2%}**", interval(found), f"{found.balanced:.2%}",
             _lowest(found)]
        )  # fmt: skip
    return rows


def calibration(evaluation: dict[str, Any]) -> str:
    """Calibration of the networks of each protocol on its test images, those not leaked first."""
    found = evaluation["protocols"]
    rows = []
    if "calibration" in found.get("grouped", {}).get("pooled", {}):
        figures = found["grouped"]["pooled"]["calibration"]
        rows.append(
            [f"grouped: new patients, five folds{_recipe(found['grouped']['runs'][0])}",
             f"{figures['images']:,}", "none fitted", f"{figures['ece']:.1%}", "", "",
             f"{figures['brier']:.3f}"]
        )  # fmt: skip
    rows += _calibration_rows(CLEAN, found.get("clean", {}).get("runs", []))
    runs = found.get("official", {}).get("runs", [])
    rows += _calibration_rows("official (**leaked**)", runs)
    rows += _calibration_rows(f"official, {SETS['test_unseen']}", runs, "test_unseen")
    head = ("network and test images", "images", "temperature", "ECE before",
            "ECE after (aim 1.5%)", "adaptive ECE after", "Brier")  # fmt: skip
    return table(head, rows)


def _calibration_rows(
    label: str, runs: list[dict[str, Any]], part: str = "test"
) -> list[list[str]]:
    rows = []
    for run in runs:
        if "calibration" not in run[part]:  # scored before calibration was
            continue
        before, after = (run[part]["calibration"][when] for when in ("before", "after"))
        seed = f", seed {run['seed']}" if len(runs) > 1 else ""
        rows.append(
            [f"{label}{seed}{_recipe(run)}", f"{after['images']:,}", f"{run['temperature']:.2f}",
             f"{before['ece']:.1%}", f"{after['ece']:.1%}", f"{after['adaptive_ece']:.1%}",
             f"{after['brier']:.3f}"]
        )  # fmt: skip
    return rows


def _grouped_row(grouped: dict[str, Any]) -> list[str]:
    pooled, done = score(grouped["pooled"]), len(grouped["runs"])
    partly = "" if done == grouped["folds_wanted"] else f" ({done} of {grouped['folds_wanted']})"
    return [
        f"ours, five-fold{partly}{_recipe(grouped['runs'][0])}", "grouped: new patients",
        f"{pooled.images:,}",
        f"**{pooled.accuracy:.2%}**" + _over_folds(grouped, "accuracy"),
        interval(pooled),
        f"{pooled.balanced:.2%}" + _over_folds(grouped, "balanced_accuracy"),
        _lowest(pooled),
    ]  # fmt: skip


def _recipe(run: dict[str, Any]) -> str:
    return ", first release's recipe" if is_earlier(run) else ""


def _over_folds(grouped: dict[str, Any], name: str) -> str:
    """Mean and standard deviation over the folds, where there are several."""
    spread = grouped[f"{name}_sd"]
    return "" if spread is None else f" (folds: {grouped[name]:.2%} ± {spread:.2%})"


def _lowest(*tests: Score) -> str:
    """The class with the lowest recall, of several networks the lowest of their means."""
    recalls = {}
    for name in tests[0].classes:
        known = [recall for test in tests if (recall := test.classes[name].recall) is not None]
        if known:
            recalls[name] = statistics.mean(known)
    name = min(recalls, key=lambda key: recalls[key])
    return f"{name} {recalls[name]:.1%}"


def missed_and_alarms(evaluation: dict[str, Any]) -> str:
    """Tumors called none and healthy heads called tumors, for every protocol."""
    found = evaluation["protocols"]
    cases = []
    if "grouped" in found:
        cases.append(("grouped: new patients", found["grouped"]["pooled"]))
    for name, label in (("clean", CLEAN), ("official", "official (**leaked**)")):
        for run in found.get(name, {"runs": []})["runs"]:
            cases.append((f"{label}, seed {run['seed']}", run["test"]))
    rows = []
    for label, figures in cases:
        both = accuracy_of.missed_and_alarms(np.array(figures["confusion"]))
        rows.append([label, *(_wrong(both[name]) for name in both)])
    return table(("protocol", "tumors called none", "healthy heads called tumors"), rows)


def _wrong(row: dict[str, Any]) -> str:
    spread = spread_of(row["share_95"])
    return f"{row['share']:.1%} ({row['wrong']} of {row['images']:,}; 95%: {spread})"
