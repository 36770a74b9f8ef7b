"""Which LiteRT export to ship: accuracy on validation images, size and speed of each kind.

`python -m benchmarks.network.quantization --data DIR` converts the shipped `.keras` file three
ways, int8 with several numbers of calibration images, and writes
`benchmarks/reports/quantization.json`. Validation images decide, never test images.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.network.held_out import trained_and_held_out
from data.dataset.image_set import to_float
from model.config import ARTIFACTS, CLASS_NAMES, MODEL_NAME, QUANTIZATIONS
from model.export.export import export
from model.export.int8 import choose_calibration
from model.inference.classifier import Classifier
from model.metrics.accuracy import evaluate
from model.predictors import keras_predictor
from model.system import describe_machine, native_notices_silenced

REPORT = Path(__file__).resolve().parents[1] / "reports" / "quantization.json"


def main() -> None:
    """Runs the comparison and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    options = parser.parse_args()
    report = compare(options.data)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def compare(data: Path) -> dict[str, Any]:
    """Figures of the Keras file and of each export on the validation part."""
    metadata = json.loads((ARTIFACTS / "metadata.json").read_text(encoding="utf-8"))
    run = metadata["training"]
    mirrored = metadata["mirrored_averaging"]
    training, validation = trained_and_held_out(data)
    path = ARTIFACTS / f"{MODEL_NAME}.keras"
    reference = keras_predictor(path, mirrored=mirrored)(validation.images)
    model = keras.models.load_model(path, safe_mode=True)
    calibration, tried = choose_calibration(  # as export
        model, training.images, validation.images, mirrored=mirrored
    )
    exports = {}
    for quantization in QUANTIZATIONS:
        with tempfile.TemporaryDirectory() as folder:
            export(
                model, run, Path(folder),
                quantization=quantization, calibration=calibration, mirrored=mirrored,
            )  # fmt: skip
            file = Path(folder) / f"{MODEL_NAME}.tflite"
            with native_notices_silenced():
                classifier = Classifier.load(file, calibrated=False)
            size = file.stat().st_size
        answers = [classifier.probabilities(to_float(image)) for image in validation.images]
        found = np.stack([answer[0] for answer in answers])
        figures = evaluate(found, validation.labels, CLASS_NAMES)
        exports[quantization] = {
            "accuracy": figures["accuracy"],
            "loss": figures["loss"],
            "same_label_as_keras": float((found.argmax(axis=1) == reference.argmax(axis=1)).mean()),
            "bytes": size,
            "milliseconds": statistics.median(answer[1] for answer in answers),
        }
    slowest = max(kind["milliseconds"] for kind in exports.values())
    for kind in exports.values():
        kind["times_as_fast_as_the_slowest"] = slowest / kind["milliseconds"]
    return {
        "command": "python -m benchmarks.network.quantization --data DIR",
        "machine": describe_machine(),
        "images": len(validation),
        "keras_accuracy": evaluate(reference, validation.labels, CLASS_NAMES)["accuracy"],
        "shipped": metadata["quantization"],
        "calibration_images": len(calibration),
        "calibrations_tried": tried,
        "exports": exports,
    }


if __name__ == "__main__":
    main()
