from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import NO_TUMOUR
from model.export.fit_trust import fit_gaussian
from model.inference.model_files import ModelFileError
from model.inference.trust import NUMBERS, Trust, finding_of, load_trust

TRUST = Trust(
    temperature=2.0,
    ceiling=0.995,
    finding_threshold=0.8,
    kind_threshold=0.2,
    mean=np.array([1.0, 1.0], np.float32),
    whitener=np.diag([1.0, 0.5]).astype(np.float32),
    ood_threshold=3.0,
)
NEAR = np.array([1.0, 1.0], np.float32)
PLAIN = replace(TRUST, temperature=1.0, ceiling=1.0)
"""Probabilities are the softmax of the logits."""


def logits(*probabilities: float) -> np.ndarray:
    return np.log(np.array(probabilities, np.float32))


@pytest.mark.parametrize(
    ("probabilities", "finding", "members"),
    [
        ((0.97, 0.01, 0.01, 0.01), "tumor", (0,)),
        ((0.5, 0.38, 0.1, 0.02), "tumor", (0, 1)),  # a tumor, though no class reaches 0.8
        ((0.3, 0.28, 0.15, 0.27), "tumor", (0, 1, 3)),
        ((0.01, 0.02, 0.96, 0.01), "notumor", (2,)),
        ((0.05, 0.04, 0.82, 0.09), "notumor", (2,)),
        ((0.1, 0.09, 0.74, 0.07), None, (2, 0, 1, 3)),
        ((0.7, 0.05, 0.24, 0.01), None, (0, 2)),
    ],
)
def test_first_the_finding_then_the_kind(
    probabilities: tuple[float, ...], finding: str | None, members: tuple[int, ...]
) -> None:
    judged = PLAIN.judge(logits(*probabilities), NEAR)
    assert judged.finding == finding
    assert judged.members == members
    np.testing.assert_allclose(judged.probabilities, probabilities, atol=1e-6)


def test_a_temperature_and_a_ceiling_change_no_order() -> None:
    judged = TRUST.judge(logits(0.97, 0.01, 0.01, 0.01), NEAR)
    roots = np.sqrt([0.97, 0.01, 0.01, 0.01])
    even = np.array([1 / 6, 1 / 6, 1 / 2, 1 / 6])
    np.testing.assert_allclose(judged.probabilities, 0.99 * roots / roots.sum() + 0.01 * even)


@settings(deadline=None)  # as slow as the machine is busy
@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4))
def test_no_claim_is_larger_than_the_ceiling(scores: list[float]) -> None:
    found = TRUST.calibrated(np.array(scores))
    assert found.sum() == pytest.approx(1)
    assert found.max() <= TRUST.ceiling + 1e-12
    assert 1 - found[NO_TUMOUR] <= TRUST.ceiling + 1e-12
    assert found.min() >= 0


def test_what_is_no_brain_mri_gets_no_finding() -> None:
    judged = TRUST.judge(logits(0.97, 0.01, 0.01, 0.01), np.array([1.0, 11.0], np.float32))
    assert judged.ood_score == pytest.approx(5 / math.sqrt(2))
    assert judged.ood_threshold == 3.0
    assert not judged.in_distribution
    assert judged.finding is None


def test_a_score_that_is_no_number_is_no_brain_mri() -> None:
    judged = TRUST.judge(logits(0.97, 0.01, 0.01, 0.01), np.array([np.nan, 1.0], np.float32))
    assert not judged.in_distribution


@pytest.mark.parametrize(
    ("plausible", "inside", "finding"),
    [
        (("glioma",), True, "tumor"),
        (("glioma", "pituitary"), True, "tumor"),
        (("notumor",), True, "notumor"),
        (("notumor", "glioma"), True, None),
        (("glioma",), False, None),
        (("notumor",), False, None),
    ],
)
def test_the_rule(plausible: tuple[str, ...], inside: bool, finding: str | None) -> None:
    assert finding_of(plausible, inside) == finding


def test_constants_survive_their_file() -> None:
    loaded = load_trust(TRUST.to_bytes(), Path("trust.npz"), 2)
    for name in (*NUMBERS, "mean", "whitener"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(TRUST, name))


def test_constants_of_another_network() -> None:
    with pytest.raises(ModelFileError, match="of 512 features; their shapes are"):
        load_trust(TRUST.to_bytes(), Path("trust.npz"), 512)


def test_the_distance_is_mahalanobis_s() -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((40000, 6)) @ rng.standard_normal((6, 6)) + 3
    mean, whitener = fit_gaussian(features)
    trust = replace(TRUST, mean=mean, whitener=whitener)
    centred = features - features.mean(axis=0)
    inverse = np.linalg.inv(np.cov(features.T))
    expected = np.sqrt(np.einsum("ij,jk,ik->i", centred, inverse, centred) / 6)
    found = trust.scores(features.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_a_feature_that_never_moves_does_not_break_the_fit() -> None:
    features = np.random.default_rng(2).standard_normal((100, 3))
    features[:, 1] = 5.0
    mean, whitener = fit_gaussian(features)
    assert np.isfinite(whitener).all()
    assert mean[1] == pytest.approx(5)
