from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest

from model.config import CLASS_NAMES, MAP_SHAPE, PARAMETER_COUNT, ArchitectureConfig
from model.training.architecture import build_cnn, fold_normalization

pytest_plugins = ["tests.model_fixtures"]

SMALL = ArchitectureConfig(
    filters=(3, 4, 5, 6), strides=(2, 2, 2, 1), pools=(2, 1, 2, 4), lesion_layer=3, hidden=(8, 7)
)


def images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 224, 224, 1), dtype=np.float32)


def randomise(model: keras.Model, *, least: float = 0.0) -> None:
    """Gives every normalisation scales (one of exactly `least`), shifts and statistics."""
    rng = np.random.default_rng(8)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            gamma[:] = rng.uniform(0.3, 1.6, gamma.shape)
            gamma[1] = least
            beta[:] = rng.normal(0, 0.5, beta.shape)
            mean[:] = rng.normal(0, 0.2, mean.shape)
            variance[:] = rng.uniform(0.3, 2.0, variance.shape)
            layer.set_weights([gamma, beta, mean, variance])


def test_the_saved_network_has_the_promised_parameters_all_trainable(network: Any) -> None:
    assert network.count_params() == 3_763_940 == PARAMETER_COUNT
    assert sum(int(np.prod(w.shape)) for w in network.trainable_weights) == 3_763_940
    assert network.non_trainable_weights == []


def test_it_has_exactly_eight_convolutions_and_two_hidden_layers(network: Any) -> None:
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert [x.filters for x in convolutions] == [128] * 4 + [256] * 4
    assert {x.kernel_size for x in convolutions} == {(3, 3)}
    assert {x.padding for x in convolutions} == {"same"}
    assert [x.name for x in convolutions] == [f"conv{n}" for n in range(1, 9)]
    assert [x.strides[0] for x in convolutions] == [2, 2, 1, 1, 1, 1, 1, 1]
    pools = {
        x.name: x.pool_size for x in network.layers if isinstance(x, keras.layers.MaxPooling2D)
    }
    assert pools == dict.fromkeys(("pool1", "pool4", "pool6", "pool8"), (2, 2))
    sides = [x.output.shape[1] for x in convolutions]
    assert sides == [112, 28, 28, 28, 14, 14, 7, 7]
    dense = [x.units for x in network.layers if isinstance(x, keras.layers.Dense)]
    assert dense == [484, 284, 4]
    assert network.get_layer("flatten").output.shape == (None, 3 * 3 * 256)
    kinds = {type(x) for x in network.layers}
    assert not kinds & {keras.layers.BatchNormalization, keras.layers.Dropout}


def test_the_trained_network_has_normalisation_and_dropout_on_top() -> None:
    model = build_cnn(SMALL)
    names = [x.name for x in model.layers]
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 4 + 2
    assert {"dropout1", "dropout2"} < set(names)
    assert not any(
        x.use_bias for x in model.layers if x.name.startswith("conv") and "_" not in x.name
    )
    for layer in norms:
        assert isinstance(
            layer.gamma_constraint, keras.constraints.NonNeg
        ) == layer.name.startswith("conv")


def test_the_lesion_head_says_of_each_cell_what_it_shows() -> None:
    model = build_cnn(lesion_head=True)
    assert model.get_layer("conv6").output.shape == (None, *MAP_SHAPE)
    assert set(model.output) == {"probabilities", "lesion"}
    found = {name: np.asarray(value) for name, value in model(images(2)).items()}
    assert found["probabilities"].shape == (2, len(CLASS_NAMES))
    assert found["lesion"].shape == (2, 14, 14, len(CLASS_NAMES))
    assert found["lesion"].dtype == np.float32
    np.testing.assert_allclose(found["lesion"].sum(axis=3), 1, atol=1e-5)


def test_folding_drops_the_lesion_head() -> None:
    model = build_cnn(SMALL, lesion_head=True)
    randomise(model)
    folded = fold_normalization(model, SMALL)
    assert not any(x.name.startswith("lesion") for x in folded.layers)
    batch = images(4)
    expected = np.asarray(model(batch, training=False)["probabilities"])
    assert np.ptp(expected, axis=1).min() > 0.01
    np.testing.assert_allclose(np.asarray(folded(batch)), expected, atol=1e-5)
    assert folded.count_params() == build_cnn(SMALL, normalize=False).count_params()


def test_the_lesion_head_leaves_the_rest_of_the_network_as_it_is() -> None:
    keras.utils.set_random_seed(1)
    plain = {x.name for x in build_cnn(SMALL).layers}
    headed = {x.name for x in build_cnn(SMALL, lesion_head=True).layers}
    assert headed - plain == {"lesion_norm", "lesion_elu", "lesion_logits", "lesion"}
    assert plain < headed


def test_the_output_is_a_probability_of_each_class(network: Any) -> None:
    output = np.asarray(network(images(2)))
    assert output.shape == (2, len(CLASS_NAMES))
    assert output.dtype == np.float32
    assert (output > 0).all()
    np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-6)


def test_probabilities_are_float32_under_mixed_precision() -> None:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_cnn(SMALL)
        folded = fold_normalization(model, SMALL)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(previous)
    assert model.get_layer("conv2").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"
    assert {layer.compute_dtype for layer in folded.layers} == {"float32"}


def test_folding_gives_the_equal_network() -> None:
    model = build_cnn(SMALL)
    randomise(model)
    folded = fold_normalization(model, SMALL)
    batch = images(4)
    expected = np.asarray(model(batch, training=False))
    assert np.ptp(expected, axis=1).min() > 0.01  # or the comparison would say little
    np.testing.assert_allclose(np.asarray(folded(batch)), expected, atol=1e-5)
    assert not any(isinstance(x, keras.layers.BatchNormalization) for x in folded.layers)


def test_folding_leaves_the_trained_network_as_it_was() -> None:
    model = build_cnn(SMALL)
    randomise(model)
    before = [weights.copy() for weights in model.get_weights()]
    fold_normalization(model, SMALL)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_negative_scale_cannot_be_folded() -> None:
    model = build_cnn(SMALL)
    randomise(model, least=-0.25)
    with pytest.raises(ValueError, match=r"`conv1_norm` must have scales.*Received: -0\.25"):
        fold_normalization(model, SMALL)


def test_an_update_cannot_turn_a_scale_negative() -> None:
    model = build_cnn(SMALL)
    gammas = [
        x.gamma for x in model.layers if x.name.startswith("conv") and x.name.endswith("_norm")
    ]
    for gamma in gammas:
        gamma.assign(np.full(gamma.shape, 0.1, dtype=np.float32))
    gradients = [keras.ops.ones(gamma.shape) for gamma in gammas]
    keras.optimizers.SGD(1.0).apply(gradients, gammas)  # alone this would give -0.9
    for gamma in gammas:
        np.testing.assert_array_equal(np.asarray(gamma), 0.0)


def test_one_seed_gives_one_network() -> None:
    weights = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        weights.append(build_cnn(SMALL).get_weights()[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"filters": (8,) * 7}, "must be equally long. Received: 7, 8 and 8"),
        ({"pools": (2,)}, "Received: 8, 8 and 1 entries"),
        ({"lesion_layer": 0}, "`lesion_layer` must be in 1..8. Received: 0"),
        ({"lesion_layer": 9}, "`lesion_layer` must be in 1..8. Received: 9"),
        ({"dropout": 1.0}, "`dropout` must be in [0, 1). Received: 1.0"),
        ({"dropout": -0.1}, "Received: -0.1"),
    ],
)  # fmt: skip
def test_a_shape_that_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        ArchitectureConfig(**changes)
