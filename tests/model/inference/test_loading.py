"""Loading the served files: what is missing, damaged or of another shape is named."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset.image_set import to_float
from model.config import CLASS_NAMES
from model.inference.classifier import DEFAULT_MODEL_PATH, Classifier, ModelFileError
from tests.model_helpers import TRUST, smooth_images

pytest_plugins = ["tests.model_fixtures"]
IMAGES = to_float(smooth_images(6, seed=9))
ROOT = Path(__file__).resolve().parents[3]


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
