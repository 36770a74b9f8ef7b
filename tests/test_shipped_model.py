"""The files in model/artifacts are the network the README describes, and do what it says."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from data.samples import SAMPLES_DIR
from model.config import ARTIFACTS, CLASS_NAMES, PARAMETER_COUNT
from model.dataset import ImageSet, load_gallery, load_split, to_float
from model.evaluation import confusion_matrix
from model.preprocessing import SETTINGS
from model.runtime import Classifier

ROOT = Path(__file__).resolve().parent.parent
DATASET = Path(os.environ.get("DATASET_DIR", ROOT.parent / "shared" / "brain-tumor-mri"))
FILES = ("brain_tumor_cnn.keras", "brain_tumor_cnn.tflite")


def read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ARTIFACTS / name).read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    return read("metadata.json")


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    return read("evaluation.json")


def litert_confusion(images: ImageSet) -> np.ndarray:
    classifier = Classifier.load()
    predicted = [classifier.probabilities(to_float(image))[0].argmax() for image in images.images]
    return confusion_matrix(images.labels, np.array(predicted), len(CLASS_NAMES))


def test_the_metadata_are_this_code_s(metadata: dict[str, Any]) -> None:
    assert metadata["name"] == "brain_tumor_cnn"
    assert metadata["classes"] == list(CLASS_NAMES)
    assert metadata["parameters"] == PARAMETER_COUNT == 3_763_940
    assert metadata["preprocessing"] == SETTINGS
    assert set(metadata["files"]) == set(FILES)
    for name, described in metadata["files"].items():
        content = (ARTIFACTS / name).read_bytes()
        assert described == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_keras_file_loads_in_safe_mode_with_its_parameters() -> None:
    model = keras.models.load_model(ARTIFACTS / FILES[0], safe_mode=True)
    assert model.count_params() == 3_763_940
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == 3_763_940
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert [x.filters for x in convolutions] == [128] * 4 + [256] * 4


def test_the_litert_file_classifies_the_gallery_as_evaluated(evaluation: dict[str, Any]) -> None:
    gallery = load_gallery(SAMPLES_DIR)
    matrix = litert_confusion(gallery)
    assert matrix.sum() == len(gallery) == 40
    assert np.trace(matrix) / matrix.sum() >= 0.9
    assert matrix.tolist() == evaluation["files"]["litert"]["gallery"]["confusion"]


def test_the_evaluation_is_of_these_files(evaluation: dict[str, Any]) -> None:
    hashes = {name: hashlib.sha256((ARTIFACTS / name).read_bytes()).hexdigest() for name in FILES}
    assert evaluation["model"]["files"] == hashes


def test_the_evaluation_adds_up(evaluation: dict[str, Any]) -> None:
    parts = {"test_with_copy_in_training", "test_unseen"}
    for sets in evaluation["files"].values():
        assert {"train", "validation", "test", "phantoms", "gallery"} | parts == set(sets)
        for figures in sets.values():
            matrix = np.array(figures["confusion"])
            assert matrix.sum() == figures["images"]
            assert np.trace(matrix) == figures["correct"]
            assert figures["accuracy"] == pytest.approx(figures["correct"] / figures["images"])
            low, high = figures["accuracy_95"]
            assert low <= figures["accuracy"] <= high
        whole = sum(np.array(sets[name]["confusion"]) for name in sorted(parts))
        np.testing.assert_array_equal(whole, sets["test"]["confusion"])


def test_both_files_agree_on_the_test_split(evaluation: dict[str, Any]) -> None:
    both = [evaluation["files"][file]["test"]["accuracy"] for file in ("keras", "litert")]
    assert abs(both[0] - both[1]) <= 0.002
    assert min(both) >= 0.98


@pytest.mark.slow
@pytest.mark.skipif(not DATASET.is_dir(), reason=f"the dataset is not at {DATASET} (DATASET_DIR)")
def test_the_litert_file_reproduces_its_evaluation(evaluation: dict[str, Any]) -> None:
    images = load_split(DATASET, "Testing")
    expected = np.array(evaluation["files"]["litert"]["test"]["confusion"])
    assert len(images) == expected.sum() == 1311
    found = litert_confusion(images)
    # Another processor may round a close call the other way: two images may move a cell each.
    assert np.abs(found - expected).sum() / 2 <= 2
    assert np.trace(found) / found.sum() >= 0.98
