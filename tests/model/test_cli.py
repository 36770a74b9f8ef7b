from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.dataset.division import COLUMNS, load_manifest
from data.dataset.image_set import to_float
from data.dataset.image_store import StoredImages
from data.dataset.outline_files import Outline, save_outlines
from data.dataset.protocols import load_parts
from model.__main__ import main
from model.config import CLASS_NAMES, TrainingConfig
from model.inference.classifier import Classifier
from model.preprocessing import load_image
from model.training.train import TrainingResult
from tests.model_helpers import smooth_images

pytest_plugins = ["tests.model_fixtures"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    Image.fromarray(smooth_images(1, seed=3)[0, :, :, 0]).save(path)
    return path


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Standard error of a command that must fail with one line and print nothing."""
    assert main([str(argument) for argument in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    return line


def test_classify_prints_a_json_line_for_each_image(picture: Path, exported: Path) -> None:
    model = exported / "brain_tumor_cnn.tflite"
    done = run("classify", "--model", model, picture, picture)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2
    expected = Classifier.load(model).predict(load_image(picture))
    for line in lines:
        assert set(line) == {
            "path", "sha256", "plane", "slice", "verdict", "finding", "likelihood",
            "tumor_probability", "kind", "label", "confidence", "probabilities",
            "milliseconds", "prediction_set", "abstained", "reason", "in_distribution",
            "ood_score", "ood_threshold", "error", "model_sha256",
        }  # fmt: skip
        assert line["path"] == str(picture)
        assert line["label"] == expected.label
        assert line["confidence"] == pytest.approx(expected.confidence, abs=1e-6)
        assert line["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_an_image_that_cannot_be_read_is_a_line_and_with_strict_exit_1(
    exported: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("not an image")
    done = run("classify", "--strict", "--model", exported / "brain_tumor_cnn.tflite", broken)
    assert done.returncode == 1
    (line,) = map(json.loads, done.stdout.splitlines())
    assert line["error"].startswith("`file` must be one of JPEG, PNG")
    assert done.stderr.splitlines()[-1] == "error: 1 rows have an error, and --strict was given"
    assert "Traceback" not in done.stderr


def test_a_missing_model_is_an_error(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error(capsys, "classify", "--model", tmp_path / "none.tflite", picture)
    assert "metadata.json could not be read (No such file or directory)" in line


def test_a_missing_image_is_an_error(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = exported / "brain_tumor_cnn.tflite"
    line = error(capsys, "classify", "--model", model, tmp_path / "none.png")
    assert "none.png" in line


def test_debug_shows_the_traceback(picture: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"metadata\.json"):
        main(["--debug", "classify", "--model", str(tmp_path / "none.tflite"), str(picture)])


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    for command in ("train", "score", "export", "calibrate", "evaluate", "classify"):
        assert re.search(rf"^    {command}\s", printed, re.MULTILINE)


@pytest.mark.parametrize("arguments", [[], ["paint"], ["classify"], ["train", "--data", "x"]])
def test_a_wrong_command_line_exits_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m model" in capsys.readouterr().err


def test_a_wrong_setting_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("train", "--data", tmp_path, "--out", tmp_path / "run", "--epochs", "0")
    assert error(capsys, *command) == "error: `epochs` must be at least 1. Received: 0"
    assert not (tmp_path / "run").exists()


def test_training_without_data_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", "--data", tmp_path / "none", "--out", tmp_path / "run")
    assert f"Received: {tmp_path / 'none'}" in error(capsys, *command)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two Training images and a Testing image of each class, and their `splits.csv`."""
    pictures = iter(smooth_images(12, seed=4))
    lines = [",".join(COLUMNS)]
    for label in CLASS_NAMES:
        for number, (split, role) in enumerate(
            (("Training", "train"), ("Training", "validation"), ("Testing", "test"))
        ):
            path = tmp_path / split / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(next(pictures)[:, :, 0]).save(path)
            name = path.relative_to(tmp_path).as_posix()
            lines.append(f"{name},{len(lines)},,,,,{role},{role},{number}")
    (tmp_path / "splits.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `train` was called with; it pretends to have finished at once."""
    called: dict[str, Any] = {}

    def train(config: Any, training: Any, validation: Any, out: Path, **others: Any) -> Any:
        called.update(config=config, training=training, validation=validation, out=out, **others)
        accuracy = float("nan") if validation is None else 0.875
        return TrainingResult(None, [{"val_accuracy": 0.1}, {"val_accuracy": accuracy}], out, {})

    monkeypatch.setattr("model.training.train.train", train)
    return called


def train_on(dataset: Path, *more: str | Path) -> list[str]:
    command = ("train", "--data", dataset, "--out", dataset / "run")
    return [*map(str, command), "--splits", str(dataset / "splits.csv"), *map(str, more)]


def test_train_uses_the_official_protocol_and_no_outlines_unless_told(
    dataset: Path, trained: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(train_on(dataset)) == 0
    assert trained["config"] == TrainingConfig()
    assert trained["training"].names == tuple(f"{label}/0.png" for label in CLASS_NAMES)
    assert trained["validation"].names == tuple(f"{label}/1.png" for label in CLASS_NAMES)
    assert trained["out"] == dataset / "run"
    assert trained["protocol"] == "official"
    assert trained["outlines"] is None
    assert capsys.readouterr().out == (
        f"{dataset / 'run' / 'model.keras'}: validation accuracy 0.8750; next: "
        f"python -m model export --run {dataset / 'run'} --data {dataset} "
        f"--splits {dataset / 'splits.csv'}\n"
    )


def test_train_takes_protocol_outlines_and_settings(
    dataset: Path, trained: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = dataset / "outlines.json"
    points = np.array([[1, 2], [9, 2], [9, 8]], np.float32)
    save_outlines({"glioma/0.png": Outline(1, False, points)}, path)
    settings = ("--epochs", "3", "--seed", "5", "--precision", "float32")
    assert main(train_on(dataset, "--protocol", "fold-1", "--outlines", path, *settings)) == 0
    assert trained["config"] == TrainingConfig(epochs=3, seed=5, precision="float32")
    assert trained["protocol"] == "fold-1"
    assert trained["training"].names == tuple(
        f"{label}/{number}.png" for number in (0, 2) for label in CLASS_NAMES
    )
    assert trained["validation"] is None
    assert trained["outlines"].keys() == {"glioma/0.png"}
    np.testing.assert_array_equal(trained["outlines"]["glioma/0.png"].outline, points)
    assert "model.keras: no validation images; next: " in capsys.readouterr().out


def test_train_takes_devices_workers_a_cache_and_several_datasets(
    dataset: Path, trained: dict[str, Any], tmp_path: Path
) -> None:
    assert main(train_on(dataset)) == 0
    assert (trained["devices"], trained["workers"]) == (1, 0)
    assert main(train_on(dataset, "--devices", "all", "--workers", "3")) == 0
    assert (trained["devices"], trained["workers"]) == ("all", 3)
    cache = tmp_path / "images"
    assert main(train_on(dataset, "--devices", "2", "--cache", cache)) == 0
    assert trained["devices"] == 2
    assert isinstance(trained["training"].images, StoredImages)
    assert trained["training"].images.path.is_relative_to(cache)
    other = tmp_path / "other"
    for split in ("Training", "Testing"):
        shutil.copytree(dataset / split, other / split)
    lines = (dataset / "splits.csv").read_text().splitlines()
    both = [re.sub(r"/(\d\.png)", rf"/{root.name}/\1", line) for root in (dataset, other)
            for line in lines[1:]]  # fmt: skip
    (dataset / "splits.csv").write_text("\n".join([lines[0], *both]) + "\n")
    command = train_on(dataset)
    command.insert(command.index("--data") + 2, str(other))
    assert main(command) == 0
    assert trained["training"].names == tuple(
        f"{label}/{root.name}/0.png" for root in (dataset, other) for label in CLASS_NAMES
    )


def test_train_takes_other_collections(dataset: Path, trained: dict[str, Any]) -> None:
    assert main(train_on(dataset)) == 0
    assert trained["collections"] is None
    other, own = dataset / "other", dataset / "own"
    for folder, label in ((other / "web", "tumor"), (own, "notumor")):
        (folder / label).mkdir(parents=True)
        Image.fromarray(smooth_images(1, seed=6)[0, :, :, 0]).save(folder / label / "7.png")
    assert main(train_on(dataset, "--also", other, own)) == 0
    assert trained["collections"].names == ("web/tumor/7.png", "own/notumor/7.png")


def test_a_folder_that_is_no_collection_is_an_error(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (dataset / "empty").mkdir()
    line = error(capsys, *train_on(dataset, "--also", dataset / "empty"))
    assert "must hold a folder named glioma, meningioma, notumor, pituitary or tumor" in line
    assert not (dataset / "run").exists()


def test_an_unknown_protocol_exits_with_2(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(train_on(dataset, "--protocol", "fold-5"))
    assert stopped.value.code == 2
    assert "invalid choice: 'fold-5'" in capsys.readouterr().err


def test_images_that_the_committed_division_does_not_name_are_an_error(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error(capsys, "train", "--data", dataset, "--out", dataset / "run")
    assert "Received: 8 that are not, the first Training/glioma/0.png" in line
    assert not (dataset / "run").exists()


def test_missing_splits_and_missing_or_faulty_outlines_are_errors(
    dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = dataset / "none"
    line = error(capsys, *train_on(dataset, "--splits", none))
    assert f"The manifest {none} could not be read" in line
    assert str(none) in error(capsys, *train_on(dataset, "--outlines", none))
    none.write_text("{}")
    line = error(capsys, *train_on(dataset, "--outlines", none))
    assert f"{none} must be a JSON object with at least one entry" in line
    assert not (dataset / "run").exists()


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


@pytest.mark.slow
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


def test_an_unknown_log_level_is_one_sentence(picture: Path) -> None:
    done = run("classify", picture, LOG_LEVEL="loud")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: Unknown level: 'LOUD'"
