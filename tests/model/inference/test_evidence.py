"""Heat maps in NumPy equal TensorFlow's own gradients, and lie where they should."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.dataset.image_set import to_float
from model.config import ARTIFACTS, CLASS_NAMES
from model.inference.evidence import (
    METHODS,
    direction,
    evidence,
    explain,
    geometry,
    heat_maps,
    smooth,
    upsample,
)
from model.inference.last_layers import CUTS, Tail, weighted_layers
from tests.model_helpers import smooth_images

pytest_plugins = ["tests.model_fixtures"]

LABELS = np.array([0, 1, 2, 3], dtype=np.int64)


@pytest.fixture(scope="module")
def shipped() -> Any:
    return keras.models.load_model(ARTIFACTS / "brain_tumor_cnn.keras", safe_mode=True)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Smooth pictures with a black rim, where all values in a pool are equal."""
    pictures = smooth_images(4, seed=7)
    pictures[:, :40] = 0
    return to_float(pictures)


def autodiff(
    model: Any, tail: Tail, images: np.ndarray, directions: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Features at the cut, logits, and TensorFlow's gradient of their combination.

    Processors add in different orders. So of two values of a pool that are equal but for rounding,
    NumPy's and TensorFlow's sums may each make another the largest, and either is right:
    TensorFlow is given NumPy's choice, which is checked.
    """
    features = keras.Model(model.input, model.get_layer(tail.cut).output)(images)
    values = zip(tail._steps, tail._forward(features.numpy()), strict=False)
    pooled = iter([value for step, value in values if step.kind == "pool"])
    rest = list(model.layers[model.layers.index(model.get_layer(tail.cut)) + 1 :])
    with tf.GradientTape() as tape:
        tape.watch(features)
        x = features
        for layer in rest[:-1]:  # without the softmax
            if isinstance(layer, keras.layers.MaxPooling2D):
                x = largest(x, next(pooled), *layer.pool_size)
            else:
                x = layer(x)
        wanted = tf.reduce_sum(x * directions)
    assert next(pooled, None) is None
    return features.numpy(), x.numpy(), tape.gradient(wanted, features).numpy()


def largest(x: Any, chooser: np.ndarray, height: int, width: int) -> Any:
    """Max pooling of `x` that takes the cells that are the largest in `chooser`."""
    windows = windows_of(x, height, width)
    chosen = tf.argmax(windows_of(tf.constant(chooser), height, width), axis=3)
    taken = tf.reduce_sum(windows * tf.one_hot(chosen, height * width, axis=3), axis=3)
    rounding = 1e-5 * float(tf.reduce_max(tf.abs(x)))
    assert float(tf.reduce_max(tf.reduce_max(windows, axis=3) - taken)) <= rounding
    return taken


def windows_of(x: Any, height: int, width: int) -> Any:
    """(n, h, w, c) to (n, rows, columns, cells of a window, c)."""
    n, rows, columns, channels = x.shape[0], x.shape[1] // height, x.shape[2] // width, x.shape[3]
    whole = x[:, : rows * height, : columns * width]
    split = tf.reshape(whole, (n, rows, height, columns, width, channels))
    together = tf.transpose(split, (0, 1, 3, 2, 4, 5))
    return tf.reshape(together, (n, rows, columns, height * width, channels))


@pytest.mark.parametrize("cut", CUTS)
def test_logits_and_gradient_equal_tensorflow_s(shipped: Any, images: np.ndarray, cut: str) -> None:
    directions = direction(LABELS, "contrast")
    tail = Tail.from_keras(shipped, cut)
    features, logits, expected = autodiff(shipped, tail, images, directions)
    np.testing.assert_allclose(tail.logits(features), logits, rtol=1e-4, atol=1e-4)
    found = tail.gradient(features, directions)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
    side = geometry(cut)[0]
    assert features.shape[1:3] == (side, side)


def test_of_equal_values_in_a_pool_the_first_gets_the_gradient_as_in_tensorflow(
    shipped: Any,
) -> None:
    whole = np.random.default_rng(1).integers(1, 4, (4, 7, 7, 256)).astype(np.float32)
    directions = direction(LABELS, "logit")
    features = tf.constant(whole)
    with tf.GradientTape() as tape:
        tape.watch(features)
        x = features
        for layer in shipped.layers[shipped.layers.index(shipped.get_layer("conv8")) + 1 : -1]:
            x = layer(x)
        wanted = tf.reduce_sum(x * directions)
    expected = tape.gradient(wanted, features).numpy()
    found = Tail.from_keras(shipped, "conv8").gradient(whole, directions)
    np.testing.assert_array_equal(found != 0, expected != 0)
    assert (expected != 0).sum() == 4 * 3 * 3 * 256
    np.testing.assert_allclose(found, expected, atol=1e-4 * float(np.abs(expected).max()))


@pytest.mark.parametrize("cut", ["elu5", "conv6", "elu6"])  # a convolution, a pool, a convolution
def test_maps_are_features_times_gradient(shipped: Any, images: np.ndarray, cut: str) -> None:
    directions = direction(LABELS, "logit")
    tail = Tail.from_keras(shipped, cut)
    features, _, gradient = autodiff(shipped, tail, images, directions)
    scale = np.abs((features * gradient).sum(axis=3)).max()
    hires = evidence(tail, features, directions)
    np.testing.assert_allclose(hires, (features * gradient).sum(axis=3), atol=1e-4 * scale)
    averaged = evidence(tail, features, directions, "gradcam")
    expected = (features * gradient.mean(axis=(1, 2), keepdims=True)).sum(axis=3)
    np.testing.assert_allclose(averaged, expected, atol=1e-4 * scale)
    assert METHODS == ("hirescam", "gradcam")


def test_explain_is_the_chain_of_its_steps(shipped: Any, images: np.ndarray) -> None:
    features = np.asarray(keras.Model(shipped.input, shipped.get_layer("conv6").output)(images))
    tail = Tail.from_keras(shipped, "conv6")
    maps = evidence(tail, features, direction(LABELS, "logit"), "gradcam")
    found = explain(tail, features, LABELS, target="logit", method="gradcam", sigma=4)
    np.testing.assert_array_equal(found, heat_maps(maps, "conv6", sigma=4))
    assert found.shape == (4, 224, 224)


def test_directions() -> None:
    np.testing.assert_array_equal(direction(LABELS, "logit"), np.eye(4))
    found = direction(LABELS)
    np.testing.assert_allclose(found[0], [1, 0, -1, 0])
    np.testing.assert_allclose(found[CLASS_NAMES.index("notumor")], [-1 / 3, -1 / 3, 1, -1 / 3])
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-6)


def test_geometry_of_the_shipped_layers() -> None:
    assert geometry("elu2") == geometry("elu3") == geometry("conv4") == (28, 8, 6.0)
    assert geometry("elu4") == geometry("elu5") == geometry("conv6") == (14, 16, 10.0)
    assert geometry("elu6") == geometry("conv8") == (7, 32, 18.0)
    assert geometry("elu8") == (3, 64, 34.0)


@pytest.mark.parametrize("cut", ["elu2", "elu4"])
def test_geometry_is_the_middle_of_what_a_cell_sees(network: Any, cut: str) -> None:
    side, step, first = geometry(cut)
    cell = side // 2
    image = tf.constant(np.random.default_rng(0).random((1, 224, 224, 1), dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch(image)
        seen = tf.reduce_sum(
            keras.Model(network.input, network.get_layer(cut).output)(image)[0, cell, cell]
        )
    rows, columns = np.nonzero(tape.gradient(seen, image).numpy()[0, :, :, 0])
    middle = first + step * cell
    assert (rows.min() + rows.max()) / 2 == pytest.approx(middle, abs=1)
    assert (columns.min() + columns.max()) / 2 == pytest.approx(middle, abs=1)


def test_upsampling_puts_a_cell_at_its_pixel() -> None:
    maps = np.zeros((1, 14, 14), np.float32)
    maps[0, 3, 5] = 2.0
    large = upsample(maps, "conv6")[0]
    assert large.shape == (224, 224)
    assert np.unravel_index(large.argmax(), large.shape) == (3 * 16 + 10, 5 * 16 + 10)
    assert large.max() == 2.0
    assert large[3 * 16 + 18, 5 * 16 + 10] == pytest.approx(1.0)  # half way to the next cell
    even = upsample(np.ones((2, 3, 3), np.float32), "elu8")
    np.testing.assert_allclose(even[:, 34:163, 34:163], 1.0, rtol=1e-6)
    assert even[0, 0, 34] == pytest.approx(1 - 34 / 64)  # it fades towards the rim


def test_heat_maps_are_positive_and_at_most_one() -> None:
    maps = np.zeros((2, 14, 14), np.float32)
    maps[0, 2, 2], maps[0, 9, 9] = -5.0, 3.0
    found = heat_maps(maps, "elu5")
    assert found[0].max() == 1.0
    assert np.unravel_index(found[0].argmax(), (224, 224)) == (154, 154)
    assert found.min() == 0.0
    assert not found[1].any()  # no evidence
    smoothed = heat_maps(maps, "elu5", sigma=6)[0]
    assert np.unravel_index(smoothed.argmax(), (224, 224)) == (154, 154)
    assert (smoothed > 0.5).sum() > (found[0] > 0.5).sum()
    np.testing.assert_allclose(smooth(np.ones((1, 224, 224), np.float32), 8.0), 1.0, rtol=1e-5)


def test_illegal_arguments_are_named(shipped: Any) -> None:
    with pytest.raises(ValueError, match=r"`cut` must be one of elu2, .* Received: 'pool7'"):
        Tail.from_keras(shipped, "pool7")
    with pytest.raises(ValueError, match="`target` must be one of logit, contrast"):
        direction(LABELS, "probability")
    with pytest.raises(ValueError, match="`method` must be one of hirescam, gradcam"):
        evidence(
            Tail.from_keras(shipped, "elu8"),
            np.zeros((1, 3, 3, 256), np.float32),
            direction(LABELS[:1]),
            "lime",
        )
    assert weighted_layers("conv6") == ["conv7", "conv8", "dense1", "dense2", "logits"]
