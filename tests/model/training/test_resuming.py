"""Runs that go on after a stop, and folders that they do not go on in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from model.training import run_folder
from model.training import train as training
from model.training.draws import Sources
from model.training.run_folder import RunError, read_history
from model.training.train import train
from tests.model.training.small_run import CONFIG, halves
from tests.model_helpers import smooth_images


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


def test_a_folder_of_another_protocol_or_with_other_outlines_is_refused(
    finished: Path, images: ImageSet, outlines: dict[str, Outline]
) -> None:
    with pytest.raises(RunError, match=r"data\.protocol is official, not clean$"):
        train(CONFIG, *halves(images), finished, protocol="clean")
    with pytest.raises(RunError, match=r"data\.outlined is 0, not 6$"):
        train(CONFIG, *halves(images), finished, outlines=outlines)
