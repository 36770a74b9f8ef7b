"""Layers read from a saved file without Keras are those that Keras reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.config import ARTIFACTS, PARAMETER_COUNT
from model.export.saved_layers import SavedLayersError, layers_of, read_layers

pytest_plugins = ["tests.model_fixtures"]


def test_layers_are_those_that_keras_reports(tmp_path: Path, network: Any) -> None:
    network.save(tmp_path / "model.keras")
    found = read_layers(tmp_path / "model.keras")
    wanted = [
        (layer.name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params())
        for layer in network.layers
    ]
    assert [(x.name, x.kind, x.shape, x.parameters) for x in found] == wanted
    assert sum(layer.parameters for layer in found) == network.count_params() == PARAMETER_COUNT


def test_the_shipped_file_has_the_promised_parameters() -> None:
    layers = read_layers(ARTIFACTS / "brain_tumor_cnn.keras")
    assert sum(layer.parameters for layer in layers) == 3_763_940
    assert (layers[0].shape, layers[-1].shape) == ((224, 224, 1), (4,))


def layer(kind: str, name: str, before: str | None, **settings: Any) -> dict[str, Any]:
    nodes = [{"args": [{"config": {"keras_history": [before, 0, 0]}}]}] if before else []
    return {"class_name": kind, "config": {"name": name, **settings}, "inbound_nodes": nodes}


POOL = {"data_format": "channels_last", "pool_size": [3, 2], "strides": [2, 2]}
IMAGE = layer("InputLayer", "image", None, batch_shape=[None, 9, 8, 2])


@pytest.mark.parametrize(("padding", "shape"), [("valid", (4, 4, 2)), ("same", (5, 4, 2))])
def test_windows_that_do_not_fit_evenly(padding: str, shape: tuple[int, ...]) -> None:
    pool = layer("MaxPooling2D", "pool", "image", padding=padding, **POOL)
    assert layers_of({"config": {"layers": [IMAGE, pool]}})[1].shape == shape


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (layer("LSTM", "memory", "image"), "`class_name` must be one of"),
        (layer("Flatten", "flat", "elsewhere"), "`flat` must follow"),
        (layer("MaxPooling2D", "pool", "image", padding="odd", **POOL), "`padding` must be"),
        (layer("Dense", "d", "image", units=3, use_bias=True, activation="elu"), "`activation`"),
    ],
)
def test_other_networks_are_refused(after: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layers_of({"config": {"layers": [IMAGE, after]}})


def test_a_damaged_model_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"PK but no zip")
    with pytest.raises(SavedLayersError, match=r"The layers of .*model\.keras cannot be read"):
        read_layers(tmp_path / "model.keras")
