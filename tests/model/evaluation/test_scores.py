from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from data.dataset import protocols
from data.dataset.image_set import ImageSet
from data.dataset.protocols import Parts
from model.config import CLASS_NAMES
from model.evaluation import report, scores
from model.evaluation.scores import read_scores, score_run, summarise, write_score
from model.inference.temperature import log_probabilities, soften
from model.metrics.accuracy import evaluate
from model.metrics.calibration import (
    brier_score,
    calibration_error,
    calibration_figures,
    fit_temperature,
)
from model.predictors import keras_predictor
from model.reports.scores import is_earlier
from tests.model_helpers import smooth_images


def image_set(n: int, seed: int, prefix: str) -> ImageSet:
    labels = np.arange(n) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{prefix}-{i}" for i, label in enumerate(labels))
    return ImageSet(smooth_images(n, seed), labels, names, f"hash of {prefix}")


PARTS = Parts(image_set(8, 1, "Tr"), image_set(4, 2, "Va"), image_set(12, 3, "Te"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run whose network says pituitary of bright images, glioma of dark ones."""
    inputs = keras.Input((224, 224, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    outputs = keras.layers.Dense(4, activation="softmax")(mean)
    model = keras.Model(inputs, outputs)
    model.layers[-1].set_weights([np.array([[-20.0, 0, 0, 20.0]]), np.array([10.0, 0, 0, -10.0])])
    model.save(tmp_path / "model.keras")
    record: dict[str, Any] = {
        "config": {"seed": 7, "epochs": 2}, "machine": "a machine",
        "precision": "float32",
        "data": {
            "protocol": "official", "sha256": "hash of Tr", "training": 8, "outlined": 3,
            "validation": 4, "collections": {"sha256": "c", "images": {"a": 30, "b": 12}},
        },
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(record))
    (tmp_path / "history.csv").write_text("epoch,seconds\n1,60\n2,30\n")
    monkeypatch.setattr(protocols, "load_parts", lambda *_, **__: PARTS)
    unseen = {f"Testing/{name}" for name in PARTS.test.names[4:]}
    monkeypatch.setattr(
        "data.dataset.division.load_manifest",
        lambda _: type("M", (), {"unseen": lambda self: unseen})(),
    )
    return tmp_path


def test_a_score_counts_every_part_of_the_official_split(run: Path) -> None:
    score = score_run(run, Path("data"))
    fields = ("protocol", "leaked", "seed", "recipe", "epochs", "minutes", "collections")
    assert {k: score[k] for k in fields} == {
        "protocol": "official", "leaked": True, "seed": 7, "recipe": "one run", "epochs": 2,
        "minutes": 1.5, "collections": 42,
    }  # fmt: skip
    images = {name: score[name]["images"] for name in ("validation", "test", "test_unseen")}
    assert images == {"validation": 4, "test": 12, "test_unseen": 8}
    assert score["test_with_copy_in_training"]["images"] == 4
    bright = PARTS.test.images.mean(axis=(1, 2, 3)) > 127.5
    expected = np.where(bright, 3, 0)
    assert score["test"]["correct"] == (expected == PARTS.test.labels).sum()


def test_a_score_tells_the_calibration_on_the_test_images(run: Path) -> None:
    score = score_run(run, Path("data"))
    probabilities = keras_predictor(run / "model.keras")
    answers = {name: probabilities(getattr(PARTS, name).images) for name in ("validation", "test")}
    temperature = fit_temperature(log_probabilities(answers["validation"]), PARTS.validation.labels)
    assert score["temperature"] == pytest.approx(temperature)
    assert abs(temperature - 1) > 0.05  # so that before and after are told apart
    found = score["test"]["calibration"]
    softened = soften(answers["test"], temperature)
    assert found["before"]["ece"] == pytest.approx(
        calibration_error(answers["test"], PARTS.test.labels)
    )
    assert found["after"]["ece"] == pytest.approx(calibration_error(softened, PARTS.test.labels))
    assert found["after"]["brier"] == pytest.approx(brier_score(softened, PARTS.test.labels))
    losses = [score["validation"]["calibration"][k]["log_loss"] for k in ("before", "after")]
    assert losses[1] < losses[0]
    assert score["test_unseen"]["calibration"]["after"]["images"] == 8


def test_a_run_without_validation_images_has_no_temperature(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((run / "run.json").read_text())
    record["data"]["protocol"] = "fold-0"
    (run / "run.json").write_text(json.dumps(record))
    fold = Parts(PARTS.training, None, PARTS.test)
    monkeypatch.setattr(protocols, "load_parts", lambda *_, **__: fold)
    score = score_run(run, Path("data"))
    assert score["temperature"] is None
    assert list(score["test"]["calibration"]) == ["before"]


def test_a_run_on_other_images_is_not_scored(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["data"]["sha256"] = "another hash"
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"must be those that .* was trained on. Received: .*hash"):
        score_run(run, Path("data"))


def test_an_unfinished_run_is_not_scored(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"folder of a finished run. Received: .*no model.keras"):
        score_run(tmp_path, Path("data"))


def made_up(protocol: str, seed: int, right: int, recipe: str = "one run") -> dict[str, Any]:
    """A score of 20 images, the first `right` of which are right."""
    labels = np.arange(20) % 4
    predicted = np.where(np.arange(20) < right, labels, (labels + 1) % 4)
    return {
        "protocol": protocol, "seed": seed, "recipe": recipe,
        "test": evaluate(np.eye(4)[predicted], labels, CLASS_NAMES),
    }  # fmt: skip


def test_scores_are_written_and_read_back(tmp_path: Path) -> None:
    score = made_up("clean", 3, 15)
    assert write_score(score, tmp_path / "runs").name == "clean-seed-3.json"
    assert read_scores(tmp_path / "runs") == [score]
    assert read_scores(tmp_path / "nowhere") == []


def test_seeds_are_averaged_and_folds_pooled() -> None:
    found = summarise(
        [made_up("clean", 1, 18), made_up("clean", 2, 20), made_up("official", 1, 19)]
        + [made_up(f"fold-{k}", 1, 16 + k) for k in range(3)]
    )
    assert list(found) == ["official", "clean", "grouped"]
    assert found["official"]["leaked"]
    assert found["official"]["accuracy"] == pytest.approx(0.95)
    assert found["official"]["accuracy_sd"] is None
    assert not found["clean"]["leaked"]
    assert found["clean"]["accuracy"] == pytest.approx(0.95)
    assert found["clean"]["accuracy_sd"] == pytest.approx(np.std([0.9, 1.0], ddof=1))
    grouped = found["grouped"]
    assert (grouped["folds_wanted"], len(grouped["runs"])) == (5, 3)
    assert grouped["pooled"]["images"] == 60
    assert grouped["pooled"]["correct"] == 16 + 17 + 18
    assert grouped["accuracy"] == pytest.approx(0.85)
    assert summarise([]) == {}


def test_folds_are_calibrated_together_where_each_is() -> None:
    rng = np.random.default_rng(5)
    answers = [rng.dirichlet([0.4] * 4, 30) for _ in range(2)]
    labels = np.arange(30) % 4
    folds = []
    for k, answer in enumerate(answers):
        fold = made_up(f"fold-{k}", 1, 10)
        fold["test"] = evaluate(answer, labels, CLASS_NAMES)
        fold["test"]["calibration"] = {"before": calibration_figures(answer, labels)}
        folds.append(fold)
    found = summarise(folds)["grouped"]["pooled"]["calibration"]
    together, both = np.concatenate(answers), np.concatenate([labels, labels])
    assert found["images"] == 60
    assert found["ece"] == pytest.approx(calibration_error(together, both))
    assert found["brier"] == pytest.approx(brier_score(together, both))
    del folds[1]["test"]["calibration"]
    assert "calibration" not in summarise(folds)["grouped"]["pooled"]


def test_networks_of_two_recipes_are_not_averaged() -> None:
    """Those of the present one alone count, and an earlier one's where there is no other."""
    earlier = [made_up("clean", 2, 10, "first release"), made_up("fold-0", 1, 8, "first release")]
    found = summarise([made_up("clean", 1, 18), *earlier])
    assert list(found) == ["clean", "grouped"]
    assert found["clean"]["accuracy"] == 0.9
    assert [run["recipe"] for run in found["clean"]["runs"]] == ["one run"]
    assert not is_earlier(found["clean"]["runs"][0])
    assert found["grouped"]["accuracy"] == 0.4
    assert is_earlier(found["grouped"]["runs"][0])


def test_the_committed_scores_are_of_the_present_protocols() -> None:
    for score in read_scores():
        assert score["recipe"] in (scores.RECIPE, "first release")
        assert score["leaked"] == (score["protocol"] in scores.LEAKED)
        for part in ("test", "validation"):
            if part in score:
                matrix = np.array(score[part]["confusion"])
                assert matrix.sum() == score[part]["images"]
                assert np.trace(matrix) == score[part]["correct"]
    assert report.RUN_REPORTS == scores.RUN_REPORTS


def test_an_evaluation_takes_over_new_scores_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RUN_REPORTS", tmp_path / "runs")
    write_score(made_up("clean", 1, 18), tmp_path / "runs")
    metadata = {"files": {"a.tflite": {"sha256": "12ab", "bytes": 3}}}
    evaluated = {
        "model": {"files": {"a.tflite": "12ab"}}, "files": {"litert": 1}, "protocols": {"old": 1},
    }  # fmt: skip
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluated))
    found = report.with_new_scores(tmp_path)
    assert found["protocols"]["clean"]["accuracy"] == pytest.approx(0.9)
    assert found == evaluated | {"protocols": found["protocols"]}
    evaluated["model"] = {"files": {"a.tflite": "34cd"}}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluated))
    with pytest.raises(ValueError, match=r"evaluation.json, which is of others"):
        report.with_new_scores(tmp_path)
