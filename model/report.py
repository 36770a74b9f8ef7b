"""Evaluates the exported files on every split and gives the content of `evaluation.json`.

The official test split shares images with Training; its figures are always given with the two
parts: test images with a near-identical or mirrored copy in Training, and those without.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.audit import COPY_THRESHOLD, find_copies
from model.config import CLASS_NAMES, MODEL_NAME, TrainingConfig
from model.dataset import (
    ImageSet,
    load_gallery,
    load_split,
    make_phantoms,
    split_validation,
    to_float,
)
from model.evaluation import evaluate
from model.machine import describe_machine
from model.runtime import Classifier

PHANTOM_SEED = 2_000_000

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def evaluation_sets(
    data: Path, config: TrainingConfig, samples: Path, phantoms_per_class: int = 100
) -> dict[str, ImageSet]:
    """The image sets of the report, by name.

    Args:
        data: Dataset folder.
        config: Settings of the run that is evaluated, for its validation split.
        samples: Folder of the embedded gallery.
        phantoms_per_class: How many phantoms to draw.

    Returns:
        `train` and `validation` (parts of Training), `test` (the official split), its parts
        `test_with_copy_in_training` and `test_unseen`, `phantoms` (drawn for this report from
        seeds of their own) and `gallery` (the 40 embedded phantoms). A part that would be empty
        is left out.
    """
    training, test = load_split(data, "Training"), load_split(data, "Testing")
    train_rows, validation_rows = split_validation(training, config.validation_share, config.seed)
    copied = np.unique(find_copies(test.images, training.images).left)
    sets = {
        "train": training.take(train_rows),
        "validation": training.take(validation_rows),
        "test": test,
        "test_with_copy_in_training": test.take(copied),
        "test_unseen": test.take(np.setdiff1d(np.arange(len(test)), copied)),
        "phantoms": make_phantoms(phantoms_per_class, PHANTOM_SEED),
        "gallery": load_gallery(samples),
    }
    return {name: images for name, images in sets.items() if len(images)}


def keras_predictor(path: Path) -> Predict:
    """Probabilities of a `.keras` file, loaded in safe mode: uint8 (n, 224, 224, 1) to (n, 4)."""
    model = keras.models.load_model(path, safe_mode=True)

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        starts = tqdm(range(0, len(images), 64), desc=path.name, leave=False, disable=None)
        batches = (to_float(images[start : start + 64]) for start in starts)
        found = [np.asarray(model.predict_on_batch(batch)) for batch in batches]
        return np.concatenate(found).astype(np.float32)

    return predict


def litert_predictor(classifier: Classifier) -> Predict:
    """Probabilities of a `.tflite` file: uint8 (n, 224, 224, 1) to float32 (n, 4)."""

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows = tqdm(images, desc=classifier.path.name, leave=False, disable=None)
        return np.stack([classifier.probabilities(to_float(image))[0] for image in rows])

    return predict


def build_report(data: Path, artifacts: Path, samples: Path) -> dict[str, Any]:
    """Evaluates both exported files.

    Args:
        data: Dataset folder.
        artifacts: Folder with the exported files and `metadata.json`.
        samples: Folder of the embedded gallery.

    Returns:
        JSON-ready: `command`, `machine`, `model` (name, version, file hashes), `protocol` (what
        is leaked, and how it was found), `files`: {"keras", "litert"} -> set -> figures of
        `model.evaluation.evaluate`, and `agreement` between the two files on the test split.
    """
    metadata = json.loads((artifacts / "metadata.json").read_text(encoding="utf-8"))
    run = metadata["training"]["config"]
    config = TrainingConfig(validation_share=run["validation_share"], seed=run["seed"])
    sets = evaluation_sets(data, config, samples)
    predictors = {
        "keras": keras_predictor(artifacts / f"{MODEL_NAME}.keras"),
        "litert": litert_predictor(Classifier.load(artifacts / f"{MODEL_NAME}.tflite")),
    }
    files: dict[str, dict[str, Any]] = {}
    on_test = {}
    for file, predict in predictors.items():
        files[file] = {}
        for name, images in sets.items():
            probabilities = predict(images.images)
            files[file][name] = evaluate(probabilities, images.labels, CLASS_NAMES)
            if name == "test":
                on_test[file] = probabilities
    same = on_test["keras"].argmax(axis=1) == on_test["litert"].argmax(axis=1)
    return {
        "command": "python -m model evaluate",
        "machine": describe_machine(),
        "model": {
            "name": metadata["name"],
            "version": metadata["version"],
            "files": {name: file["sha256"] for name, file in metadata["files"].items()},
        },
        "protocol": {
            "name": "official (leaked)",
            "copy_threshold": COPY_THRESHOLD,
            "test_images": len(sets["test"]),
            "test_images_with_copy_in_training": len(sets.get("test_with_copy_in_training", ())),
            "phantom_seed": PHANTOM_SEED,
        },
        "files": files,
        "agreement": {
            "same_label": float(same.mean()),
            "largest_probability_difference": float(
                np.abs(on_test["keras"] - on_test["litert"]).max()
            ),
        },
    }
