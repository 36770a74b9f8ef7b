from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from model.inference.temperature import log_probabilities, soften, softmax
from model.metrics.calibration import (
    brier_score,
    calibration_error,
    calibration_figures,
    error_of_bins,
    fit_temperature,
    pool_bins,
    reliability,
    true_probabilities,
)


def drawn(n: int, seed: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from known probabilities, and these raised to a power."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet([0.6] * 4, n)
    labels = np.array([rng.choice(4, p=row) for row in true])
    return soften(true, 1 / sharpness), labels


def test_a_temperature_undoes_overconfidence() -> None:
    probabilities, labels = drawn(4000, seed=1, sharpness=2.5)
    temperature = fit_temperature(log_probabilities(probabilities), labels)
    assert temperature == pytest.approx(2.5, rel=0.05)
    losses = [log_loss(labels, soften(probabilities, temperature * k)) for k in (0.9, 1, 1.1)]
    assert losses[1] == min(losses)


def test_a_tumor_of_unknown_kind_has_the_probability_of_any() -> None:
    probabilities = np.array([[0.1, 0.2, 0.3, 0.4]] * 3)
    found = true_probabilities(probabilities, np.array([1, 2, 4]))
    np.testing.assert_allclose(found, [0.2, 0.3, 0.7])


def test_weights_say_what_an_image_counts() -> None:
    probabilities, labels = drawn(400, seed=4, sharpness=3)
    logits, weights = log_probabilities(probabilities), np.repeat([3.0, 0.0], 200)
    few = fit_temperature(logits[:200], labels[:200])
    assert fit_temperature(logits, labels, weights) == pytest.approx(few, rel=1e-4)
    assert fit_temperature(logits, labels) != pytest.approx(few, rel=1e-2)


def test_where_any_kind_is_right_a_sure_network_stays_sure() -> None:
    logits = np.tile([9.0, 0.0, 0.0, 0.0], (20, 1))
    assert fit_temperature(logits, np.array([4] * 20)) < 0.5  # any is as good below
    # by hand: 19 log(1 - 3e) + log(e) is largest at e = 1/60, 19 log(1 - e) + log(e) at e = 1/20
    known, superset = (fit_temperature(logits, np.array([k] * 19 + [1])) for k in (0, 4))
    assert known == pytest.approx(9 / np.log(57), rel=1e-3)
    assert superset == pytest.approx(9 / np.log(17), rel=1e-3)
    np.testing.assert_allclose(softmax(logits, 3.0)[0, 0], np.exp(3) / (np.exp(3) + 3))


def test_soften_is_the_softmax_of_divided_logits() -> None:
    logits = np.random.default_rng(2).standard_normal((5, 4))
    exponentials = [np.exp(logits / t) for t in (1.0, 3.0)]
    first, third = (e / e.sum(axis=1, keepdims=True) for e in exponentials)
    np.testing.assert_allclose(soften(first, 3.0), third, rtol=1e-9)
    np.testing.assert_allclose(soften(first, 1.0), first, rtol=1e-9)
    np.testing.assert_allclose(soften(np.array([1.0, 0, 0, 0]), 1.0), [1, 0, 0, 0], atol=1e-9)


def test_bins_are_scikit_learn_s() -> None:
    probabilities, labels = drawn(2000, seed=3)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    share, mean = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
    bins = reliability(probabilities, labels)
    np.testing.assert_allclose([b["accuracy"] for b in bins], share)
    np.testing.assert_allclose([b["confidence"] for b in bins], mean)
    assert sum(b["images"] for b in bins) == 2000


def test_the_brier_score_is_scikit_learn_s() -> None:
    probabilities, labels = drawn(500, seed=4)
    expected = brier_score_loss(labels, probabilities, scale_by_half=False)
    assert brier_score(probabilities, labels) == pytest.approx(expected)


def test_a_case_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 1])
    # bin of 0.9: half right, off by 0.4; bin of 0.6: all right, off by 0.4
    assert calibration_error(probabilities, labels) == pytest.approx(0.4)
    assert calibration_error(probabilities, labels, 1) == pytest.approx(0.0)
    # two bins of two images: (0.6, 0.6) and (0.9, 0.9)
    assert calibration_error(probabilities, labels, 2, equal_mass=True) == pytest.approx(0.4)
    assert [b["images"] for b in reliability(probabilities, labels, 2, equal_mass=True)] == [2, 2]


def test_certainty_falls_into_the_last_bin() -> None:
    (only,) = reliability(np.array([[1.0, 0.0]]), np.array([0]))
    assert (only["high"], only["accuracy"]) == (1.0, 1.0)


def test_more_bins_than_images() -> None:
    found = reliability(np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]), equal_mass=True)
    assert [b["images"] for b in found] == [1, 1]


def test_figures_of_a_calibrated_network() -> None:
    figures = calibration_figures(*drawn(20000, seed=5))
    assert figures["ece"] < 0.015
    assert figures["adaptive_ece"] < 0.015
    assert figures["images"] == 20000


def test_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n at least 1\. Received"):
        fit_temperature(np.empty((0, 4)), np.empty(0, dtype=np.int64))


def test_bins_of_several_sets_pool_to_the_bins_of_all_images() -> None:
    sets = [drawn(300, seed=6), drawn(50, seed=7, sharpness=3.0), drawn(4, seed=8)]
    together = tuple(np.concatenate(arrays) for arrays in zip(*sets, strict=True))
    pooled = pool_bins([reliability(*one) for one in sets])
    expected = reliability(*together)
    assert [row["images"] for row in pooled] == [row["images"] for row in expected]
    for name in ("low", "high", "confidence", "accuracy"):
        np.testing.assert_allclose([r[name] for r in pooled], [r[name] for r in expected])
    assert error_of_bins(pooled) == pytest.approx(calibration_error(*together))
