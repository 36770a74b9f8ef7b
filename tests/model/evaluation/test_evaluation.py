from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from data.dataset.image_set import ImageSet
from data.dataset.protocols import Parts
from model.config import CLASS_NAMES
from model.evaluation import report
from model.metrics.accuracy import (
    confusion_matrix,
    cross_entropy,
    evaluate,
    evaluate_confusion,
    missed_and_alarms,
    wilson_interval,
)
from tests.model_helpers import smooth_images


def random_case(seed: int, n: int = 300) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities that favour the true class, with mistakes."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, size=n, p=[0.4, 0.3, 0.2, 0.1])
    logits = rng.normal(size=(n, 4))
    logits[np.arange(n), labels] += 1.5
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels


@pytest.mark.parametrize("seed", range(5))
def test_every_figure_agrees_with_scikit_learn(seed: int) -> None:
    probabilities, labels = random_case(seed)
    predicted = probabilities.argmax(axis=1)
    found = evaluate(probabilities, labels, CLASS_NAMES)
    reference = metrics.classification_report(
        labels, predicted, target_names=CLASS_NAMES, output_dict=True
    )
    assert found["images"] == 300
    assert found["correct"] == (labels == predicted).sum()
    assert 0.5 < found["accuracy"] < 0.95
    assert found["accuracy"] == pytest.approx(reference["accuracy"])
    assert found["balanced_accuracy"] == pytest.approx(
        metrics.balanced_accuracy_score(labels, predicted)
    )
    assert found["loss"] == pytest.approx(metrics.log_loss(labels, probabilities))
    assert found["confusion"] == metrics.confusion_matrix(labels, predicted).tolist()
    assert list(found["classes"]) == list(CLASS_NAMES)
    for name in CLASS_NAMES:
        for ours, theirs in (
            ("precision",) * 2,
            ("recall",) * 2,
            ("f1", "f1-score"),
            ("support",) * 2,
        ):
            assert found["classes"][name][ours] == pytest.approx(reference[name][theirs])
    assert json.loads(json.dumps(found)) == found


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    matrix = confusion_matrix(np.array([0, 0, 2, 2, 2]), np.array([0, 1, 2, 2, 0]), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 2]]


def test_a_class_without_cases_has_null_ratios() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05, 0.0], [0.2, 0.7, 0.1, 0.0], [0.6, 0.3, 0.1, 0.0]])
    found = evaluate(probabilities, np.array([0, 1, 1]), CLASS_NAMES)
    nothing = {"precision": None, "recall": None, "f1": None, "support": 0}
    assert found["classes"]["pituitary"] == nothing
    assert found["classes"]["glioma"] == {
        "precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1,
    }  # fmt: skip
    assert found["balanced_accuracy"] == pytest.approx((1.0 + 0.5) / 2)
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_a_class_that_is_never_predicted_has_no_precision_and_no_recall() -> None:
    found = evaluate(np.array([[0.9, 0.1]]), np.array([1]), ("a", "b"))
    assert found["classes"]["b"] == {"precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert found["classes"]["a"] == {"precision": 0.0, "recall": None, "f1": 0.0, "support": 0}


def test_what_a_clinician_asks_for() -> None:
    matrix = np.array([[8, 1, 1, 0], [2, 7, 3, 0], [1, 0, 18, 1], [0, 0, 0, 5]])
    found = missed_and_alarms(matrix)
    assert found["tumors_called_none"] == {
        "images": 27, "wrong": 4, "share": 4 / 27, "share_95": list(wilson_interval(4, 27)),
    }  # fmt: skip
    assert found["healthy_called_tumor"] == {
        "images": 20, "wrong": 2, "share": 0.1, "share_95": list(wilson_interval(2, 20)),
    }  # fmt: skip
    assert missed_and_alarms(np.diag([1, 1, 0, 1]))["healthy_called_tumor"]["share"] is None


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        # R: binom::binom.wilson; with z**2 = 3.8415, 10 of 10 starts at 10 / (10 + z**2).
        (10, 10, 0.722467, 1.0),
        (0, 10, 0.0, 0.277533),
        (50, 100, 0.403832, 0.596168),
        (81, 263, 0.255289, 0.366210),  # Newcombe 1998, table I: 0.2553, 0.3662
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_interval(right: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(right, total) == pytest.approx((low, high), abs=2e-6)


def test_certain_and_wrong_costs_sixteen_nats() -> None:
    assert cross_entropy(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(16.118, abs=1e-3)
    assert cross_entropy(np.array([[1.0, 0.0]]), np.array([0])) == 0.0
    assert cross_entropy(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 0])) == pytest.approx(
        np.log(2) * 1.5
    )


@pytest.mark.parametrize(
    ("probabilities", "labels", "words"),
    [
        (np.ones((2, 3)), np.array([0, 1]), "shape (n, 4) with a label each. Received: (2, 3)"),
        (np.ones((3, 4)), np.array([0, 1]), "Received: (3, 4) and 2 labels"),
        (np.ones((0, 4)), np.array([], dtype=np.int64), "Received: (0, 4) and 0 labels"),
        (np.ones((1, 4)), np.array([4]), "`labels` must be in 0..3. Received: 4 to 4"),
        (np.ones((1, 4)), np.array([-1]), "`labels` must be in 0..3. Received: -1 to -1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(probabilities: Any, labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        evaluate(probabilities, labels, CLASS_NAMES)


def test_labels_and_predictions_must_pair_up() -> None:
    with pytest.raises(ValueError, match=r"equally long. Received: \(2,\) and \(3,\)"):
        confusion_matrix(np.array([0, 1]), np.array([0, 1, 2]), 3)


# which images the report counts


def image_set(images: NDArray[np.uint8], prefix: str) -> ImageSet:
    labels = np.arange(len(images)) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{prefix}-{i}" for i, label in enumerate(labels))
    return ImageSet(images, labels, names, prefix)


@pytest.mark.parametrize("copies", [3, 0])
def test_the_test_split_is_divided_by_copies_in_training(
    copies: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = image_set(smooth_images(40, seed=1), "training")
    test = image_set(smooth_images(12, seed=2), "test")
    parts = Parts(training.take(np.arange(30)), training.take(np.arange(30, 40)), test)
    monkeypatch.setattr(report, "make_phantoms", lambda n, seed: test)
    monkeypatch.setattr(report, "load_gallery", lambda folder: test)
    unseen = {f"Testing/{name}" for name in test.names[copies:]}
    sets = report.evaluation_sets(parts, unseen, Path("samples"))
    assert sets["train"] is parts.training
    assert sets["validation"] is parts.validation
    assert sets["test"].names == test.names
    assert sets["test_unseen"].names == test.names[copies:]
    if copies:
        assert sets["test_with_copy_in_training"].names == test.names[:copies]
    else:
        assert "test_with_copy_in_training" not in sets


def test_the_figures_of_a_confusion_matrix_are_those_of_its_images() -> None:
    probabilities, labels = random_case(9)
    figures = evaluate(probabilities, labels, CLASS_NAMES)
    loss = figures.pop("loss")
    assert loss == pytest.approx(cross_entropy(probabilities, labels))
    assert evaluate_confusion(np.array(figures["confusion"]), CLASS_NAMES) == figures
