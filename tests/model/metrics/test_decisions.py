from __future__ import annotations

import numpy as np
import pytest

from model.inference.trust import prediction_sets
from model.metrics.conformal import conformal_figures, conformalised, fit_thresholds

NAMES = ("a", "b", "c", "d")


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    true = rng.dirichlet([0.4] * 4, n)
    labels = np.array([rng.choice(4, p=row) for row in true], dtype=np.int64)
    return true, labels


def test_thresholds_are_the_quantiles_of_the_definition() -> None:
    probabilities, labels = drawn(600, seed=1)
    found = fit_thresholds(probabilities, labels, 0.9)
    for label in range(4):
        scores = np.sort(1 - probabilities[labels == label, label])
        rank = int(np.ceil((len(scores) + 1) * 0.9))
        assert found[label] == pytest.approx(scores[rank - 1])


def test_sets_are_mapie_s_class_by_class() -> None:
    probabilities, labels = drawn(600, seed=6)
    fresh, _ = drawn(300, seed=7)
    ours = 1 - fresh <= fit_thresholds(probabilities, labels, 0.9)
    for label in range(4):
        rows = labels == label
        _, theirs = conformalised(probabilities[rows], labels[rows], 0.9).predict_set(fresh)
        np.testing.assert_array_equal(ours[:, label], theirs[:, label, 0])


def test_each_class_is_covered_on_new_images() -> None:
    thresholds = fit_thresholds(*drawn(3000, seed=2), 0.95)
    figures = conformal_figures(*drawn(6000, seed=3), thresholds, NAMES)
    for share in figures["coverage_of_class"].values():
        assert share > 0.925
    assert 1 <= figures["mean_set_size"] <= 4


def test_too_few_images_of_a_class() -> None:
    probabilities, labels = drawn(600, seed=4)
    few = np.concatenate([np.flatnonzero(labels != 2), np.flatnonzero(labels == 2)[:18]])
    with pytest.raises(ValueError, match=r"at least 19 images.* Received: 18 of class 2"):
        fit_thresholds(probabilities[few], labels[few], 0.95)


def test_figures_by_hand() -> None:
    probabilities = np.array([[0.7, 0.3], [0.45, 0.55], [0.9, 0.1]])
    figures = conformal_figures(
        probabilities, np.array([0, 0, 1]), np.array([0.5, 0.6]), ("a", "b")
    )
    # sets: {a}, {b}, {a}
    assert figures["coverage"] == pytest.approx(1 / 3)
    assert figures["coverage_of_class"] == {"a": 0.5, "b": 0.0}
    assert figures["mean_set_size"] == 1.0
    assert figures["single"] == 1.0
    assert figures["accuracy_of_single"] == pytest.approx(1 / 3)


def test_a_set_that_would_be_empty_holds_the_most_probable_classes() -> None:
    probabilities = np.array([[0.3, 0.66, 0.04], [0.96, 0.03, 0.01], [0.4, 0.35, 0.25]])
    sets = prediction_sets(probabilities, np.zeros(3))
    assert sets.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
