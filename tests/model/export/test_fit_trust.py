"""`python -m model calibrate`: constants from training and validation images, and their report."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.dataset.collections import Collections
from data.dataset.image_set import ImageSet
from model.evaluation.trust_report import trust_sections
from model.export import fit_trust
from model.inference.classifier import Classifier
from model.predictors import network_outputs
from model.system import file_hash
from tests.model_helpers import TRUST, smooth_images

pytest_plugins = ["tests.model_fixtures"]


def images(n: int, seed: int) -> ImageSet:
    labels = np.arange(n, dtype=np.int64) % 4
    pixels = np.random.default_rng(seed).integers(0, 256, (n, 224, 224, 1), dtype=np.uint8)
    return ImageSet(pixels, labels, tuple(map(str, range(n))), "0" * 64)


class Stub:
    """Features are 512 fixed statistics of the image; the true class gets what `seed` draws."""

    path = Path("stub.tflite")

    def __init__(self, loudness: float = 3) -> None:
        self.loudness = loudness
        rng = np.random.default_rng(3)
        self.mixing = rng.standard_normal((64, 512)).astype(np.float32) / 8
        self.rng = rng
        self.calls = 0

    def outputs(self, image: Any) -> Any:
        label = self.calls % 4
        self.calls += 1
        scores = self.rng.standard_normal(4)
        scores[label] += 3
        cells = image.reshape(8, 28, 8, 28).mean(axis=(1, 3)).ravel()
        logits = (self.loudness * scores).astype(np.float32)
        return SimpleNamespace(logits=logits, features=cells @ self.mixing)


@pytest.fixture
def few_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_trust, "FITTED_PHANTOMS", 2)
    monkeypatch.setattr(fit_trust, "CHECKED_PHANTOMS", 5)
    monkeypatch.setattr(
        fit_trust, "make_phantoms", lambda per_class, seed: images(4 * per_class, seed)
    )


@pytest.mark.usefixtures("few_phantoms")
def test_constants_keep_validation_images_and_cover_each_class() -> None:
    stub = Stub()
    training, validation = images(120, 1), images(120, 2)
    trust, summary = fit_trust.fit_trust(stub, training, validation)  # type: ignore[arg-type]
    assert summary["images"] == {
        "training": 120, "validation": 120, "other_training": 0, "other_validation": 0,
        "phantoms_fitted": 8, "phantoms_checked": 20,
    }  # fmt: skip
    assert 1 < trust.temperature < 6
    assert 0.85 < trust.ceiling <= 1 - 1 / 62
    assert 0.8 <= trust.finding_threshold < 1
    assert 0 < trust.kind_threshold <= 0.15
    _, features = network_outputs(stub, validation.images)  # type: ignore[arg-type]
    assert (trust.scores(features) <= trust.ood_threshold).mean() >= 0.99
    assert trust.scores(features + 10).min() > trust.ood_threshold
    assert summary["ood_threshold"] == trust.ood_threshold
    assert json.dumps(summary)


@pytest.mark.usefixtures("few_phantoms")
def test_an_answer_is_never_made_surer_than_the_network() -> None:
    trust, _ = fit_trust.fit_trust(Stub(loudness=0.3), images(80, 1), images(80, 2))  # type: ignore[arg-type]
    assert trust.temperature == 1.0


def test_the_temperature_rises_until_few_tumors_are_missed_with_certainty() -> None:
    """One of ten tumors in one of two collections: 0.9 of a logit of 6 among zeros is at 1.82."""
    logits = np.zeros((30, 4))
    labels = np.repeat([0, 4, 2], 10)
    logits[:20, 0], logits[20:, 2] = 4.0, 9.0  # healthy heads may be certain
    logits[3] = 0, 0, 6, 0
    collections = np.repeat(["a", "b", "a"], 10)
    found = fit_trust.cautious_temperature(logits, labels, collections, 0.7)
    assert 6 / np.log(27) <= found < 1.03 * 6 / np.log(27)
    assert fit_trust.cautious_temperature(logits, labels, collections, 2.5) == 2.5
    assert fit_trust.cautious_temperature(logits[4:], labels[4:], collections[4:], 0.7) == 1.0
    logits[3, 2] = 1e6
    assert fit_trust.cautious_temperature(logits, labels, collections, 0.7) == 5.0


@pytest.mark.usefixtures("few_phantoms")
def test_people_of_other_collections_take_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the report do not: their part is never asked for."""
    asked: list[str] = []

    def part(name: str) -> Collections:
        asked.append(name)
        return collection(48 if name == "training" else 30, name)

    others = SimpleNamespace(part=part)
    stub = Stub()
    training, validation = images(80, 1), images(80, 2)
    trust, summary = fit_trust.fit_trust(stub, training, validation, others)  # type: ignore[arg-type]
    assert asked == ["training", "validation"]
    assert summary["images"]["other_training"] == 48
    assert summary["images"]["other_validation"] == 30
    assert summary["other_people_validation"] == 15
    alone, _ = fit_trust.fit_trust(Stub(), training, validation)  # type: ignore[arg-type]
    assert not np.array_equal(trust.mean, alone.mean)
    assert trust.temperature != alone.temperature
    assert summary["temperature"] == trust.temperature


