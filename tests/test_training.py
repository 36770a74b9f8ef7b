from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from data.outline_files import Outline
from model import training
from model.config import CLASS_NAMES, ArchitectureConfig, StageConfig, TrainingConfig
from model.dataset import ImageSet
from model.training import (
    HISTORY_FIELDS,
    RunError,
    choose_precision,
    learning_rate_schedule,
    read_history,
    train,
)
from tests.model_helpers import smooth_images

CONFIG = TrainingConfig(
    stages=(StageConfig(224, 2, 2e-3),),
    batch_size=4,
    phantom_share=0.0,
    seed=3,
    precision="float32",
    architecture=ArchitectureConfig(
        filters=(4, 4, 4, 4), strides=(2, 2, 2, 1), pools=(2, 1, 2, 4), hidden=(8, 6)
    ),
)


@pytest.fixture(scope="module")
def images() -> ImageSet:
    labels = np.arange(16) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{i}.png" for i, label in enumerate(labels))
    return ImageSet(smooth_images(16, seed=1), labels, names, "a-hash")


@pytest.fixture(scope="module")
def outlines(images: ImageSet) -> dict[str, Outline]:
    square = np.array([[60, 60], [100, 60], [100, 110], [60, 110]], np.float32)
    return {n: Outline(1, False, square) for n in images.names if not n.startswith("notumor")}


