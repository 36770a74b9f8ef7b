"""Training runs: what they write, and what they learn from."""

from __future__ import annotations

import csv
import json
import os
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
from model.config import CLASS_NAMES, NO_TUMOUR
from model.predictors import predict_in_batches
from model.training import train as training
from model.training.architecture import fold_normalization
from model.training.draws import Sources
from model.training.run_folder import HISTORY_FIELDS, read_history
from model.training.train import train
from tests.model.training.small_run import CONFIG, halves
from tests.model_helpers import smooth_images


def test_a_run_writes_what_it_promises(finished: Path, images: ImageSet) -> None:
    files = {path.name for path in finished.iterdir()}
    assert files == {"run.json", "history.csv", "fall-1.keras", "last.keras", "model.keras"}
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


def test_the_finished_network_is_the_mean_of_the_falls_folded(
    finished: Path, images: ImageSet
) -> None:
    batch = images.images.astype(np.float32) / 255
    first, last, model = (
        keras.models.load_model(finished / f"{name}.keras") for name in ("fall-1", "last", "model")
    )
    assert (int(first.optimizer.iterations), int(last.optimizer.iterations)) == (2, 4)
    kinds = {type(layer) for layer in model.layers}
    assert not kinds & {keras.layers.BatchNormalization, keras.layers.Dropout}
    pairs = list(zip(first.get_weights(), last.get_weights(), strict=True))
    assert max(float(np.abs(a - b).max()) for a, b in pairs) > 1e-3
    last.set_weights([(a + b) / 2 for a, b in pairs])
    np.testing.assert_allclose(
        np.asarray(model(batch)),
        np.asarray(last(batch, training=False)["probabilities"]),
        atol=1e-5,
    )


def test_falls_of_no_epoch_are_left_out(tmp_path: Path, images: ImageSet) -> None:
    def kept(**settings: Any) -> dict[int, Path]:
        config = replace(CONFIG, **settings)
        return training._Run(config, Sources(images, {}), None, None, tmp_path)._falls

    assert kept(epochs=5, restarts=()) == kept(epochs=1) == {}
    ends = {4: tmp_path / "fall-1.keras", 9: tmp_path / "fall-2.keras"}
    assert kept(epochs=10, restarts=(0.4, 0.9)) == ends


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


def test_without_outlines_or_collections_it_says_what_is_lost(
    finished: Path, images: ImageSet, caplog: pytest.LogCaptureFixture
) -> None:
    train(CONFIG, *halves(images), finished)
    tumors, style = [
        r.message
        for r in caplog.records
        if r.name == "model.training.train" and r.levelname == "WARNING"
    ]
    assert tumors.startswith("no tumor outlines: training without counterfactuals and grafts")
    assert tumors.endswith("python -m data.outlines makes them")
    assert style.startswith("no other collections: in the dataset alone the style tells tumors")
    assert style.endswith("--also takes folders of collections")


@pytest.mark.slow
def test_a_run_with_phantoms_grafts_and_counterfactuals(
    images: ImageSet,
    outlines: dict[str, Outline],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And without validation images, of which it has no figures."""
    config = replace(
        CONFIG, epochs=1, phantom_share=0.4, phantoms_per_class=1, graft_share=0.2, ramp=0.0,
        paint_out_share=0.5, control_share=0.5,
    )  # fmt: skip
    part = halves(images)[0]
    result = train(config, part, None, tmp_path, protocol="fold-2", outlines=outlines)
    assert "no tumor outlines" not in caplog.text
    assert "no other collections" in caplog.text
    (row,) = result.history
    assert 0 < row["loss"] < 20
    assert 0 < row["lesion_loss"] < 20
    assert np.isnan([row["val_loss"], row["val_accuracy"]]).all()
    assert (tmp_path / "phantom-pairs-1-10000.npz").exists()
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["data"]["protocol"] == "fold-2"
    assert run["data"]["outlined"] == 6


def test_either_network_is_asked_in_batches(
    finished: Path, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = keras.models.load_model(finished / "last.keras")
    folded = fold_normalization(last, CONFIG.architecture)
    whole = predict_in_batches(folded, images.images)
    monkeypatch.setattr(predictors, "BATCH", 5)
    found = predict_in_batches(last, images.images)
    assert found.shape == (16, 4)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found, whole, atol=1e-5)
    history = read_history(finished / "history.csv")
    accuracy = (found[8:].argmax(axis=1) == images.labels[8:]).mean()
    assert history[-1]["val_accuracy"] == pytest.approx(accuracy)


@pytest.mark.skipif(
    "ONEDNN_MAX_CPU_ISA" in os.environ,
    reason="oneDNN is to do without bfloat16, which TensorFlow asks the processor for",
)
def test_training_in_bfloat16_leaves_the_session_in_float32(
    images: ImageSet, tmp_path: Path
) -> None:
    config = replace(CONFIG, epochs=1, precision="mixed_bfloat16")
    result = train(config, *halves(images), tmp_path)
    assert keras.config.dtype_policy().name == "float32"
    last = keras.models.load_model(tmp_path / "last.keras")
    assert last.get_layer("conv2").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in result.model.layers} == {"float32"}


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
