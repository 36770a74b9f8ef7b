"""How much accuracy is lost when images get worse, and whether versions of an image agree.

`python -m benchmarks.network.corruptions --data DIR` measures the shipped `.keras` file on the
validation images and writes `benchmarks/reports/corruptions.json`; `--split Testing` takes the
official test split instead, `--model` another file.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.network.held_out import held_out
from benchmarks.report import REPORTS, write_report
from data.dataset.image_set import ImageSet, load_split
from model.config import ARTIFACTS, CLASS_NAMES, MODEL_NAME
from model.predictors import keras_predictor
from model.probes.robustness import (
    LARGE,
    SIZE_SEED,
    corruption_table,
    mirror_agreement,
    phantom_size_agreement,
    real_size_agreement,
)
from model.system import describe_machine, file_hash

REPORT = REPORTS / "corruptions.json"
AIMS = {"lost_at_middle": 5.0, "same_label_mirrored": 0.99, "same_label_512": 0.99}


def sample(images: ImageSet, per_class: int | None) -> ImageSet:
    """A seeded sample of at most `per_class` images a class, or all of them for None."""
    if per_class is None:
        return images
    order = np.random.default_rng(0).permutation(len(images))
    rows = [order[images.labels[order] == k][:per_class] for k in range(len(CLASS_NAMES))]
    return images.take(np.sort(np.concatenate(rows)))


def build(options: argparse.Namespace) -> dict[str, Any]:
    """The content of the report."""
    started = time.perf_counter()
    if options.split == "validation":
        images = held_out(options.data)
    else:
        images = load_split(options.data, options.split)
    predict = keras_predictor(options.model)
    few = sample(images, options.per_class)
    table = corruption_table(predict, few.images[:], few.labels)
    return {
        "command": "python -m benchmarks.network.corruptions --data DIR",
        "machine": describe_machine(),
        "model_sha256": file_hash(options.model),
        "images": {
            "split": options.split,
            "corrupted": len(few),
            "at_most_per_class": options.per_class,
            "mirrored_and_resized": len(images),
            "phantoms_drawn_at_512": options.phantoms * len(CLASS_NAMES),
            "first_phantom_seed": SIZE_SEED,
        },
        "aims": AIMS,
        **table,
        "same_label_mirrored": mirror_agreement(predict, images.images[:]),
        "same_label_512": {
            "measured": (
                f"phantoms: drawn at {LARGE} pixels, against the same picture resized to 224 by "
                "Pillow; real images, which exist at 224 pixels only: after preprocessing, against "
                f"themselves enlarged to {LARGE} by Lanczos, which blurs and adds no detail. "
                "The versions are saved lossless and as JPEG; the lossless row is what resampling "
                "alone does"
            ),
            "phantoms": phantom_size_agreement(predict, options.phantoms),
            "real_images": real_size_agreement(predict, images.images[:]),
        },
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument(
        "--split", default="validation", choices=("validation", "Training", "Testing")
    )
    parser.add_argument("--model", type=Path, default=ARTIFACTS / f"{MODEL_NAME}.keras")
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--per-class", type=int, default=75, help="at most so many are corrupted")
    parser.add_argument("--phantoms", type=int, default=25, help="of each class, at 512 pixels")
    options = parser.parse_args()
    report = build(options)
    write_report(options.out, report)
    for name, row in report["corruptions"].items():
        print(f"{name:14}", *(f"{cell['share']:7.1%}" for cell in row["accuracy"]))
    print(f"{options.out}, {report['seconds']} s; clean {report['clean']['share']:.1%}")


if __name__ == "__main__":
    main()
