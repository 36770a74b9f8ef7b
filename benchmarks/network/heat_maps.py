"""Which heat map points best, on phantoms with exact lesions and on held-out real tumours.

`python -m benchmarks.network.heat_maps [--data DIR --outlines FILE]` measures the shipped files and
writes `benchmarks/reports/heat_maps.json`. Without data the real part is left out. The phantoms
take minutes to draw and are kept in `data/cache`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from benchmarks.network.heat_map_checks import (
    faithfulness_report,
    harmless,
    heads_of,
    masking_report,
    randomisation_report,
    served_predictor,
    served_report,
)
from benchmarks.network.heat_map_methods import (
    GRADIENT,
    MIDDLE,
    RANDOM,
    best,
    compare,
    maps_of,
    served,
)
from benchmarks.network.heat_map_phantoms import Mask, cached
from benchmarks.network.held_out import held_out, outlined
from benchmarks.report import REPORTS, ROOT, write_report
from model.config import ARTIFACTS, MODEL_NAME
from model.evaluation.report import PHANTOM_SEED
from model.probes.occlusion import occlusion_maps
from model.probes.pointing import DEFAULT, TOLERANCE, HeatMethod, hits
from model.probes.shortcuts import Outlined, Predict, shares
from model.system import describe_machine, file_hash

REPORT = REPORTS / "heat_maps.json"
CACHE = ROOT / "data" / "cache"
MODEL = ARTIFACTS / f"{MODEL_NAME}.keras"
GRADCAM = HeatMethod(DEFAULT.cuts, method="gradcam", sigma=8.0)
FOLLOWED = (DEFAULT.name, RANDOM)
"""Maps whose deletion and insertion are measured on every phantom; the random one is last."""

FOLLOWED_ON_FEW = (DEFAULT.name, GRADCAM.name, GRADIENT, MIDDLE, RANDOM)


def methods_report(model: keras.Model, images: Outlined, heads: Mask) -> dict[str, Any]:
    """Pointing game and overlap of all kinds of map, the best and the shipped one."""
    tallies = compare(maps_of(model), images, heads)
    methods = {name: tally.report(images.labels) for name, tally in tallies.items()}
    winner = best(methods)
    offered = {name: figures for name, figures in methods.items() if served(name)}
    return {
        "images": len(images),
        "best": winner,
        "shipped_is_best": winner == DEFAULT.name,
        "best_that_the_exported_file_allows": best(offered),
        "methods": methods,
    }


def occlusion_report(predict: Predict, images: Outlined, per_class: int) -> dict[str, Any]:
    """Hits of the slow reference, on few images."""
    few = images.at_most(per_class)
    maps = occlusion_maps(predict, few.images, few.labels)
    return {"images": len(few), "hits": shares(hits(maps, few.masks), few.labels)}


def phantom_report(model: keras.Model, options: argparse.Namespace) -> dict[str, Any]:
    """Everything that is measured on phantoms."""
    phantoms, heads = cached(options.phantoms, CACHE, workers=2)
    few = phantoms.at_most(options.few)
    predict = served_predictor()
    quick = maps_of(model, (DEFAULT,), gradients=False)
    more = maps_of(model, (DEFAULT, GRADCAM))
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "masking": lambda: masking_report(model, phantoms, heads),
        "served_path": lambda: served_report(model, phantoms),
        "randomised_weights": lambda: randomisation_report(model, few),
        "occlusion": lambda: occlusion_report(predict, phantoms, options.few // 2),
        "faithfulness": lambda: faithfulness_report(predict, quick, phantoms, heads, FOLLOWED),
        "faithfulness_of_more": lambda: faithfulness_report(
            predict, more, few, heads_of(few.images), FOLLOWED_ON_FEW
        ),
    }
    report = methods_report(model, phantoms, heads)
    for name, part in parts.items():
        print(f"phantoms: {name}", file=sys.stderr, flush=True)
        report[name] = part()
    return report


def real_report(model: keras.Model, options: argparse.Namespace) -> dict[str, Any]:
    """What is measured on held-out real tumours; never on test images."""
    images = outlined(held_out(options.data), options.outlines).at_most(options.real_per_class)
    report = methods_report(model, images, heads_of(images.images))
    report["masking"] = masking_report(model, images)
    return report


def build(options: argparse.Namespace) -> dict[str, Any]:
    """The content of the report."""
    started = time.perf_counter()
    model = keras.models.load_model(MODEL, safe_mode=True)
    report: dict[str, Any] = {}
    if options.data is not None:
        report["held_out"] = real_report(model, options)
    report["phantoms"] = phantom_report(model, options)
    sets = list(report.values())
    return {
        "command": "python -m benchmarks.network.heat_maps --data DIR --outlines FILE",
        "machine": describe_machine(),
        "model_sha256": file_hash(MODEL),
        "served_sha256": file_hash(MODEL.with_suffix(".tflite")),
        "first_phantom_seed": PHANTOM_SEED,
        "tolerance_pixels": TOLERANCE,
        "explained_class": "the true one",
        "shipped": DEFAULT.name,
        "best": report["phantoms"]["best"],
        "shipped_is_best": report["phantoms"]["shipped_is_best"],
        "mask_outside_head": all(harmless(part["masking"]) for part in sets),
        **report,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="dataset folder, for the real part")
    parser.add_argument("--outlines", type=Path, help="JSON file of outlines, with --data")
    parser.add_argument("--phantoms", type=int, default=134, help="of each tumour class")
    parser.add_argument("--few", type=int, default=20, help="of each class for the slow checks")
    parser.add_argument("--real-per-class", type=int, help="at most so many; all by default")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    if (options.data is None) != (options.outlines is None):
        parser.error("--data and --outlines are needed together")
    report = build(options)
    write_report(options.out, report)
    figures = report["phantoms"]["methods"]
    for name in sorted(figures, key=lambda name: -figures[name]["hits"]["all"]["count"]):
        print(
            f"{figures[name]['hits']['all']['share']:.3f} {figures[name]['iou']['all']:.3f} {name}"
        )
    keys = ("shipped", "best", "shipped_is_best", "mask_outside_head", "seconds")
    print(json.dumps({key: report[key] for key in keys}, indent=2))


if __name__ == "__main__":
    main()
