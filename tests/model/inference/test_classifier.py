from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from data.dataset.image_set import to_float
from model.config import CLASS_NAMES
from model.inference.classifier import (
    DEFAULT_MODEL_PATH,
    Classifier,
    ModelFileError,
    Prediction,
)
from model.inference.temperature import softmax
from tests.model_helpers import TRUST, smooth_images

pytest_plugins = ["tests.model_fixtures"]

IMAGES = to_float(smooth_images(6, seed=9))
ROOT = Path(__file__).resolve().parents[3]


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


def write_model(folder: Path, content: bytes, **changes: Any) -> Path:
    """A model file with metadata that describe it, but for `changes`."""
    path = folder / "small.tflite"
    path.write_bytes(content)
    files = {path.name: {"sha256": hashlib.sha256(content).hexdigest()}}
    metadata = {"name": "small", "classes": list(CLASS_NAMES), "files": files} | changes
    kept = {key: value for key, value in metadata.items() if value is not ...}
    (folder / "metadata.json").write_text(json.dumps(kept))
    return path


def load_error(path: Path) -> str:
    """The message of the error that loading gives; it must be one line."""
    with pytest.raises(ModelFileError) as caught:
        Classifier.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def convert_model(model: Any) -> bytes:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    call = tf.function(lambda image: model(image))
    signature = tf.TensorSpec((1, *model.input.shape[1:]), model.input.dtype)
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(signature))
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())


# answers


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


# loading


def test_a_missing_model(tmp_path: Path) -> None:
    write_model(tmp_path, b"")
    assert load_error(tmp_path / "none.tflite") == (
        f"The model file {tmp_path / 'none.tflite'} could not be read (No such file or directory); "
        "`python -m model export` makes it."
    )


def test_missing_metadata(tmp_path: Path) -> None:
    message = load_error(tmp_path / "none.tflite")
    assert message.startswith(
        f"The model's metadata {tmp_path / 'metadata.json'} could not be read"
    )
    assert "`python -m model export` makes it" in message


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe\x00"])
def test_metadata_that_are_not_json(tmp_path: Path, content: bytes) -> None:
    path = write_model(tmp_path, b"")
    (tmp_path / "metadata.json").write_bytes(content)
    assert "metadata.json is not valid JSON" in load_error(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": ...}, "lacks `classes` (list)."),
        ({"name": ..., "files": ...}, "lacks `name` (text), `files` (dict)."),
        ({"classes": "glioma"}, "lacks `classes` (list)."),
        ({"classes": 4}, "lacks `classes` (list)."),
        ({"files": ["small.tflite"]}, "lacks `files` (dict)."),
        ({"name": None}, "lacks `name` (text)."),
    ],
)
def test_metadata_without_what_is_needed(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    assert load_error(write_model(tmp_path, b"", **changes)).endswith(words)


@pytest.mark.parametrize("content", ["[]", "3", '"text"', "null", "[{}]"])
def test_metadata_that_are_no_object(tmp_path: Path, content: str) -> None:
    path = write_model(tmp_path, b"")
    (tmp_path / "metadata.json").write_text(content)
    assert load_error(path).endswith("lacks `name` (text), `classes` (list), `files` (dict).")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"small.tflite": {"sha256": "0" * 64}}, "0" * 64),
        ({"small.tflite": {}}, "None"),
        ({"small.tflite": "0"}, "None"),
        ({}, "None"),
    ],
)
def test_a_file_with_another_hash(tmp_path: Path, files: dict[str, Any], expected: str) -> None:
    message = load_error(write_model(tmp_path, b"content", files=files))
    digest = hashlib.sha256(b"content").hexdigest()
    assert "small.tflite is damaged or not the one its metadata.json describes" in message
    assert message.endswith(f"its SHA-256 is {digest}, expected {expected}.")


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_garbage_with_the_right_hash(tmp_path: Path, content: bytes) -> None:
    assert "small.tflite is not a LiteRT model" in load_error(write_model(tmp_path, content))


def test_a_model_of_other_shapes(exported: Path, tmp_path: Path) -> None:
    content = (exported / "brain_tumor_cnn.tflite").read_bytes()
    message = load_error(write_model(tmp_path, content, classes=["a", "b", "c"]))
    assert message.endswith(
        "must map float32 (1, 224, 224, 1) to "
        "float32 (1, 3) and float32 (1, 512) and float32 (1, 14, 14, 256); "
        "it maps float32 (1, 224, 224, 1) to "
        "float32 (1, 4) and float32 (1, 512) and float32 (1, 14, 14, 256)."
    )


def test_a_model_of_another_image_size_or_type(tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((8, 8, 1), dtype="int32")
    pooled = keras.layers.Flatten()(keras.ops.cast(inputs, "float32"))
    model = keras.Model(inputs, keras.layers.Dense(4)(pooled))
    message = load_error(write_model(tmp_path, convert_model(model)))
    assert message.endswith("it maps int32 (1, 8, 8, 1) to float32 (1, 4).")


def copied(exported: Path, folder: Path) -> Path:
    """The exported files in a folder that a test may write to."""
    for path in exported.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder / "brain_tumor_cnn.tflite"


def test_a_model_that_was_not_calibrated(exported: Path, tmp_path: Path) -> None:
    path = copied(exported, tmp_path)
    (tmp_path / "trust.npz").unlink()
    message = load_error(path)
    assert "trust.npz could not be read" in message
    assert "`python -m model calibrate` makes it" in message
    loaded = Classifier.load(path, calibrated=False)
    assert loaded.probabilities(IMAGES[0])[0].shape == (4,)
    with pytest.raises(ModelFileError, match=r"loaded without its trust\.npz"):
        loaded.predict(IMAGES[0])


def test_damaged_constants(exported: Path, tmp_path: Path) -> None:
    path = copied(exported, tmp_path)
    (tmp_path / "trust.npz").write_bytes(b"PK not really")
    assert "trust.npz is damaged or not the one" in load_error(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK not really", "trust.npz cannot be read"),
        (b"", "trust.npz cannot be read"),
        (replace(TRUST, mean=np.zeros(5, np.float32)).to_bytes(), "must be of 512 features"),
    ],
)
def test_unfit_constants_with_the_right_hash(
    exported: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    path = copied(exported, tmp_path)
    (tmp_path / "trust.npz").write_bytes(content)
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    metadata["files"]["trust.npz"]["sha256"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    assert words in load_error(path)


def test_the_default_is_the_shipped_model() -> None:
    assert DEFAULT_MODEL_PATH == ROOT / "model" / "artifacts" / "brain_tumor_cnn.tflite"


def test_serving_imports_neither_keras_nor_tensorflow() -> None:
    code = (
        "import sys, model, model.inference.classifier, model.preprocessing\n"
        "heavy = {'keras', 'tensorflow', 'scipy', 'sklearn', 'pandas', 'jax', 'torch', 'flask'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
