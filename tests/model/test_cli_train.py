"""python -m model train: what reaches the training, and what is refused before it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data.dataset.image_store import StoredImages
from data.dataset.outline_files import Outline, save_outlines
from model.__main__ import main
from model.config import CLASS_NAMES, TrainingConfig
from model.training.train import TrainingResult
from tests.model.command_line import error
from tests.model_helpers import smooth_images

pytest_plugins = ["tests.model_fixtures"]


def test_training_without_data_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", "--data", tmp_path / "none", "--out", tmp_path / "run")
    assert f"Received: {tmp_path / 'none'}" in error(capsys, *command)


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
        f"{dataset / 'run' / 'model.keras'}: validation accuracy of the last epoch 0.8750; next: "
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
