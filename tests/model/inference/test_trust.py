from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.export.fit_trust import fit_gaussian
from model.inference.trust import Trust, TrustFileError, load_trust

TRUST = Trust(
    temperature=2.0,
    set_thresholds=np.array([0.5, 0.7, 0.7, 0.7]),
    mean=np.array([1.0, 1.0], np.float32),
    whitener=np.diag([1.0, 0.5]).astype(np.float32),
    ood_threshold=3.0,
)
NEAR = np.array([1.0, 1.0], np.float32)
SURE = np.array([0.97, 0.01, 0.01, 0.01], np.float32)
TORN = np.array([0.1, 0.4, 0.4, 0.1], np.float32)


def test_one_plausible_class_of_a_brain_mri_is_an_answer() -> None:
    judged = TRUST.judge(SURE, NEAR)
    assert not judged.abstained
    assert judged.members == (0,)
    roots = np.sqrt(SURE.astype(float))
    np.testing.assert_allclose(judged.probabilities, roots / roots.sum())


def test_two_plausible_classes_are_none() -> None:
    judged = TRUST.judge(TORN, NEAR)
    assert judged.in_distribution
    assert judged.members == (1, 2)
    assert judged.abstained


def test_what_is_no_brain_mri_gets_no_answer() -> None:
    judged = TRUST.judge(SURE, np.array([1.0, 11.0], np.float32))
    assert judged.ood_score == pytest.approx(5 / math.sqrt(2))
    assert judged.ood_threshold == 3.0
    assert not judged.in_distribution
    assert judged.abstained


def test_a_score_that_is_no_number_is_no_brain_mri() -> None:
    assert not TRUST.judge(SURE, np.array([np.nan, 1.0], np.float32)).in_distribution


def test_without_a_class_inside_the_most_probable_remain() -> None:
    strict = replace(TRUST, set_thresholds=np.zeros(4), temperature=1.0)
    assert strict.judge(SURE, NEAR).members == (0,)
    torn = strict.judge(TORN, NEAR)
    assert torn.members == (1, 2, 0, 3)
    assert torn.abstained


def test_the_most_probable_class_stays_where_a_less_probable_one_does() -> None:
    """Its threshold may be the stricter one; the other alone would be a confident wrong answer."""
    uneven = replace(TRUST, temperature=1.0, set_thresholds=np.array([0.4, 0.6, 0.4, 0.4]))
    judged = uneven.judge(np.array([0.53, 0.45, 0.01, 0.01], np.float32), NEAR)
    assert judged.members == (0, 1)
    assert judged.abstained


def test_constants_survive_their_file() -> None:
    loaded = load_trust(TRUST.to_bytes(), Path("trust.npz"), 4, 2)
    assert loaded.temperature == TRUST.temperature
    assert loaded.ood_threshold == TRUST.ood_threshold
    for name in ("set_thresholds", "mean", "whitener"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(TRUST, name))


def test_constants_of_another_network() -> None:
    with pytest.raises(TrustFileError, match="of 4 classes and 512 features; their shapes are"):
        load_trust(TRUST.to_bytes(), Path("trust.npz"), 4, 512)


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
