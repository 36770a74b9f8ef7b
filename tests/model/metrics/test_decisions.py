from __future__ import annotations

import numpy as np
import pytest

from model.config import CLASS_NAMES
from model.metrics.decisions import (
    LARGEST_KIND,
    LEAST_FINDING,
    finding_figures,
    fit_ceiling,
    fit_finding_threshold,
    fit_kind_threshold,
    kind_figures,
)

UNKNOWN = len(CLASS_NAMES)


def binary(*tumor: float) -> np.ndarray:
    """Probabilities whose kinds do not matter."""
    share = np.array(tumor)
    return np.stack([share, 0 * share, 1 - share, 0 * share], axis=1)


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated answers: labels are drawn with the probabilities themselves."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet([0.4] * 4, n)
    return true, np.array([rng.choice(4, p=row) for row in true], dtype=np.int64)


def test_the_ceiling_ends_where_the_data_end() -> None:
    labels = np.array([UNKNOWN] * 8)
    assert fit_ceiling(binary(*[0.999] * 8), labels) == pytest.approx(1 - 1 / 6)
    one_wrong = np.array([UNKNOWN] * 7 + [2])
    answers = binary(0.9, 0.9, 0.9, 0.9, 0.999, 0.999, 0.999, 0.999)
    assert fit_ceiling(answers, one_wrong) == pytest.approx(1 - 2 / 6)


def test_findings_are_right_often_enough_from_the_threshold() -> None:
    answers = binary(0.99, 0.02, 0.95, 0.9, 0.88, 0.84, 0.16, 0.8)
    labels = np.array([0, 2, UNKNOWN, 2, 1, 3, 2, 2])  # 0.9 and 0.8 are wrong
    ones = np.ones(8)
    assert fit_finding_threshold(answers, labels, ones, 0.6) == pytest.approx(0.84)
    assert fit_finding_threshold(answers, labels, ones, 0.85) == pytest.approx(0.95)  # of healthy
    assert fit_finding_threshold(answers, labels, ones, 0.97) == pytest.approx(0.95)
    assert fit_finding_threshold(answers, labels, ones, 0.5) == pytest.approx(0.8)
    light = ones.copy()
    light[3] = 0.01
    assert fit_finding_threshold(answers, labels, light, 0.97) == pytest.approx(0.84)


def test_the_threshold_is_the_same_for_a_tumor_and_for_none() -> None:
    answers, labels = drawn(800, seed=3)
    turned = answers.copy()
    turned[:, 2] = 1 - answers[:, 2]
    turned[:, 0], turned[:, [1, 3]] = answers[:, 2], 0
    ones = np.ones(800)
    healthy = np.where(labels == 2, 0, 2)
    assert fit_finding_threshold(turned, healthy, ones) == pytest.approx(
        fit_finding_threshold(answers, labels, ones)
    )


def test_no_finding_below_the_least_probability() -> None:
    assert fit_finding_threshold(binary(0.6, 0.55), np.array([0, 1]), np.ones(2)) == LEAST_FINDING
    assert fit_finding_threshold(binary(0.9, 0.8), np.array([2, 2]), np.ones(2)) == 1.0


def test_each_kind_stays_plausible_on_new_images() -> None:
    threshold = fit_kind_threshold(*drawn(8000, seed=2), 0.9)
    answers, labels = drawn(8000, seed=5)
    assert 0 < threshold <= LARGEST_KIND
    for kind in (0, 1, 3):
        rows = labels == kind
        shares = answers[rows, kind] / (1 - answers[rows, 2])
        assert (shares >= threshold).mean() > 0.88


def test_the_kind_s_threshold_is_the_lowest_of_the_definition() -> None:
    answers, labels = drawn(900, seed=1)
    shares = answers / (1 - answers[:, 2:3])
    wanted = []
    for kind in (0, 1, 3):
        ranked = np.sort(shares[labels == kind, kind])
        wanted.append(ranked[int(np.floor((len(ranked) + 1) * 0.05)) - 1])
    assert fit_kind_threshold(answers, labels) == pytest.approx(min(wanted))


def test_a_sure_network_leaves_a_kind_with_one_chance_in_seven_plausible() -> None:
    labels = np.repeat([0, 1, 3], 30)
    assert fit_kind_threshold(np.eye(4)[labels], labels) == LARGEST_KIND


def test_too_few_images_of_a_kind() -> None:
    labels = np.repeat([0, 1, 3], [30, 18, 30])
    with pytest.raises(ValueError, match=r"at least 19 images.* Received: 18 of meningioma"):
        fit_kind_threshold(np.eye(4)[labels], labels)


def test_figures_of_findings_by_hand() -> None:
    answers = binary(0.99, 0.96, 0.8, 0.1, 0.5)
    labels = np.array([0, 2, UNKNOWN, 2, 1])
    answered = np.array([True, True, True, True, False])
    found = finding_figures(answers, labels, answered)
    assert found["images"] == 5
    assert found["answered"] == 0.8
    assert found["right_of_answered"] == 0.75
    assert found["words"]["very likely"]["images"] == 2
    assert found["words"]["very likely"]["right"] == 0.5
    assert found["words"]["likely"] | {"right_95": None} == {
        "images": 2, "right": 1.0, "right_95": None,
    }  # fmt: skip
    none = finding_figures(answers, labels, np.zeros(5, bool))
    assert none["right_of_answered"] is None
    assert none["words"]["likely"]["right"] is None


def test_figures_of_kinds_by_hand() -> None:
    labels = np.array([0, 0, 1, 3, 2, UNKNOWN])
    plausible = np.array(
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0]], bool
    )
    found = kind_figures(labels, plausible)
    assert found == {
        "images": 3,
        "coverage_of_kind": {"glioma": 1.0, "meningioma": 0.0, "pituitary": None},
        "clear": pytest.approx(2 / 3),
        "right_of_clear": 0.5,
    }
