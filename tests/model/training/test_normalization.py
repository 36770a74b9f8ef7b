"""The fused batch normalization is Keras's own: results, gradients, statistics, files."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from model.training.normalization import FusedBatchNormalization

SHAPE = (4, 6, 5, 8)


def maps(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1.0, 3.0, SHAPE).astype(np.float32)


def layers() -> list[keras.layers.BatchNormalization]:
    """The fused one and Keras's, with the same scales and offsets that are not 1 and 0."""
    found = [FusedBatchNormalization(), keras.layers.BatchNormalization()]
    for layer in found:
        layer.build((None, *SHAPE[1:]))
        layer.gamma.assign(np.linspace(0.5, 2, 8))
        layer.beta.assign(np.linspace(-1, 1, 8))
    return found


def test_results_and_statistics_are_keras_s() -> None:
    fused, own = layers()
    for seed in range(3):
        one, other = (np.asarray(layer(maps(seed), training=True)) for layer in (fused, own))
        np.testing.assert_allclose(one, other, atol=1e-5)
    for one, other in zip(fused.get_weights(), own.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert np.abs(fused.moving_mean).min() > 0.01  # they have moved
    one, other = (np.asarray(layer(maps(5), training=False)) for layer in (fused, own))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_gradients_are_keras_s() -> None:
    weights, found = maps(9), []
    for layer in layers():
        inputs = tf.constant(maps(1))
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(layer(inputs, training=True) ** 2 * weights)
        found.append(tape.gradient(loss, [inputs, *layer.trainable_weights]))
    for one, other in zip(*found, strict=True):
        scale = float(np.linalg.norm(other))
        assert float(np.linalg.norm(one - other)) < 1e-4 * scale


@pytest.mark.skipif(
    "ONEDNN_MAX_CPU_ISA" in os.environ,
    reason="oneDNN is to do without bfloat16, which TensorFlow asks the processor for",
)
def test_in_bfloat16_it_returns_bfloat16_and_keeps_its_statistics_in_float32() -> None:
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    found = layer(maps(2), training=True)
    assert found.dtype == tf.bfloat16
    assert layer.moving_variance.dtype == "float32"
    mean = maps(2).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean, 0.01 * mean, rtol=0.02)


def test_another_backend_gets_keras_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    fused, own = layers()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(tf.raw_ops, "FusedBatchNormV3", None)  # calling it would raise
    one, other = (np.asarray(layer(maps(3), training=True)) for layer in (fused, own))
    np.testing.assert_array_equal(one, other)


def test_it_is_read_back_from_a_file(tmp_path: Path) -> None:
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, FusedBatchNormalization(name="norm")(inputs))
    model.save(tmp_path / "model.keras")
    layer = keras.models.load_model(tmp_path / "model.keras").get_layer("norm")
    assert type(layer) is FusedBatchNormalization
