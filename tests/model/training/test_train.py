"""Training runs: what they write, how they go on after a stop, and what they refuse."""

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

from data.dataset.collections import TUMOR, Collections
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from model import predictors
from model.config import CLASS_NAMES, NO_TUMOUR, ArchitectureConfig, TrainingConfig
from model.predictors import predict_in_batches
from model.training import run_folder
from model.training import train as training
from model.training.batches import Sources
from model.training.devices import choose_precision
from model.training.run_folder import HISTORY_FIELDS, RunError, read_history
from model.training.train import train
from tests.model_helpers import smooth_images

CONFIG = TrainingConfig(
    epochs=2,
    batch_size=4,
    collection_share=0.0,
    graft_share=0.0,
    phantom_share=0.0,
    seed=3,
    precision="float32",
    architecture=ArchitectureConfig(
        filters=(4, 4, 4, 4),
        strides=(2, 2, 2, 1),
        pools=(2, 1, 2, 4),
        lesion_layer=3,
        hidden=(8, 6),
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
        assert new == pytest.approx(old, rel=1e-3, abs=1e-4, nan_ok=True)
    batch = images.images[:4].astype(np.float32) / 255
    models = (keras.models.load_model(folder / "model.keras") for folder in (one, other))
    outputs = [np.asarray(model(batch)) for model in models]
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
        assert 0 < row["lesion_loss"] < 20
        assert np.isnan([row["val_sensitivity"], row["val_specificity"]]).all()
        assert row["val_accuracy"] * 8 == pytest.approx(round(row["val_accuracy"] * 8), abs=1e-4)
    run = json.loads((finished / "run.json").read_text())
    assert run["config"] == json.loads(json.dumps(CONFIG.as_dict()))
    assert run["data"] == {
        "protocol": "official", "sha256": halves(images)[0].sha256,
        "classes": dict.fromkeys(CLASS_NAMES, 2), "training": 8, "outlined": 0, "validation": 8,
        "collections": {},
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


# other collections


def collections(people: int) -> Collections:
    """A healthy head and a tumor of unknown kind of each person, in two collections."""
    names = [f"{name}/{label}/{i}.png" for i in range(people)
             for name, label in (("a", "notumor"), ("b", "tumor"))]  # fmt: skip
    lesions = np.zeros((2 * people, 224, 224), np.uint8)
    lesions[1::2, 60:110, 60:100] = 255
    return Collections(
        smooth_images(2 * people, seed=5), np.array([NO_TUMOUR, TUMOR] * people), lesions,
        np.ones(2 * people, bool), tuple(names), "c-hash",
    )  # fmt: skip


def test_other_collections_are_trained_on_and_reported_by_person(
    images: ImageSet, tmp_path: Path
) -> None:
    every = collections(24)
    held_out = every.part("validation")
    assert min(held_out.healthy.sum(), (~held_out.healthy).sum()) > 0
    config = replace(CONFIG, epochs=1, collection_share=0.5)
    result = train(config, halves(images)[0], None, tmp_path, collections=every)
    taken = every.part("training")
    assert result.run["data"]["collections"] == {
        "sha256": taken.sha256,
        "images": {name: int((taken.collections == name).sum()) for name in ("a", "b")},
    }
    (row,) = result.history
    last = keras.models.load_model(tmp_path / "last.keras")
    right = (predict_in_batches(last, held_out.images)[:, NO_TUMOUR] > 0.5) == held_out.healthy
    assert row["val_sensitivity"] == pytest.approx(right[~held_out.healthy].mean())
    assert row["val_specificity"] == pytest.approx(right[held_out.healthy].mean())


def test_collections_count_alike_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one tumor collection all eight are found, of another the one is not: half, not 8 of 9."""
    names = [*(f"a/tumor/{i}.png" for i in range(8)), "b/tumor/0.png", "b/notumor/1.png"]
    labels = np.array([TUMOR] * 9 + [NO_TUMOUR])
    empty = np.zeros((10, 1, 1), np.uint8)
    held_out = Collections(empty[..., None], labels, empty, np.ones(10, bool), tuple(names), "h")
    answers = np.array([[1, 0, 0, 0]] * 8 + [[0, 0, 1, 0]] * 2, np.float32)
    monkeypatch.setattr(training, "predict_in_batches", lambda model, images: answers)
    run = training._Run(CONFIG, Sources(held_out, {}), None, held_out, Path())  # type: ignore[arg-type]
    assert run._elsewhere(None) == (0.5, 1.0)


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
    save, write = training.save_model, training.write_history

    def dying_save(model: Any, path: Path) -> None:
        if int(model.optimizer.iterations) > 2 and stopped_in == f"_save {path.stem}":
            raise KeyboardInterrupt
        save(model, path)

    def dying_write(path: Path, history: list[dict[str, float]]) -> None:
        if len(history) == 2 and stopped_in == "_write_history":
            raise KeyboardInterrupt
        write(path, history)

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_model", dying_save)
        patch.setattr(training, "write_history", dying_write)
        with pytest.raises(KeyboardInterrupt):
            train(CONFIG, *halves(images), tmp_path)
    assert not (tmp_path / "model.keras").exists()
    result = train(CONFIG, *halves(images), tmp_path)
    assert len(result.history) == 2
    assert_same_run(finished, tmp_path, images)


def test_a_resumed_run_drops_out_what_the_uninterrupted_one_would(tmp_path: Path) -> None:
    """The networks' states of chance after a start and two steps, and after resuming from there."""
    images = ImageSet(smooth_images(4, seed=1), np.arange(4), tuple("abcd"), "a-hash")

    def chance(model: Any) -> list[list[int]]:
        layers = [x for x in model.layers if isinstance(x, keras.layers.Dropout)]
        return [np.asarray(layer.seed_generator.state).tolist() for layer in layers]

    found = []
    for _ in range(2):
        run = training._Run(CONFIG, Sources(images, {}), None, None, tmp_path)
        keras.utils.set_random_seed(CONFIG.seed)
        model, _history = run._resume([])
        if not found:
            for _step in range(2):
                model.train_on_batch(
                    np.zeros((4, 224, 224, 1)),
                    {"probabilities": np.eye(4), "lesion": np.full((4, 14, 14, 4), 0.25)},
                )
            training.save_model(model, tmp_path / "last.keras")
        found.append(chance(model))
    assert found[0] == found[1]
    assert len(found[0]) == 2
    assert {counter for _, counter in found[0]} == {2}


def test_a_finished_run_is_returned_without_training(
    finished: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    monkeypatch.setattr(training, "_Run", None)  # calling it would raise
    monkeypatch.setattr(run_folder, "describe_machine", lambda: "another machine")
    result = train(CONFIG, *halves(images), finished)
    assert result.folder == finished
    assert str(result.history) == str(read_history(finished / "history.csv"))  # nan is no nan
    assert result.run == json.loads(before["run.json"])
    assert result.run["machine"] != "another machine"
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_a_folder_with_other_settings_is_refused(finished: Path, images: ImageSet) -> None:
    other = replace(CONFIG, seed=5, augmentation=replace(CONFIG.augmentation, rotation_range=45.0))
    with pytest.raises(RunError) as caught:
        train(other, *halves(images), finished)
    assert str(caught.value) == (
        f"`out` must be a new folder or one with the same config. Received: {finished}, where "
        "config.augmentation.rotation_range is 14.0, not 45.0; config.seed is 3, not 5"
    )


def test_a_folder_with_other_data_is_refused(finished: Path, images: ImageSet) -> None:
    training_part, validation = halves(images)
    with pytest.raises(RunError, match=r"same data\..*data.sha256 is \w+, not b-hash$"):
        train(CONFIG, replace(training_part, sha256="b-hash"), validation, finished)


def test_a_run_without_validation_images_has_no_figures_for_them(
    images: ImageSet, tmp_path: Path
) -> None:
    (row,) = train(replace(CONFIG, epochs=1), halves(images)[0], None, tmp_path).history
    assert np.isnan(row["val_loss"])
    assert np.isnan(row["val_accuracy"])
    assert 0 < row["loss"] < 20


def test_without_outlines_or_collections_it_says_what_is_lost(
    images: ImageSet,
    outlines: dict[str, Outline],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = replace(CONFIG, epochs=1)
    train(config, images.take(np.arange(4)), None, tmp_path / "without")
    tumors, style = [
        r.message
        for r in caplog.records
        if r.name == "model.training.train" and r.levelname == "WARNING"
    ]
    assert tumors.startswith("no tumor outlines: training without counterfactuals and grafts")
    assert tumors.endswith("python -m data.outlines makes them")
    assert style.startswith("no other collections: in the dataset alone the style tells tumors")
    assert style.endswith("--also takes folders of collections")
    caplog.clear()
    result = train(config, images.take(np.arange(4)), None, tmp_path / "with", outlines=outlines)
    assert "no tumor outlines" not in caplog.text
    assert "no other collections" in caplog.text
    assert result.run["data"]["outlined"] == 3


@pytest.mark.slow
def test_a_run_with_phantoms_grafts_and_counterfactuals(
    images: ImageSet, outlines: dict[str, Outline], tmp_path: Path
) -> None:
    config = replace(
        CONFIG, epochs=1, phantom_share=0.4, phantoms_per_class=1, graft_share=0.2, ramp=0.0,
        paint_out_share=0.5, control_share=0.5,
    )  # fmt: skip
    part = halves(images)[0]
    result = train(config, part, None, tmp_path, protocol="fold-2", outlines=outlines)
    (row,) = result.history
    assert 0 < row["loss"] < 20
    assert 0 < row["lesion_loss"] < 20
    assert (tmp_path / "phantom-pairs-1-10000.npz").exists()
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["data"]["protocol"] == "fold-2"
    assert run["data"]["outlined"] == 6


def test_a_folder_of_another_protocol_or_with_other_outlines_is_refused(
    finished: Path, images: ImageSet, outlines: dict[str, Outline]
) -> None:
    with pytest.raises(RunError, match=r"data\.protocol is official, not clean$"):
        train(CONFIG, *halves(images), finished, protocol="clean")
    with pytest.raises(RunError, match=r"data\.outlined is 0, not 6$"):
        train(CONFIG, *halves(images), finished, outlines=outlines)


def test_either_network_is_asked_in_batches(
    finished: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = keras.models.load_model(finished / "last.keras")
    model = keras.models.load_model(finished / "model.keras")
    whole = predict_in_batches(model, images.images)
    monkeypatch.setattr(predictors, "BATCH", 5)
    found = predict_in_batches(last, images.images)
    assert found.shape == (16, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    history = read_history(finished / "history.csv")
    accuracy = (found[8:].argmax(axis=1) == images.labels[8:]).mean()
    assert history[-1]["val_accuracy"] == pytest.approx(accuracy)


def test_training_in_bfloat16_leaves_the_session_in_float32(
    images: ImageSet, tmp_path: Path
) -> None:
    config = replace(CONFIG, epochs=1, precision="mixed_bfloat16")
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


def test_the_last_cycle_is_calmer_and_a_single_one_is_not() -> None:
    config = TrainingConfig(epochs=10, restarts=(0.4, 0.8), calm=0.5)
    assert config.augmentation_at(7) == config.augmentation
    calm = config.augmentation_at(8)
    assert calm.frame == config.augmentation.frame / 2
    assert calm.elastic == config.augmentation.elastic / 2
    assert calm.rotation_range == config.augmentation.rotation_range
    assert calm.horizontal_flip is True
    single = TrainingConfig(epochs=1)
    assert single.cycles == (1,)
    assert single.augmentation_at(0) == single.augmentation


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1. Received: 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: 0"),
        ({"phantoms_per_class": 0}, "`phantoms_per_class` must be at least 1. Received: 0"),
        ({"graft_controls": 1.5}, "`graft_controls` must be in [0, 1]. Received: 1.5"),
        ({"restarts": (0.5, 0.5)}, "`restarts` must rise, in (0, 1). Received: (0.5, 0.5)"),
        ({"restarts": (1.0,)}, "`restarts` must rise, in (0, 1). Received: (1.0,)"),
        ({"calm": 1.5}, "`calm` must be in [0, 1]. Received: 1.5"),
        ({"ramp": -0.1}, "`ramp` must be in [0, 1]. Received: -0.1"),
        ({"graft_share": 0.6}, "together below 1. Received: 0.26, 0.6, 0.14"),
        ({"paint_out_share": 0.7, "control_share": 0.4}, "together at most 1. Received: 0.7 and"),
        ({"control_share": -0.1}, "must be at least 0 and together at most 1. Received: 0.14 and"),
        ({"phantom_share": -0.1}, "must be at least 0 and together below 1. Received: 0.26, 0.16,"),
        ({"precision": "float16"}, "auto, float32, mixed_bfloat16. Received: 'float16'"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        TrainingConfig(**changes)


def test_the_settings_survive_json() -> None:
    settings = TrainingConfig().as_dict()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["epochs"] == TrainingConfig().epochs
    assert settings["architecture"]["filters"] == [128] * 4 + [256] * 4
    assert settings["architecture"]["lesion_layer"] == 6
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
