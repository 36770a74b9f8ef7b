"""The files in model/artifacts are the network the README describes, and do what it says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.network.ood_drawn import page_of_text
from data.dataset.image_set import ImageSet, load_gallery, load_split, to_float
from data.samples import SAMPLES_DIR
from model.config import ARTIFACTS, CLASS_NAMES, PARAMETER_COUNT
from model.inference.classifier import Classifier
from model.metrics.accuracy import confusion_matrix
from model.preprocessing import SETTINGS, load_image

ROOT = Path(__file__).resolve().parents[2]
DATASET = Path(os.environ.get("DATASET_DIR", ROOT.parent / "shared" / "brain-tumor-mri"))
HALF_TRAINED = "a bar of the first release: the network of one recipe wants a longer training"
FILES = ("brain_tumor_cnn.keras", "brain_tumor_cnn.tflite", "heat_map.npz", "trust.npz")


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
    assert matrix.tolist() == evaluation["files"]["litert"]["gallery"]["confusion"]


@pytest.mark.xfail(reason=HALF_TRAINED)
def test_the_litert_file_is_right_as_often_as_it_must_be(evaluation: dict[str, Any]) -> None:
    assert figures(evaluation, "litert", "test")[0] >= 0.98
    assert evaluation["files"]["litert"]["gallery"]["accuracy"] >= 0.9


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


def figures(evaluation: dict[str, Any], file: str, images: str) -> np.ndarray:
    """Accuracy, and the recall of each class."""
    found = evaluation["files"][file][images]
    return np.array([found["accuracy"], *(found["classes"][n]["recall"] for n in CLASS_NAMES)])


@pytest.mark.xfail(reason=HALF_TRAINED)
def test_the_export_costs_at_most_two_in_a_thousand(evaluation: dict[str, Any]) -> None:
    keras, litert = (figures(evaluation, file, "test") for file in ("keras", "litert"))
    assert (litert >= keras - 0.002).all()
    assert min(keras[0], litert[0]) >= 0.98


def test_both_files_agree_on_the_images_that_chose_the_export(evaluation: dict[str, Any]) -> None:
    keras, litert = (figures(evaluation, file, "validation") for file in ("keras", "litert"))
    np.testing.assert_allclose(litert, keras, atol=0.002)


@pytest.mark.slow
@pytest.mark.skipif(not DATASET.is_dir(), reason=f"the dataset is not at {DATASET} (DATASET_DIR)")
def test_the_litert_file_reproduces_its_evaluation(evaluation: dict[str, Any]) -> None:
    images = load_split(DATASET, "Testing")
    expected = np.array(evaluation["files"]["litert"]["test"]["confusion"])
    assert len(images) == expected.sum() == 1311
    found = litert_confusion(images)
    # Another processor may round a close call the other way: two images may move a cell each.
    assert np.abs(found - expected).sum() / 2 <= 2


# when it abstains


def drawn() -> dict[str, Image.Image]:
    """Pictures that show no brain."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:300, :300]
    figure = Figure(figsize=(4, 4))
    figure.subplots().plot(rng.standard_normal((50, 2)).cumsum(axis=0))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    arrays = {
        "noise": rng.integers(0, 256, (224, 224)),
        "colour noise": rng.integers(0, 256, (224, 224, 3)),
        "checkerboard": (rows // 25 + columns // 25) % 2 * 255,
        "gradient": columns * 255 // 299,
        "colour gradient": np.stack([rows, columns, 299 - rows], axis=-1) * 255 // 299,
        "stripes": columns // 10 % 2 * 255,
        "chart": np.asarray(canvas.buffer_rgba())[:, :, :3],
    }
    return {
        "flat grey": Image.new("L", (224, 224), 128),
        "black": Image.new("L", (224, 224), 0),
        "text": page_of_text(7, "DejaVuSans.ttf", 16),
        **{name: Image.fromarray(values.astype(np.uint8)) for name, values in arrays.items()},
    }


def test_pictures_of_other_things_are_refused() -> None:
    classifier = Classifier.load()
    kept = {}
    for name, picture in drawn().items():
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        found = classifier.predict(load_image(buffer.getvalue()))
        assert found.abstained or found.in_distribution
        if found.in_distribution:
            kept[name] = (found.ood_score, found.ood_threshold)
    assert kept == {}


def test_the_gallery_is_taken_for_brain_mris() -> None:
    classifier = Classifier.load()
    gallery = load_gallery(SAMPLES_DIR)
    kept = [classifier.predict(to_float(image)).in_distribution for image in gallery.images]
    assert sum(kept) >= 39


def test_the_constants_are_small_and_fast() -> None:
    assert (ARTIFACTS / "trust.npz").stat().st_size < 1_000_000
    classifier = Classifier.load()
    assert classifier.trust is not None
    found = classifier.outputs(to_float(load_gallery(SAMPLES_DIR).images[0]))
    times = []
    for _ in range(50):
        started = time.thread_time()
        classifier.trust.judge(found.probabilities, found.features)
        times.append(time.thread_time() - started)
    assert min(times) < 0.001
