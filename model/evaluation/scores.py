"""Scores of finished runs under their protocol, one committed file a run.

`python -m model score --run DIR --data DIR` tests a run's network on the test part of the protocol
it was trained under, and writes `benchmarks/reports/runs/<protocol>-seed-<seed>.json`.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset.division import CROSS_VALIDATION, MANIFEST
from model.config import CLASS_NAMES, RECIPE
from model.inference.temperature import log_probabilities, soften
from model.metrics.accuracy import evaluate, evaluate_confusion
from model.metrics.calibration import calibration_figures, error_of_bins, fit_temperature, pool_bins
from model.reports.scores import is_earlier

RUN_REPORTS = Path(__file__).resolve().parents[2] / "benchmarks" / "reports" / "runs"
LEAKED = ("official",)


def score_run(
    run: Path, data: Path | Sequence[Path], *, splits: Path = MANIFEST, cache: Path | None = None
) -> dict[str, Any]:
    """Tests a finished run under its own protocol.

    Args:
        run: Folder of the run.
        data: Dataset folder, or several.
        splits: Their division.
        cache: As for `data.dataset.protocols.load_parts`.

    Returns:
        JSON-ready: `command`, `protocol`, `leaked`, `seed`, `recipe`, `epochs`, `minutes`,
        `training` (images), `outlined`, `collections` (images of others trained on), `machine`,
        `temperature` (fitted on the validation images; null where there are none), and for
        `validation` (where there is one), `test` and, under `official`, its two parts: figures of
        `model.metrics.accuracy.evaluate`; in `calibration` the figures of
        `model.metrics.calibration.calibration_figures` `before` the temperature and, where there
        is one, `after` it.

    Raises:
        ValueError: The run is not finished, or its images are not those of its protocol.
    """
    from data.dataset.division import load_manifest
    from data.dataset.protocols import load_parts, official_sets
    from model.predictors import keras_predictor
    from model.training.run_folder import read_history

    record = _read_run(run)
    manifest = load_manifest(splits)
    protocol = record["data"]["protocol"]
    parts = load_parts(data, manifest, protocol, cache=cache)
    if parts.training.sha256 != record["data"]["sha256"]:
        raise ValueError(
            f"`data` and {splits.name} must be those that {run} was trained on. Received: "
            f"training images with hash {parts.training.sha256[:12]}, not "
            f"{record['data']['sha256'][:12]}"
        )
    sets = {"validation": parts.validation, "test": parts.test}
    if protocol in LEAKED:
        sets |= official_sets(parts.test, manifest.unseen())
    predict = keras_predictor(run / "model.keras")
    scored = {name: images for name, images in sets.items() if images is not None and len(images)}
    answers = {name: predict(images.images) for name, images in scored.items()}
    temperature = None
    if "validation" in scored:
        temperature = fit_temperature(
            log_probabilities(answers["validation"]), scored["validation"].labels
        )
    return {
        "command": f"python -m model score --run {run.name} --data DIR",
        "protocol": protocol,
        "leaked": protocol in LEAKED,
        "seed": record["config"]["seed"],
        "recipe": RECIPE,
        "epochs": record["config"]["epochs"],
        "training": record["data"]["training"],
        "outlined": record["data"]["outlined"],
        "collections": sum(record["data"]["collections"].get("images", {}).values()),
        "minutes": sum(row["seconds"] for row in read_history(run / "history.csv")) / 60,
        "machine": record["machine"],
        "temperature": temperature,
        **{
            name: _figures(answers[name], images.labels, temperature)
            for name, images in scored.items()
        },
    }


def _figures(answers: Any, labels: Any, temperature: float | None) -> dict[str, Any]:
    calibration = {"before": calibration_figures(answers, labels)}
    if temperature is not None:
        calibration["after"] = calibration_figures(soften(answers, temperature), labels)
    return evaluate(answers, labels, CLASS_NAMES) | {"calibration": calibration}


def _read_run(run: Path) -> dict[str, Any]:
    if not (run / "model.keras").exists():
        raise ValueError(
            f"`--run` must be the folder of a finished run. Received: {run}, "
            "which has no model.keras"
        )
    record: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return record


def write_score(score: dict[str, Any], folder: Path = RUN_REPORTS) -> Path:
    """Writes a score to its file and returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{score['protocol']}-seed-{score['seed']}.json"
    path.write_text(json.dumps(score, indent=2) + "\n", encoding="utf-8")
    return path


def read_scores(folder: Path = RUN_REPORTS) -> list[dict[str, Any]]:
    """The scores in a folder, by file name; empty if there is no such folder."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def summarise(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of each protocol.

    Args:
        scores: From `score_run`.

    Returns:
        JSON-ready: `official` and `clean` -> `leaked`, `runs` and the mean and standard deviation
        over seeds of accuracy and balanced accuracy (`null` for a single run); `grouped` -> the
        folds' figures, their mean and spread, and `pooled`, the figures of all folds' answers
        together, each image counted once, `calibration` (`images`, `ece`, `brier`, `reliability`)
        among them where every fold has it. A protocol without a score is left out; `grouped` says
        how many of its folds are there. Recipes are not mixed: where a protocol has a score of the
        present one, those of others are left out.
    """
    summary: dict[str, Any] = {}
    for name in ("official", "clean"):
        if runs := _of_one_recipe([score for score in scores if score["protocol"] == name]):
            summary[name] = {"leaked": name in LEAKED, "runs": runs} | _spread(runs)
    if folds := _of_one_recipe([s for s in scores if s["protocol"] in CROSS_VALIDATION]):
        summary["grouped"] = {
            "leaked": False, "folds_wanted": len(CROSS_VALIDATION), "runs": folds,
            "pooled": _pool(folds),
        } | _spread(folds)  # fmt: skip
    return summary


def _of_one_recipe(scores: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [score for score in scores if not is_earlier(score)] or scores


def _spread(runs: list[dict[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in ("accuracy", "balanced_accuracy"):
        values = [run["test"][name] for run in runs]
        figures[name] = statistics.mean(values)
        figures[f"{name}_sd"] = statistics.stdev(values) if len(values) > 1 else None
    return figures


def _pool(folds: list[dict[str, Any]]) -> dict[str, Any]:
    tests = [fold["test"] for fold in folds]
    confusion = sum(np.array(test["confusion"]) for test in tests)
    pooled = evaluate_confusion(np.asarray(confusion), CLASS_NAMES)
    if all("calibration" in test for test in tests):
        found = [test["calibration"]["before"] for test in tests]
        bins = pool_bins([figures["reliability"] for figures in found])
        images = sum(figures["images"] for figures in found)
        pooled["calibration"] = {
            "images": images,
            "ece": error_of_bins(bins),
            "brier": sum(figures["images"] * figures["brier"] for figures in found) / images,
            "reliability": bins,
        }
    return pooled