def test_a_large_group_does_not_drown_a_small_one() -> None:
    held = [images(200, 1), collection(30, "validation")]
    weights = fit_trust.even_weights(held)
    tumor = held[0].labels != 2
    assert weights[:200][tumor] == pytest.approx(50 / 150)  # tumors of the dataset
    assert weights[:200][~tumor] == pytest.approx(1)
    assert weights[200:] == pytest.approx(1)


def collection(n: int, name: str) -> Collections:
    """Half tumors of unknown kind, half healthy, two images of each person."""
    labels = np.repeat([4, 2], n // 2).astype(np.int64)
    kinds = {4: "tumor", 2: "notumor"}
    names = tuple(f"web/{kinds[label]}/{row // 2}-{row}.png" for row, label in enumerate(labels))
    found = images(n, len(name))
    masks = np.zeros((n, 224, 224), np.uint8)
    return Collections(found.images, labels, masks, np.ones(n, np.bool_), names, "0")


def test_writing_names_the_file_and_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text(json.dumps({"name": "x", "files": {"a": 1}}))
    fit_trust.write_trust(TRUST, {"temperature": 1.0}, tmp_path)
    metadata = json.loads((tmp_path / "metadata.json").read_text())
    assert metadata["name"] == "x"
    assert metadata["trust"] == {"temperature": 1.0}
    assert metadata["files"]["a"] == 1
    assert metadata["files"]["trust.npz"]["sha256"] == file_hash(tmp_path / "trust.npz")


def test_the_report_has_its_sections(exported: Path) -> None:
    classifier = Classifier.load(exported / "brain_tumor_cnn.tflite")
    labels = np.arange(8, dtype=np.int64) % 4
    small = ImageSet(smooth_images(8, seed=1), labels, tuple("abcdefgh"), "0")
    report = trust_sections(classifier, {"test": small, "train": small})
    assert set(report) == {"calibration", "finding", "kinds", "ood"}
    for section in report.values():
        assert set(section["sets"]) == {"test"}
    assert report["ood"]["sets"]["test"] == {"images": 8, "kept": 1.0}
    assert 0 <= report["finding"]["sets"]["test"]["answered"] <= 1
    assert report["kinds"]["threshold"] == TRUST.kind_threshold
    assert report["calibration"]["sets"]["test"]["after"]["images"] == 8
    assert json.dumps(report)


def test_a_report_needs_the_constants(exported: Path) -> None:
    classifier = Classifier.load(exported / "brain_tumor_cnn.tflite", calibrated=False)
    with pytest.raises(ValueError, match="must have been loaded with its constants"):
        trust_sections(classifier, {})
