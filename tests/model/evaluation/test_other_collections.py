"""Figures of other collections, by hand and against scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from data.dataset.collections import Collections
from model.evaluation import other_collections as section
from model.evaluation.other_collections import auroc, means, other_collections, set_figures
from model.inference.classifier import Classifier
from model.metrics.accuracy import wilson_interval
from model.reports.elsewhere import told_right
from tests.model_helpers import TRUST
from web.model_card import results

pytest_plugins = ["tests.model_fixtures"]

TUMOR = np.array([0.97, 0.6, 0.05, 0.3, 0.2, 0.7])
TRUTH = np.array([True, True, True, False, False, False])
ANSWERED = np.array([True, False, True, False, True, True])
PERSON = np.array(["a/1", "a/1", "a/2", "a/3", "a/3", "a/4"])


def test_the_model_page_says_what_missed_with_certainty_means() -> None:
    assert results.CERTAIN == section.CERTAIN


def figures() -> dict[str, Any]:
    kept = np.array([True] * 5 + [False])
    return set_figures(TUMOR, TRUTH, kept, ANSWERED, PERSON)


def test_figures_by_hand() -> None:
    found = figures()
    assert (found["images"], found["people"]) == (6, 4)
    assert found["sensitivity"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(2 / 3)
    assert found["balanced"] == pytest.approx(2 / 3)
    assert found["missed_with_certainty"] == pytest.approx(1 / 3)  # 0.05: none is said with 0.95
    assert found["kept"] == pytest.approx(5 / 6)
    assert found["answered"] == pytest.approx(4 / 6)
    assert found["right_of_answered"] == pytest.approx(2 / 4)
    # both tumors' people and both healthy ones count once, however many pictures there are
    assert found["sensitivity_95"] == list(wilson_interval(4 / 3, 2))
    assert found["kept_95"] == list(wilson_interval(4 * 5 / 6, 4))
    assert json.loads(json.dumps(found)) == found


def test_a_set_without_tumors_has_no_sensitivity() -> None:
    healthy = ~TRUTH
    kept = np.ones(3, bool)
    found = set_figures(TUMOR[healthy], TRUTH[healthy], kept, ~kept, PERSON[healthy])
    for name in ("sensitivity", "auroc", "missed_with_certainty", "right_of_answered"):
        assert found[name] is None
    assert "sensitivity_95" not in found
    assert found["balanced"] == found["specificity"] == pytest.approx(2 / 3)


def test_the_area_is_scikit_learn_s_with_ties() -> None:
    rng = np.random.default_rng(4)
    truth = rng.random(200) < 0.4
    scores = np.round(rng.random(200) + 0.3 * truth, 1)
    assert auroc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))
    assert auroc(scores, np.zeros(200, bool)) is None


def test_means_are_over_the_sets_that_have_a_figure() -> None:
    one, other = figures(), figures() | {"sensitivity": None, "kept": 1.0}
    found = means([one, other])
    assert found["sensitivity"] == one["sensitivity"]
    assert found["kept"] == pytest.approx((5 / 6 + 1) / 2)
    assert means([other])["sensitivity"] is None


def test_the_section_tells_each_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"web/tumor/{n}.png" for n in range(6)]
    names += [f"old-t1/notumor/{n // 2}-{n}.png" for n in range(4)]
    labels = np.array([4] * 6 + [2] * 4)
    logits = np.zeros((10, 4), np.float32)
    logits[:5, 0] = 6  # one tumor of six is missed
    logits[5:9, 2] = 6  # one healthy head of four is between
    logits[9, 2] = 0.5  # tumor at 0.65: neither found nor excluded
    seen = np.zeros((10, 512), np.float32)
    monkeypatch.setattr(section, "network_outputs", lambda *_: (logits, seen))
    monkeypatch.setattr(section, "RESAMPLED", 50)
    blank = np.zeros((10, 224, 224), np.uint8)
    held_out = Collections(
        blank[..., np.newaxis], labels, blank, np.ones(10, np.bool_), tuple(names), "0"
    )
    found = other_collections(SimpleNamespace(trust=TRUST), held_out)  # type: ignore[arg-type]
    assert (found["images"], found["people"]) == (10, 8)
    assert found["sets"]["web"]["sensitivity"] == pytest.approx(5 / 6)
    assert found["sets"]["web"]["missed_with_certainty"] == pytest.approx(1 / 6)
    assert found["sets"]["old-t1"]["answered"] == 0.75
    assert found["mean"]["balanced"] == pytest.approx((5 / 6 + 0.75) / 2)
    low, high = found["mean_95"]["sensitivity"]
    assert 0 < low < 5 / 6 < high <= 1
    assert found["finding"]["answered"] == 0.9
    web, old = sorted(found["styles"], key=lambda style: style["contrast"], reverse=True)
    assert (web["contrast"], web["images"], web["people"]) == ("mixed", 6, 6)
    assert (web["sensitivity"], web["specificity"]) == (pytest.approx(5 / 6), None)
    assert (old["contrast"], old["plane"], old["stripped"]) == ("T1", "axial", False)
    assert (old["people"], old["sensitivity"], old["specificity"]) == (2, None, 0.75)
    expected = {"images": 4, "people": 2, "sensitivity": None, "specificity": 0.75}
    any_picture = {"right": 79, "images": 10, "people": 8}  # of 5 / 6 and 3 / 4
    assert told_right({"other_collections": found}) == {"": any_picture}
    assert found["contrasts"] == {"t1": expected | {"balanced": 0.75}}  # "web" tells none
    assert json.loads(json.dumps(found)) == found


def test_it_needs_the_constants(exported: Path) -> None:
    classifier = Classifier.load(exported / "brain_tumor_cnn.tflite", calibrated=False)
    with pytest.raises(ValueError, match="must have been loaded with its constants"):
        other_collections(classifier, SimpleNamespace())  # type: ignore[arg-type]
