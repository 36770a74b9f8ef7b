"""The classifier: its answers are the interpreter's, on any thread, and bad images are refused."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from data.dataset.image_set import to_float
from model.config import CLASS_NAMES
from model.inference.classifier import Classifier
from model.inference.prediction import Prediction
from model.inference.temperature import softmax
from tests.model_helpers import TRUST, smooth_images

pytest_plugins = ["tests.model_fixtures"]
IMAGES = to_float(smooth_images(6, seed=9))


@pytest.fixture(scope="module")
def classifier(exported: Path) -> Classifier:
    return Classifier.load(exported / "brain_tumor_cnn.tflite")


def raw_outputs(path: Path) -> np.ndarray:
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (end,) = [e for e in interpreter.get_output_details() if tuple(e["shape"]) == (1, 4)]
    answers = []
    for image in IMAGES:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(end["index"])[0])
    return np.stack(answers)


def test_answers_are_the_interpreter_s(classifier: Classifier, exported: Path) -> None:
    expected = raw_outputs(exported / "brain_tumor_cnn.tflite")
    for image, row in zip(IMAGES, expected, strict=True):
        output, milliseconds = classifier.probabilities(image)
        assert output.dtype == np.float64
        np.testing.assert_allclose(output, softmax(row), atol=1e-6)
        assert milliseconds > 0
        prediction = classifier.predict(image)
        assert list(prediction.probabilities) == list(CLASS_NAMES)
        np.testing.assert_allclose(list(prediction.probabilities.values()), output, atol=1e-6)
        assert prediction.label == CLASS_NAMES[row.argmax()] == prediction.prediction_set[0]
        assert prediction.confidence == max(prediction.probabilities.values())
        assert prediction.in_distribution
        assert prediction.ood_threshold == TRUST.ood_threshold
        assert prediction.abstained == (prediction.finding is None)
        assert prediction.tumor_probability == 1 - prediction.probabilities["notumor"]
    assert np.ptp(expected, axis=0).max() > 0.01  # the images do differ


@pytest.mark.parametrize(
    ("shares", "members", "finding", "likelihood", "kind"),
    [
        ((0.96, 0.01, 0.02, 0.01), ("glioma",), "tumor", "very likely", "glioma"),
        ((0.5, 0.36, 0.1, 0.04), ("glioma", "meningioma"), "tumor", "likely", None),
        ((0.01, 0.01, 0.97, 0.01), ("notumor",), "notumor", "very likely", None),
        ((0.05, 0.05, 0.85, 0.05), ("notumor",), "notumor", "likely", None),
        ((0.5, 0.1, 0.35, 0.05), ("glioma", "notumor"), None, None, None),
    ],
)
def test_the_answer_in_a_person_s_order(
    shares: tuple[float, ...], members: tuple[str, ...], finding: Any, likelihood: Any, kind: Any
) -> None:
    named = dict(zip(CLASS_NAMES, shares, strict=True))
    found = Prediction(members[0], max(shares), named, 1.0, members, True, 0.5, 1.5)
    assert (found.finding, found.likelihood, found.kind) == (finding, likelihood, kind)
    assert found.tumor_probability == 1 - shares[2]
    assert found.abstained == (finding is None)
    stranger = replace(found, in_distribution=False)
    assert (stranger.finding, stranger.likelihood, stranger.kind) == (None, None, None)
    assert stranger.abstained


def test_a_classifier_says_what_it_is(classifier: Classifier, exported: Path) -> None:
    assert classifier.class_names == CLASS_NAMES
    assert classifier.name == "brain_tumor_cnn"
    assert classifier.path == exported / "brain_tumor_cnn.tflite"
    assert classifier.sha256 == hashlib.sha256(classifier.path.read_bytes()).hexdigest()
    assert classifier.load_milliseconds > 0


def test_an_answer_does_not_change_afterwards(classifier: Classifier) -> None:
    first = classifier.probabilities(IMAGES[0])[0]
    kept = first.copy()
    classifier.probabilities(IMAGES[1])
    np.testing.assert_array_equal(first, kept)


def test_a_mirrored_view_is_read_as_its_copy(classifier: Classifier) -> None:
    view = IMAGES[0][:, ::-1]
    np.testing.assert_array_equal(
        classifier.probabilities(view)[0], classifier.probabilities(view.copy())[0]
    )


def test_sixteen_threads_get_the_answers_of_one(classifier: Classifier) -> None:
    serial = [classifier.probabilities(image)[0].tolist() for image in IMAGES]
    order = [number % len(IMAGES) for number in range(48)]
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: classifier.probabilities(IMAGES[i])[0].tolist(), order))
    assert found == [serial[i] for i in order]


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((224, 224), np.float32), "shape (224, 224, 1). Received: float32 (224, 224)"),
        (np.zeros((1, 224, 224, 1), np.float32), "Received: float32 (1, 224, 224, 1)"),
        (np.zeros((224, 224, 3), np.float32), "Received: float32 (224, 224, 3)"),
        (np.zeros((224, 224, 1), np.uint8), "Received: uint8 (224, 224, 1)"),
        (np.zeros((224, 224, 1), np.float64), "Received: float64 (224, 224, 1)"),
        (np.full((224, 224, 1), 1.5, np.float32), "in [0, 1]. Received: values from 1.5 to 1.5"),
        (np.full((224, 224, 1), -0.5, np.float32), "Received: values from -0.5 to -0.5"),
        (np.full((224, 224, 1), np.nan, np.float32), "Received: values from nan to nan"),
    ],
)
def test_an_image_that_breaks_the_contract_is_refused(
    classifier: Classifier, image: np.ndarray, words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        classifier.predict(image)


def test_a_single_nan_is_refused(classifier: Classifier) -> None:
    image = IMAGES[0].copy()
    image[100, 100] = np.nan
    with pytest.raises(ValueError, match=r"\[0, 1\]. Received: values from nan"):
        classifier.predict(image)
