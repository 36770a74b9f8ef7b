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

from model import training
from model.config import CLASS_NAMES, ArchitectureConfig, TrainingConfig
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
    epochs=2,
    batch_size=4,
    validation_share=0.5,
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
def finished(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two epochs; tests must not write to it."""
    folder = tmp_path_factory.mktemp("run") / "two"
    train(CONFIG, None, folder, dataset=images)
    return folder


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
    assert files == {"run.json", "history.csv", "last.keras", "best.keras", "model.keras"}
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
        "sha256": "a-hash", "images": 16, "classes": dict.fromkeys(CLASS_NAMES, 4),
        "training": 8, "validation": 8,
    }  # fmt: skip
    assert run["precision"] == "float32"
    assert run["versions"]["keras"] == keras.__version__


def test_the_finished_network_is_the_best_one_folded(finished: Path, images: ImageSet) -> None:
    batch = images.images.astype(np.float32) / 255
    best = keras.models.load_model(finished / "best.keras")
    model = keras.models.load_model(finished / "model.keras")
    kinds = {type(layer) for layer in model.layers}
    assert not kinds & {keras.layers.BatchNormalization, keras.layers.Dropout}
    np.testing.assert_allclose(
        np.asarray(model(batch)), np.asarray(best(batch, training=False)), atol=1e-5
    )


def test_the_weights_learn(finished: Path, images: ImageSet) -> None:
    keras.utils.set_random_seed(CONFIG.seed)
    fresh = training.build_cnn(CONFIG.architecture).get_layer("conv1").get_weights()[0]
    last = keras.models.load_model(finished / "last.keras").get_layer("conv1").get_weights()[0]
    assert 1e-5 < np.abs(last - fresh).mean() < 0.1


@pytest.mark.parametrize("stopped_in", ["_save best", "_write_history", "_save last", "fit"])
def test_a_killed_run_goes_on_where_it_was(
    stopped_in: str,
    finished: Path,
    images: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed in the second epoch, before training it or at one of its three writes."""
    save, write, flow = training._save, training._write_history, training.TrainingFlow

    def dying_save(model: Any, path: Path) -> None:
        if int(model.optimizer.iterations) > 2 and stopped_in == f"_save {path.stem}":
            raise KeyboardInterrupt
        save(model, path)

    def dying_write(path: Path, history: list[dict[str, float]]) -> None:
        if len(history) == 2 and stopped_in == "_write_history":
            raise KeyboardInterrupt
        write(path, history)

    def dying_flow(*arguments: Any) -> Any:
        if arguments[-1] == 1 and stopped_in == "fit":
            raise KeyboardInterrupt
        return flow(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_save", dying_save)
        patch.setattr(training, "_write_history", dying_write)
        patch.setattr(training, "TrainingFlow", dying_flow)
        try:
            train(CONFIG, None, tmp_path, dataset=images)
        except KeyboardInterrupt:
            assert not (tmp_path / "model.keras").exists()
        else:  # the second epoch was no better than the first, so nothing was written there
            assert stopped_in == "_save best"
    result = train(CONFIG, None, tmp_path, dataset=images)
    assert len(result.history) == 2
    assert_same_run(finished, tmp_path, images)


def test_a_finished_run_is_returned_without_training(
    finished: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    monkeypatch.setattr(training, "_fit", None)  # calling it would raise
    monkeypatch.setattr(training, "describe_machine", lambda: "another machine")
    result = train(CONFIG, None, finished, dataset=images)
    assert result.folder == finished
    assert result.history == read_history(finished / "history.csv")
    assert result.run == json.loads(before["run.json"])
    assert result.run["machine"] != "another machine"
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_a_folder_with_other_settings_is_refused(finished: Path, images: ImageSet) -> None:
    other = replace(
        CONFIG, epochs=5, augmentation=replace(CONFIG.augmentation, rotation_range=45.0)
    )
    with pytest.raises(RunError) as caught:
        train(other, None, finished, dataset=images)
    assert str(caught.value) == (
        f"`out` must be a new folder or one with the same config. Received: {finished}, where "
        "config.augmentation.rotation_range is 12.0, not 45.0; config.epochs is 2, not 5"
    )


def test_a_folder_with_other_data_is_refused(finished: Path, images: ImageSet) -> None:
    with pytest.raises(RunError, match=r"same data\..*data.sha256 is a-hash, not b-hash$"):
        train(CONFIG, None, finished, dataset=replace(images, sha256="b-hash"))


def test_there_must_be_data(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`data` must be a folder unless `dataset` is given"):
        train(CONFIG, None, tmp_path)


def test_training_in_bfloat16_leaves_the_session_in_float32(
    images: ImageSet, tmp_path: Path
) -> None:
    config = replace(CONFIG, epochs=1, precision="mixed_bfloat16")
    result = train(config, None, tmp_path, dataset=images)
    assert keras.config.dtype_policy().name == "float32"
    last = keras.models.load_model(tmp_path / "last.keras")
    assert last.get_layer("conv2").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in result.model.layers} == {"float32"}


# settings


@pytest.mark.parametrize(
    ("requested", "flags", "expected"),
    [
        ("auto", "flags : fpu avx512f amx_bf16 amx_tile", "mixed_bfloat16"),
        ("auto", "flags : fpu avx512f avx512_bf16", "float32"),
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


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    config = TrainingConfig(epochs=11, learning_rate=2e-3)
    schedule = learning_rate_schedule(config, 100)
    rate = {step: float(schedule(step)) for step in (0, 50, 100, 600, 1100, 5000)}
    assert rate[0] == pytest.approx(2e-5)
    assert rate[50] == pytest.approx((2e-5 + 2e-3) / 2)
    assert rate[100] == pytest.approx(2e-3)
    assert rate[600] == pytest.approx((2e-3 + 2e-5) / 2)  # half way down the cosine
    assert rate[1100] == rate[5000] == pytest.approx(2e-5)


def test_a_single_epoch_is_warm_up_alone() -> None:
    schedule = learning_rate_schedule(TrainingConfig(epochs=1), 10)
    assert float(schedule(9)) == pytest.approx(2e-5 + 0.9 * (2e-3 - 2e-5))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1. Received: 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: 0"),
        ({"validation_share": 1.0}, "`validation_share` must be in (0, 1). Received: 1.0"),
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
