"""The layers of a network as the metadata name them, for whoever draws it without Keras."""

from __future__ import annotations

from typing import Any

import keras


def describe_layers(model: keras.Model) -> list[dict[str, Any]]:
    """What each layer is, the input first.

    Returns:
        For each layer its `name`, its `kind` (Keras's class), its `shape` without the batch axis
        and its number of `parameters`; for windows `kernel` and `stride`, (down, right); for an
        activation its `function`.
    """
    return [_describe(layer) for layer in model.layers]


def _describe(layer: keras.layers.Layer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": layer.name,
        "kind": type(layer).__name__,
        "shape": list(layer.output.shape[1:]),
        "parameters": layer.count_params(),
    }
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if window is not None:
        found |= {"kernel": list(window), "stride": list(layer.strides)}
    if isinstance(layer, keras.layers.Activation):
        found["function"] = layer.activation.__name__
    return found
