"""python -m model: the command line, its errors, and `classify`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from model.__main__ import main
from model.inference.classifier import Classifier
from model.preprocessing import load_image
from tests.model.command_line import error, run
from tests.model_helpers import smooth_images

pytest_plugins = ["tests.model_fixtures"]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    Image.fromarray(smooth_images(1, seed=3)[0, :, :, 0]).save(path)
    return path


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


def test_an_unknown_log_level_is_one_sentence(picture: Path) -> None:
    done = run("classify", picture, LOG_LEVEL="loud")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "error: Unknown level: 'LOUD'"
