"""The layers of a saved `.keras` file, read without Keras: names, output shapes, parameters.

A `.keras` file is a zip; its `config.json` names every layer with its settings. Shapes leave out
the batch axis: (height, width, channels) or (units,). What is read is a plain chain of the kinds
that `model.training.architecture.build_cnn` saves; any other network is refused rather than
misdrawn.
"""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]


class SavedLayersError(RuntimeError):
    """The file cannot be read, or holds a network of another kind; one sentence."""


@dataclass(frozen=True)
class SavedLayer:
    """One layer.

    Attributes:
        name: The layer's own, such as "conv1".
        kind: Keras's class name: InputLayer, Conv2D, MaxPooling2D, Activation, Flatten or Dense.
        shape: Of what it gives, without the batch axis.
        parameters: Trainable and fixed together.
        kernel: Height and width of the window of a Conv2D or MaxPooling2D, else None.
        stride: Its step down and to the right, else None.
        function: What an Activation applies, else None.
    """

    name: str
    kind: str
    shape: Shape
    parameters: int = 0
    kernel: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    function: str | None = None


def read_layers(path: Path) -> tuple[SavedLayer, ...]:
    """The layers of a saved network, the input first.

    Raises:
        OSError: The file cannot be opened.
        SavedLayersError: It is damaged, or no plain chain of known layers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        return layers_of(config)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, TypeError, ValueError) as error:
        raise SavedLayersError(
            f"The layers of {path} cannot be read: {type(error).__name__}: {error}."
        ) from error


def layers_of(config: Mapping[str, Any]) -> tuple[SavedLayer, ...]:
    """The layers that a parsed `config.json` describes.

    Raises:
        KeyError, TypeError, ValueError: It does not describe a plain chain of known layers.
    """
    found: list[SavedLayer] = []
    for described in config["config"]["layers"]:
        kind, settings = described["class_name"], described["config"]
        _require_chain(described, found)
        if kind == "InputLayer":
            _, *sides = settings["batch_shape"]
            found.append(SavedLayer(settings["name"], kind, tuple(int(side) for side in sides)))
        elif kind in READERS and found:
            found.append(READERS[kind](settings, found[-1].shape))
        else:
            raise ValueError(f"`class_name` must be one of {', '.join(READERS)}. Received: {kind}")
    if not found:
        raise ValueError("`layers` must not be empty")
    return tuple(found)


def _require_chain(described: Mapping[str, Any], before: list[SavedLayer]) -> None:
    nodes = described["inbound_nodes"]
    sources = [node["args"][0]["config"]["keras_history"][0] for node in nodes]
    wanted = [before[-1].name] if before else []
    if sources != wanted:
        name = described["config"]["name"]
        raise ValueError(f"`{name}` must follow {wanted or 'nothing'}. Received: {sources}")


def _convolution(settings: Mapping[str, Any], shape: Shape) -> SavedLayer:
    _require(settings, data_format="channels_last", activation="linear", groups=1)
    _require(settings, dilation_rate=[1, 1])
    filters, kernel = int(settings["filters"]), _pair(settings["kernel_size"])
    stride = _pair(settings["strides"])
    sides = _slide(shape[:2], kernel, stride, settings["padding"])
    weights = kernel[0] * kernel[1] * shape[2] * filters
    parameters = weights + (filters if settings["use_bias"] else 0)
    return SavedLayer(settings["name"], "Conv2D", (*sides, filters), parameters, kernel, stride)


def _pooling(settings: Mapping[str, Any], shape: Shape) -> SavedLayer:
    _require(settings, data_format="channels_last")
    kernel, stride = _pair(settings["pool_size"]), _pair(settings["strides"])
    sides = _slide(shape[:2], kernel, stride, settings["padding"])
    return SavedLayer(
        settings["name"], "MaxPooling2D", (*sides, shape[2]), kernel=kernel, stride=stride
    )


def _activation(settings: Mapping[str, Any], shape: Shape) -> SavedLayer:
    return SavedLayer(settings["name"], "Activation", shape, function=str(settings["activation"]))


def _flatten(settings: Mapping[str, Any], shape: Shape) -> SavedLayer:
    return SavedLayer(settings["name"], "Flatten", (math.prod(shape),))


def _dense(settings: Mapping[str, Any], shape: Shape) -> SavedLayer:
    _require(settings, activation="linear")
    units = int(settings["units"])
    parameters = shape[-1] * units + (units if settings["use_bias"] else 0)
    return SavedLayer(settings["name"], "Dense", (*shape[:-1], units), parameters)


READERS = {
    "Conv2D": _convolution,
    "MaxPooling2D": _pooling,
    "Activation": _activation,
    "Flatten": _flatten,
    "Dense": _dense,
}


def _require(settings: Mapping[str, Any], **wanted: Any) -> None:
    for name, value in wanted.items():
        if settings[name] != value:
            raise ValueError(f"`{name}` must be {value!r}. Received: {settings[name]!r}")


def _pair(values: Any) -> tuple[int, int]:
    down, right = values
    return int(down), int(right)


def _slide(
    sides: Shape, kernel: tuple[int, int], stride: tuple[int, int], padding: str
) -> tuple[int, int]:
    """How often a window fits: (height, width)."""
    if padding not in ("same", "valid"):
        raise ValueError(f"`padding` must be 'same' or 'valid'. Received: {padding!r}")
    if padding == "same":
        down, right = (-(-side // step) for side, step in zip(sides, stride, strict=True))
    else:
        down, right = (
            (side - window) // step + 1
            for side, window, step in zip(sides, kernel, stride, strict=True)
        )
    return down, right