@pytest.fixture(scope="module")
def finished(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two epochs; tests must not write to it."""
    folder = tmp_path_factory.mktemp("run") / "two"
    train(CONFIG, *halves(images), folder)
    return folder


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Eight images to train on and eight for validation."""
    return images.take(np.arange(8)), images.take(np.arange(8, 16))


def figures(path: Path) -> list[dict[str, float]]:
    """The history without its times."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read_history(path)]


def assert_same_run(one: Path, other: Path, images: ImageSet) -> None:
    left, right = figures(one / "history.csv"), figures(other / "history.csv")
    assert [row["epoch"] for row in left] == [row["epoch"] for row in right] == [1, 2]
    for old, new in zip(left, right, strict=True):
        assert new == pytest.approx(old, rel=1e-3, abs=1e-4)
    batch = images.images[:4].astype(np.float32) / 255
    outputs = [
        np.asarray(keras.models.load_model(folder / "model.keras")(batch))
        for folder in (one, other)
    ]
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-3)


def test_a_run_writes_what_it_promises(finished: Path, images: ImageSet) -> None:
    files = {path.name for path in finished.iterdir()}
    assert files == {"run.json", "history.csv", "last.keras", "model.keras"}
    with (finished / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [tuple(row) for row in rows] == [HISTORY_FIELDS] * 2
    assert [row["epoch"] for row in rows] == ["1.0", "2.0"]
    for row in read_history(finished / "history.csv"):
        assert 0 < row["loss"] < 20
        assert 0 < row["val_loss"] < 20
        assert row["val_accuracy"] * 8 == pytest.approx(round(row["val_accuracy"] * 8), abs=1e-4)
    run = json.loads((finished / "run.json").read_text())
    assert run["config"] == json.loads(json.dumps(CONFIG.as_dict()))
    assert run["data"] == {
        "protocol": "official", "sha256": halves(images)[0].sha256,
        "classes": dict.fromkeys(CLASS_NAMES, 2), "training": 8, "outlined": 0, "validation": 8,
    }  # fmt: skip
    assert run["precision"] == "float32"
    assert run["versions"]["keras"] == keras.__version__


def test_the_finished_network_is_the_last_one_folded(finished: Path, images: ImageSet) -> None:
    batch = images.images.astype(np.float32) / 255
    last = keras.models.load_model(finished / "last.keras")
    model = keras.models.load_model(finished / "model.keras")
    kinds = {type(layer) for layer in model.layers}
    assert not kinds & {keras.layers.BatchNormalization, keras.layers.Dropout}
    np.testing.assert_allclose(
        np.asarray(model(batch)),
        np.asarray(last(batch, training=False)["probabilities"]),
        atol=1e-5,
    )


def test_the_weights_learn(finished: Path, images: ImageSet) -> None:
    keras.utils.set_random_seed(CONFIG.seed)
    fresh = (
        training.build_cnn(CONFIG.architecture, lesion_head=True)
        .get_layer("conv1")
        .get_weights()[0]
    )
    last = keras.models.load_model(finished / "last.keras").get_layer("conv1").get_weights()[0]
    assert 1e-5 < np.abs(last - fresh).mean() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("stopped_in", ["_write_history", "_save last"])
def test_a_killed_run_goes_on_where_it_was(
    stopped_in: str,
    finished: Path,
    images: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed at one of the two writes of the second epoch."""
    save, write = training._save, training._write_history

    def dying_save(model: Any, path: Path) -> None:
        if int(model.optimizer.iterations) > 2 and stopped_in == f"_save {path.stem}":
            raise KeyboardInterrupt
        save(model, path)

    def dying_write(path: Path, history: list[dict[str, float]]) -> None:
        if len(history) == 2 and stopped_in == "_write_history":
            raise KeyboardInterrupt
        write(path, history)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_save", dying_save)
        patch.setattr(training, "_write_history", dying_write)
        with pytest.raises(KeyboardInterrupt):
            train(CONFIG, *halves(images), tmp_path)
    assert not (tmp_path / "model.keras").exists()
    result = train(CONFIG, *halves(images), tmp_path)
    assert len(result.history) == 2
    assert_same_run(finished, tmp_path, images)


def test_a_finished_run_is_returned_without_training(
    finished: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    monkeypatch.setattr(training, "_Run", None)  # calling it would raise
    monkeypatch.setattr(training, "describe_machine", lambda: "another machine")
    result = train(CONFIG, *halves(images), finished)
    assert result.folder == finished
    assert result.history == read_history(finished / "history.csv")
    assert result.run == json.loads(before["run.json"])
    assert result.run["machine"] != "another machine"
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_a_folder_with_other_settings_is_refused(finished: Path, images: ImageSet) -> None:
    other = replace(CONFIG, seed=5, augmentation=replace(CONFIG.augmentation, rotation_range=45.0))
    with pytest.raises(RunError) as caught:
        train(other, *halves(images), finished)
    assert str(caught.value) == (
        f"`out` must be a new folder or one with the same config. Received: {finished}, where "
        "config.augmentation.rotation_range is 18.0, not 45.0; config.seed is 3, not 5"
    )


def test_a_folder_with_other_data_is_refused(finished: Path, images: ImageSet) -> None:
    training_part, validation = halves(images)
    with pytest.raises(RunError, match=r"same data\..*data.sha256 is \w+, not b-hash$"):
        train(CONFIG, replace(training_part, sha256="b-hash"), validation, finished)


def test_a_run_without_validation_images_has_no_figures_for_them(
    images: ImageSet, tmp_path: Path
) -> None:
    config = replace(CONFIG, stages=(StageConfig(224, 1, 1e-3),))
    (row,) = train(config, images.take(np.arange(8)), None, tmp_path).history
    assert np.isnan(row["val_loss"])
    assert np.isnan(row["val_accuracy"])
    assert 0 < row["loss"] < 20


def test_without_outlines_it_says_what_is_lost(
    images: ImageSet,
    outlines: dict[str, Outline],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = replace(CONFIG, stages=(StageConfig(224, 1, 1e-3),))
    train(config, images.take(np.arange(4)), None, tmp_path / "without")
    assert "no tumour outlines: training without counterfactuals" in caplog.text
    caplog.clear()
    result = train(config, images.take(np.arange(4)), None, tmp_path / "with", outlines=outlines)
    assert "outlines" not in caplog.text
    assert result.run["data"]["outlined"] == 3


@pytest.mark.slow
def test_a_stage_goes_on_with_the_weights_of_the_one_before(
    images: ImageSet, tmp_path: Path
) -> None:
    """Killed after the first stage, and with a learning rate of nearly 0 in the second."""
    stages = (StageConfig(112, 1, 1e-3), StageConfig(224, 1, 1e-9))
    config = replace(CONFIG, stages=stages)
    seen = []

    class Stop(Exception):
        pass

    save = training._save

    def stopping(model: Any, path: Path) -> None:
        save(model, path)
        seen.append(model)
        if len(seen) == 1:
            raise Stop

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_save", stopping)
        with pytest.raises(Stop):
            train(config, images.take(np.arange(8)), None, tmp_path)
        result = train(config, images.take(np.arange(8)), None, tmp_path)
    assert [row["image_size"] for row in result.history] == [112, 224]
    small, large = seen
    for one, other in zip(small.trainable_weights, large.trainable_weights, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-5)


def test_training_in_bfloat16_leaves_the_session_in_float32(
    images: ImageSet, tmp_path: Path
) -> None:
    config = replace(CONFIG, stages=(StageConfig(224, 1, 1e-3),), precision="mixed_bfloat16")
    result = train(config, *halves(images), tmp_path)
    assert keras.config.dtype_policy().name == "float32"
    last = keras.models.load_model(tmp_path / "last.keras")
    assert last.get_layer("conv2").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in result.model.layers} == {"float32"}


# settings


@pytest.mark.parametrize(
    ("requested", "flags", "expected"),
    [
        ("auto", "flags : fpu avx512f amx_bf16 amx_tile", "mixed_bfloat16"),
        ("auto", "flags : fpu avx512f avx512_bf16", "mixed_bfloat16"),
        ("auto", "flags : fpu avx512f", "float32"),
        ("auto", "", "float32"),
        ("float32", "flags : amx_bf16", "float32"),
        ("mixed_bfloat16", "flags : fpu", "mixed_bfloat16"),
    ],
)
def test_choose_precision(
    requested: str, flags: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"])
    assert choose_precision(requested, flags) == expected


def test_a_gpu_trains_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0", "gpu:0"])
    assert choose_precision("auto", "flags : fpu") == "mixed_bfloat16"


def test_the_learning_rate_warms_up_and_falls_to_a_two_hundredth() -> None:
    schedule = learning_rate_schedule(StageConfig(224, 11, 2e-3), 100)
    rate = {step: float(schedule(step)) for step in (0, 25, 50, 575, 1100, 5000)}
    assert rate[0] == pytest.approx(1e-4)
    assert rate[25] == pytest.approx((1e-4 + 2e-3) / 2)
    assert rate[50] == pytest.approx(2e-3)
    assert rate[575] == pytest.approx((2e-3 + 1e-5) / 2)  # half way down the cosine
    assert rate[1100] == rate[5000] == pytest.approx(1e-5)


def test_the_stage_of_an_epoch() -> None:
    first, second = stages = (StageConfig(112, 2, 1e-3), StageConfig(224, 1, 1e-3))
    config = TrainingConfig(stages=stages)
    assert config.epochs == 3
    assert [config.stage_of(epoch) for epoch in range(3)] == [first, first, second]
    for epoch in (-1, 3):
        with pytest.raises(ValueError, match=re.escape(f"in 0..2. Received: {epoch}")):
            config.stage_of(epoch)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stages": ()}, "`stages` must hold at least one stage"),
        ({"stages": (StageConfig(224, 0, 1e-3),)}, "each with at least 1 epoch"),
        ({"stages": (StageConfig(112, 1, 1e-3),)}, "must have images of 224 pixels"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: 0"),
        ({"label_smoothing": -0.1}, "`label_smoothing` must be in [0, 1). Received: -0.1"),
        ({"paint_out_share": 0.7, "control_share": 0.4}, "together at most 1. Received: 0.7 and"),
        ({"phantom_share": 1.0}, "`phantom_share` must be in [0, 1). Received: 1.0"),
        ({"precision": "float16"}, "auto, float32, mixed_bfloat16. Received: 'float16'"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        TrainingConfig(**changes)


def test_the_settings_survive_json() -> None:
    settings = TrainingConfig().as_dict()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["architecture"]["filters"] == [128] * 4 + [256] * 4
    assert settings["augmentation"]["brightness_range"] == [0.8, 1.2]


def test_read_history_without_a_file(tmp_path: Path) -> None:
    assert read_history(tmp_path / "history.csv") == []


def test_a_file_with_code_in_it_is_not_loaded(tmp_path: Path) -> None:
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs))
    model.save(tmp_path / "evil.keras")
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        keras.models.load_model(tmp_path / "evil.keras", safe_mode=True)
    with pytest.raises(ValueError, match=r"[Ll]ambda"):  # as this package loads: by default
        keras.models.load_model(tmp_path / "evil.keras")
