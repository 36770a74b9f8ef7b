"""The loss where classes are uncertain, and the learning rate."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from model.config import NO_TUMOUR, TrainingConfig
from model.training.objective import (
    learning_rate_schedule,
    superset_accuracy,
    superset_cross_entropy,
)


def test_the_loss_is_cross_entropy_where_the_class_is_known() -> None:
    rng = np.random.default_rng(2)
    found = rng.dirichlet(np.ones(4), 12).astype(np.float32)
    labels = np.arange(12) % 4
    target = np.eye(4, dtype=np.float32)[labels]
    expected = -np.log(found[np.arange(12), labels])
    np.testing.assert_allclose(np.asarray(superset_cross_entropy(target, found)), expected, 1e-4)


def test_the_loss_of_a_tumor_of_unknown_kind_asks_only_that_it_is_one() -> None:
    found = np.random.default_rng(3).dirichlet(np.ones(4), 12).astype(np.float32)
    target = np.tile(np.array([1, 1, 0, 1], np.float32), (12, 1))
    expected = -np.log1p(-found[:, NO_TUMOUR].astype(np.float64))
    np.testing.assert_allclose(
        np.asarray(superset_cross_entropy(target, found)), expected, rtol=1e-4, atol=1e-6
    )


def test_the_loss_of_a_cell_follows_the_share_that_a_tumor_covers() -> None:
    """Both kinds of target, a quarter covered: a quarter of one loss and the rest of the other."""
    found = np.array([[[0.1, 0.2, 0.4, 0.3]]] * 2, np.float32)
    target = np.array([[[0, 0.25, 0.75, 0]], [[0.25, 0.25, 0.75, 0.25]]], np.float32)
    expected = -np.array([
        [0.25 * np.log(0.2) + 0.75 * np.log(0.4)], [0.25 * np.log(0.6) + 0.75 * np.log(0.4)],
    ])  # fmt: skip
    result = np.asarray(superset_cross_entropy(target, found))
    assert result.shape == (2, 1)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_the_loss_stays_finite_where_a_network_is_certain_and_wrong() -> None:
    found = np.array([[0, 0, 1, 0]], np.float32)
    for target in ([[1, 1, 0, 1]], [[1, 0, 0, 0]]):
        (loss,) = np.asarray(superset_cross_entropy(np.array(target, np.float32), found))
        assert loss == pytest.approx(-np.log(1e-7), rel=1e-4)


def test_an_admissible_class_counts_as_right() -> None:
    found = np.array([[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.4, 0.3]] * 2, np.float32)
    target = np.array([[1, 1, 0, 1], [1, 1, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]], np.float32)
    assert np.asarray(superset_accuracy(target, found)).tolist() == [1, 0, 0, 1]


def test_the_learning_rate_warms_up_and_falls_to_a_two_hundredth() -> None:
    config = TrainingConfig(epochs=11, learning_rate=2e-3, restarts=())
    schedule = learning_rate_schedule(config, 100)
    rate = {step: float(schedule(step)) for step in (0, 25, 50, 575, 1100, 5000)}
    assert rate[0] == pytest.approx(1e-4)
    assert rate[25] == pytest.approx((1e-4 + 2e-3) / 2)
    assert rate[50] == pytest.approx(2e-3)
    assert rate[575] == pytest.approx((2e-3 + 1e-5) / 2)  # half way down the cosine
    assert rate[1100] == rate[5000] == pytest.approx(1e-5)


def test_the_learning_rate_starts_anew_and_survives_a_stop(tmp_path: Path) -> None:
    config = TrainingConfig(epochs=10, learning_rate=2e-3, restarts=(0.4, 0.8))
    assert config.cycles == (4, 4, 2)
    written = keras.optimizers.Adamax(learning_rate_schedule(config, 100))
    schedule = keras.optimizers.deserialize(keras.optimizers.serialize(written))._learning_rate
    rate = {step: float(schedule(step)) for step in (0, 50, 225, 399, 400, 600, 800, 900, 5000)}
    assert rate[0] == pytest.approx(1e-4)
    assert rate[50] == rate[400] == pytest.approx(2e-3)
    assert rate[225] == rate[600] == pytest.approx((2e-3 + 1e-5) / 2)  # half way down each
    assert rate[399] == pytest.approx(1e-5, rel=0.01)
    assert rate[800] == pytest.approx(1e-3)
    assert rate[900] == pytest.approx((1e-3 + 5e-6) / 2)
    assert rate[5000] == pytest.approx(5e-6)
