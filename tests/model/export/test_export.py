from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from data.dataset.image_set import to_float
from model.config import CLASS_NAMES, QUANTIZATIONS
from model.export import int8
from model.export.export import calibration_images, convert, export
from model.export.int8 import choose_calibration
from model.inference.heat_map import CUT
from model.preprocessing import SETTINGS
from model.system import file_hash
from model.training.architecture import build_cnn
from tests.model_helpers import RUN, smooth_images

pytest_plugins = ["tests.model_fixtures"]

IMAGES = to_float(smooth_images(12, seed=6))


def litert(content: bytes) -> tuple[Interpreter, np.ndarray]:
    """The interpreter of a model and its answers for `IMAGES`."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    return interpreter, run(interpreter, IMAGES)[(1, 4)]


def run(interpreter: Interpreter, images: np.ndarray) -> dict[tuple[int, ...], np.ndarray]:
    """The outputs of a model by their shapes, stacked over images."""
    found: dict[tuple[int, ...], list[np.ndarray]] = {}
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        for end in interpreter.get_output_details():
            assert end["dtype"] == np.float32
            value = interpreter.get_tensor(end["index"])
            found.setdefault(value.shape, []).append(value[0])
    return {shape: np.stack(values) for shape, values in found.items()}


def operators(interpreter: Interpreter) -> set[str]:
    return {details["op_name"] for details in interpreter._get_ops_details()}


BUILT_IN = {
    "CONCATENATION", "CONV_2D", "DELEGATE", "DEQUANTIZE", "ELU", "FULLY_CONNECTED", "MAX_POOL_2D",
    "MEAN", "MUL", "QUANTIZE", "RESHAPE", "SQRT", "SQUARE",
    "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM",
}  # fmt: skip


def logits_of(network: Any, images: np.ndarray) -> np.ndarray:
    tapped = keras.Model(network.input, network.get_layer("logits").output)
    return np.asarray(tapped(images))


def check(content: bytes, network: Any, tolerance: float) -> None:
    interpreter, found = litert(content)
    expected = logits_of(network, IMAGES)
    assert operators(interpreter) <= BUILT_IN
    (entry,) = interpreter.get_input_details()
    assert (tuple(entry["shape"]), entry["dtype"]) == ((1, 224, 224, 1), np.float32)
    shapes = {tuple(end["shape"].tolist()) for end in interpreter.get_output_details()}
    assert shapes == {(1, 4), (1, 512), (1, 14, 14, 256)}
    np.testing.assert_allclose(found, expected, atol=tolerance)
    top = np.sort(expected, axis=1)
    clear = top[:, -1] - top[:, -2] > 2 * tolerance
    assert clear.sum() >= 6
    np.testing.assert_array_equal(found.argmax(axis=1)[clear], expected.argmax(axis=1)[clear])


def test_unquantised_agrees_with_keras(exported: Path, network: Any) -> None:
    check((exported / "brain_tumor_cnn.tflite").read_bytes(), network, tolerance=1e-4)


def test_features_and_maps_are_keras_s(exported: Path, network: Any) -> None:
    interpreter, _ = litert((exported / "brain_tumor_cnn.tflite").read_bytes())
    found = run(interpreter, IMAGES[:3])
    maps = keras.Model(network.input, network.get_layer(CUT).output)(IMAGES[:3])
    np.testing.assert_allclose(found[(1, 14, 14, 256)], maps, atol=1e-3)
    last = last_maps(network, IMAGES[:3])
    moments = np.concatenate([last.mean(axis=(1, 2)), last.std(axis=(1, 2))], axis=1)
    np.testing.assert_allclose(found[(1, 512)], moments, atol=1e-3)


def last_maps(network: Any, images: np.ndarray) -> np.ndarray:
    """ELU of the last convolution of 14 cells a side, in NumPy."""
    sides = {n: network.get_layer(f"conv{n}").output.shape[1] for n in range(1, 9)}
    last = max(n for n, side in sides.items() if side == 14)
    part = keras.Model(network.input, network.get_layer(f"conv{last}").output)
    before = np.asarray(part(images))
    return np.where(before > 0, before, np.expm1(np.minimum(before, 0)))


@pytest.mark.slow
def test_dynamic_quantisation_agrees_at_a_quarter_of_the_size(network: Any) -> None:
    content = convert(network, "dynamic")
    assert 3_700_000 < len(content) < 4_000_000
    # Measured with these random weights, whose logits reach from -4 to 4: 0.14.
    check(content, network, tolerance=0.2)


@pytest.mark.slow
def test_int8_agrees_at_a_quarter_of_the_size(network: Any) -> None:
    content = convert(network, "int8", IMAGES[:6])
    assert 3_700_000 < len(content) < 4_000_000
    # Measured with these random weights, whose logits reach from -4 to 4: 0.24.
    check(content, network, tolerance=0.35)


@pytest.mark.parametrize("calibration", [None, IMAGES[:0]])
def test_int8_needs_calibration_images(network: Any, calibration: Any) -> None:
    with pytest.raises(ValueError, match='`calibration` must hold images for "int8"'):
        convert(network, "int8", calibration)


def test_calibration_images_lie_at_even_distances() -> None:
    images = smooth_images(9, seed=2)
    np.testing.assert_array_equal(calibration_images(images, 3), to_float(images[[0, 4, 8]]))
    np.testing.assert_array_equal(calibration_images(images, 20), to_float(images))
    for count, given in ((0, images), (3, images[:0])):
        with pytest.raises(ValueError, match=f"Received: {count} and {len(given)}"):
            calibration_images(given, count)


@pytest.mark.slow
def test_the_calibration_with_answers_most_like_keras_s_is_chosen(network: Any) -> None:
    training, judges = smooth_images(12, seed=6), smooth_images(10, seed=7)
    dark = training.copy()
    dark[0] //= 64  # alone, it shows far too narrow ranges
    chosen, tried = choose_calibration(network, dark, judges, counts=(1, 6))
    assert [found["images"] for found in tried] == [1, 6]
    assert tried[1]["mean_probability_difference"] < tried[0]["mean_probability_difference"] / 2
    assert tried[1]["same_label"] >= tried[0]["same_label"]
    np.testing.assert_array_equal(chosen, calibration_images(dark, 6))


@pytest.mark.parametrize(("same", "means"), [((0.9, 0.8), (0.3, 0.2)), ((0.9, 0.9), (0.2, 0.3))])
def test_labels_decide_and_then_probabilities(
    same: tuple[float, float], means: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = iter(
        {"same_label": share, "mean_probability_difference": mean}
        for share, mean in zip(same, means, strict=True)
    )
    monkeypatch.setattr(int8, "export", lambda *_, **__: {})
    monkeypatch.setattr(int8, "keras_predictor", lambda *_, **__: lambda images: images)
    monkeypatch.setattr(int8.Classifier, "load", lambda *_, **__: None)
    monkeypatch.setattr(int8, "litert_predictor", lambda _: lambda images: images)
    monkeypatch.setattr(int8, "agreement", lambda *_: next(found))
    images = smooth_images(4, seed=1)
    chosen, _ = choose_calibration(None, images, images, counts=(1, 2))
    assert len(chosen) == 1


def test_an_unknown_quantisation_is_refused(network: Any) -> None:
    assert QUANTIZATIONS == ("none", "dynamic", "int8")
    with pytest.raises(ValueError, match=r"one of none, dynamic, int8. Received: 'int4'"):
        convert(network, "int4")


def test_the_metadata_describe_the_files(exported: Path) -> None:
    metadata = json.loads((exported / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["name"] == "brain_tumor_cnn"
    assert metadata["classes"] == list(CLASS_NAMES)
    assert metadata["parameters"] == 3_763_940
    layers = {layer["name"]: layer for layer in metadata["layers"]}
    assert metadata["layers"][0]["shape"] == [224, 224, 1]
    assert metadata["layers"][-1]["shape"] == [4]
    assert sum(layer["parameters"] for layer in metadata["layers"]) == 3_763_940
    assert layers["conv1"]["kernel"] == [3, 3]
    assert layers["conv1"]["stride"] == [2, 2]
    assert layers["elu1"]["function"] == "elu"
    assert metadata["preprocessing"] == SETTINGS
    assert metadata["quantization"] == "none"
    assert metadata["calibration_images"] == 0
    assert metadata["training"] == RUN
    assert set(metadata["files"]) == {
        "brain_tumor_cnn.keras",
        "brain_tumor_cnn.tflite",
        "heat_map.npz",
        "trust.npz",
    }
    for name, described in metadata["files"].items():
        content = (exported / name).read_bytes()
        assert described == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        assert file_hash(exported / name) == described["sha256"]
    assert {path.name for path in exported.iterdir()} == {"metadata.json", *metadata["files"]}


def test_the_keras_file_is_the_network(exported: Path, network: Any) -> None:
    loaded = keras.models.load_model(exported / "brain_tumor_cnn.keras", safe_mode=True)
    for old, new in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_network_with_other_parameters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"must have 3,763,940 parameters.*Received: 3,7\d\d,\d{3}"
    ):
        export(build_cnn(), RUN, tmp_path / "new", quantization="none")
    assert not (tmp_path / "new").exists()


def test_a_frozen_network_is_refused(tmp_path: Path) -> None:
    model = build_cnn(normalize=False)
    model.get_layer("logits").trainable = False
    with pytest.raises(
        ValueError, match=r"all trainable. Received: 3,763,940, 3,762,800 trainable"
    ):
        export(model, RUN, tmp_path / "new", quantization="none")
