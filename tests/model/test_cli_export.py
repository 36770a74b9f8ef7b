"""python -m model export: which runs can be exported, and which images int8 is calibrated on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset.division import load_manifest
from data.dataset.image_set import to_float
from data.dataset.protocols import load_parts
from model.__main__ import main
from model.inference.classifier import Classifier
from tests.model.command_line import error
from tests.model_helpers import smooth_images

pytest_plugins = ["tests.model_fixtures"]


def test_exporting_an_unfinished_run_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error(capsys, "export", "--run", tmp_path, "--out", tmp_path / "out")
    assert line == (
        f"error: `--run` must be the folder of a finished run. Received: {tmp_path}, "
        "which has no model.keras"
    )


def test_exporting_int8_without_data_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.keras").touch()
    (tmp_path / "run.json").write_text("{}")
    command = ("export", "--run", tmp_path, "--out", tmp_path / "out", "--quantization", "int8")
    line = error(capsys, *command)
    assert "`--data` must be the dataset folder for --quantization int8" in line


def test_exporting_int8_of_a_fold_is_an_error(
    dataset: Path, network: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network.save(dataset / "model.keras")
    (dataset / "run.json").write_text('{"data": {"protocol": "fold-1"}}')
    command = ("export", "--run", dataset, "--out", tmp_path / "out", "--data", dataset)
    line = error(capsys, *command, "--splits", dataset / "splits.csv")
    assert "a protocol with validation images for --quantization int8" in line
    assert f"Received: {dataset}, under fold-1" in line


@pytest.fixture
def converted(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the session's file for the network: a conversion takes seconds, and is tested alone."""
    content = (exported / "brain_tumor_cnn.tflite").read_bytes()
    monkeypatch.setattr("model.export.export.convert", lambda *_: content)


@pytest.mark.slow
@pytest.mark.usefixtures("converted")
def test_int8_is_calibrated_on_training_images_as_validation_images_have_it(
    dataset: Path, network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def choose(model: Any, training: Any, judges: Any, **others: Any) -> Any:
        asked.update(training=training, judges=judges, **others)
        return to_float(training[:3]), []

    monkeypatch.setattr("model.export.int8.choose_calibration", choose)
    network.save(dataset / "model.keras")
    (dataset / "run.json").write_text('{"data": {"protocol": "official"}}')
    (dataset / "history.csv").touch()
    out = tmp_path / "out"
    command = ("export", "--run", dataset, "--out", out, "--data", dataset)
    assert main([*map(str, command), "--splits", str(dataset / "splits.csv")]) == 0
    parts = load_parts(dataset, load_manifest(dataset / "splits.csv"), "official")
    np.testing.assert_array_equal(asked["training"], parts.training.images)
    assert parts.validation is not None
    np.testing.assert_array_equal(asked["judges"], parts.validation.images)
    assert json.loads((out / "metadata.json").read_text())["calibration_images"] == 3


@pytest.mark.slow
@pytest.mark.usefixtures("converted")
def test_export_writes_the_files_of_a_run(
    network: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished, out = tmp_path / "run", tmp_path / "out"
    finished.mkdir()
    network.save(finished / "model.keras")  # type: ignore[attr-defined]
    (finished / "run.json").write_text('{"config": {"epochs": 3}}')
    (finished / "history.csv").write_text("epoch\n1\n")
    command = ["export", "--run", str(finished), "--out", str(out), "--quantization", "none"]
    assert main(command) == 0
    printed = json.loads(capsys.readouterr().out)
    metadata = json.loads((out / "metadata.json").read_text())
    assert printed == metadata["files"]
    assert metadata["training"] == {"config": {"epochs": 3}}
    assert metadata["outputs"] == "logits"
    assert (out / "history.csv").read_text() == "epoch\n1\n"
    image = to_float(smooth_images(1, seed=3)[0])
    classifier = Classifier.load(out / "brain_tumor_cnn.tflite", calibrated=False)
    assert classifier.probabilities(image)[0].max() > 0.25
