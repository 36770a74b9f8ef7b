"""Whether the network looks at tumours, measured on images that were held out of its run.

`python -m benchmarks.network.shortcuts --data DIR --outlines FILE` measures the shipped `.keras`
file and writes `benchmarks/reports/shortcuts.json`; `--model` takes another one. Phantom pairs are
kept in `data/cache`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import keras

from benchmarks.network.held_out import held_out, outlined
from benchmarks.report import REPORTS, ROOT, write_report
from data.phantoms.sets import PAIR_SEED, cached_pairs
from model.config import ARTIFACTS, MODEL_NAME
from model.predictors import keras_predictor, predict_in_batches
from model.probes.pointing import (
    CANDIDATES,
    DEFAULT,
    TOLERANCE,
    features_of,
    head_centre_hits,
    point,
    tails_of,
)
from model.probes.shortcuts import BARS, Outlined, measure, shares
from model.system import describe_machine, file_hash

REPORT = REPORTS / "shortcuts.json"
CACHE = ROOT / "data" / "cache"


def heat_map_report(model: keras.Model, images: Outlined) -> dict[str, Any]:
    """The pointing game and overlap of all `CANDIDATES`, and what a blind guess would hit."""
    cuts = tuple(sorted({cut for method in CANDIDATES for cut in method.cuts}))
    features, tails = features_of(model, cuts), tails_of(model, cuts)
    methods = point(features, tails, images, CANDIDATES)
    answered = predict_in_batches(model, images.images).argmax(axis=1)
    of_answer = point(features, tails, images, (DEFAULT,), labels=answered)
    best = max(methods, key=lambda name: (methods[name]["hits"]["all"]["count"], name))
    return {
        "images": len(images),
        "tolerance_pixels": TOLERANCE,
        "explained_class": "the true one, unless said otherwise",
        "default": DEFAULT.name,
        "best": best,
        "methods": methods,
        "default_for_the_answered_class": of_answer[DEFAULT.name],
        "middle_of_the_head": {"hits": shares(head_centre_hits(images), images.labels)},
    }


def build(options: argparse.Namespace) -> dict[str, Any]:
    """The content of the report."""
    started = time.perf_counter()
    images = outlined(held_out(options.data), options.outlines)
    images = images.at_most(options.per_class)
    pairs = cached_pairs(options.pairs, CACHE, workers=2)
    model = keras.models.load_model(options.model, safe_mode=True)
    predict = keras_predictor(options.model)
    report = measure(predict, images, pairs)
    shown = images.at_most(options.heat_per_class)
    report["heat_maps"] = heat_map_report(model, shown)
    default = report["heat_maps"]["methods"][DEFAULT.name]
    report["summary"]["heat_map_hits"] = default["hits"]["all"]["share"]
    return {
        "command": "python -m benchmarks.network.shortcuts --data DIR --outlines FILE",
        "machine": describe_machine(),
        "model_sha256": file_hash(options.model),
        "images": {
            "outlined_and_held_out": len(images),
            "at_most_per_class": options.per_class,
            "for_heat_maps": len(shown),
            "phantom_pairs": len(pairs),
            "first_pair_seed": PAIR_SEED,
        },
        "bars": BARS,
        **report,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--outlines", type=Path, required=True, help="JSON file of outlines")
    parser.add_argument("--model", type=Path, default=ARTIFACTS / f"{MODEL_NAME}.keras")
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--per-class", type=int, help="at most so many images of a class")
    parser.add_argument("--heat-per-class", type=int, default=60, help="of these for heat maps")
    parser.add_argument("--pairs", type=int, default=100, help="phantom pairs of a class")
    options = parser.parse_args()
    report = build(options)
    write_report(options.out, report)
    print(json.dumps(report["summary"] | {"best_heat_map": report["heat_maps"]["best"]}, indent=2))
    print(f"{options.out}, {report['seconds']} s")


if __name__ == "__main__":
    main()
