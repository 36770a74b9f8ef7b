"""From a finished run to the files the server needs: `.keras`, `.tflite` and `metadata.json`."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from data.dataset.image_set import to_float
from data.dataset.image_store import ImageArray
from model.config import (
    CLASS_NAMES,
    IMAGE_SIZE,
    MAP_SHAPE,
    MODEL_NAME,
    PARAMETER_COUNT,
    QUANTIZATIONS,
)
from model.export.layers import describe_layers
from model.export.ranges import cut_ranges
from model.inference.heat_map import HEAT_FILE, heat_bytes
from model.preprocessing import SETTINGS
from model.system import file_hash, native_notices_silenced

VERSION = "2.0.0"


def calibration_images(images: ImageArray, count: int) -> NDArray[np.float32]:
    """Images at even distances, or all where there are fewer, as `convert` wants them for "int8".

    Args:
        images: uint8 (n, 224, 224, 1), classes in turn, as `data.dataset.image_set` loads them.
        count: How many.

    Raises:
        ValueError: `count` is below 1, or there is no image.
    """
    if min(count, len(images)) < 1:
        raise ValueError(
            "`count` and the number of `images` must be at least 1. "
            f"Received: {count} and {len(images)}"
        )
    rows = np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(np.int64)
    return to_float(images[rows])


def convert(
    model: keras.Model,
    quantization: str,
    calibration: NDArray[np.float32] | None = None,
) -> bytes:
    """Converts a network to LiteRT with built-in operators only.

    Args:
        model: The folded network.
        quantization: "none" (float32), "dynamic" (int8 weights, activations quantised while
            running) or "int8" (int8 weights and activations, float32 at both ends and in the
            layer that gives the logits: 8 bits would leave 256 of them).
        calibration: float32 (n, 224, 224, 1) in [0, 1], images that show the range of the
            activations; needed for "int8".

    Returns:
        The content of a `.tflite` file: (1, 224, 224, 1) to logits (1, 4), features
        (1, 512) and maps (1, 14, 14, 256); the runtime tells them apart by their shapes.

    Raises:
        ValueError: An unknown quantisation, or no calibration images for "int8".
    """
    if quantization not in QUANTIZATIONS:
        raise ValueError(
            f"`quantization` must be one of {', '.join(QUANTIZATIONS)}. Received: {quantization!r}"
        )
    if quantization == "int8" and (calibration is None or len(calibration) == 0):
        raise ValueError('`calibration` must hold images for "int8". Received: none')
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    read = with_features(model)
    call = tf.function(lambda image: read(image, training=False))
    signature = tf.TensorSpec((1, IMAGE_SIZE, IMAGE_SIZE, 1), tf.float32, name="image")
    # Without freezing, Keras 3 variables reach the file as empty resource handles.
    frozen = convert_variables_to_constants_v2(call.get_concrete_function(signature))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if quantization != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "int8":

        def representative() -> Iterator[list[NDArray[np.float32]]]:
            for image in calibration if calibration is not None else ():
                yield [image[np.newaxis]]

        converter.representative_dataset = representative
        # Private, and pinned with TensorFlow's version: calibration and quantisation one by one.
        converter._experimental_calibrate_only = True
    with native_notices_silenced(), warnings.catch_warnings():
        # Both ends stay float32 on purpose; the converter wonders about that.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        content = bytes(converter.convert())
        if quantization != "int8":
            return content
        return bytes(mlir_quantize(cut_ranges(content), denylisted_nodes={logits_tensor(content)}))


def logits_tensor(content: bytes) -> str:
    """Name of the tensor (1, 4) that a LiteRT model gives."""
    from tensorflow.lite.tools import flatbuffer_utils

    graph = flatbuffer_utils.convert_bytearray_to_object(bytearray(content)).subgraphs[0]
    shape = [1, len(CLASS_NAMES)]
    (found,) = [t for t in map(graph.tensors.__getitem__, graph.outputs) if list(t.shape) == shape]
    return bytes(found.name).decode()


def with_features(model: keras.Model) -> keras.Model:
    """The network with what the detector and the heat map need.

    Args:
        model: The folded network.

    Returns:
        A model of the same layers that gives a dictionary: `logits` (batch, 4); `features`
        (batch, 512), mean and standard deviation of the channels of the last convolution of 14 x
        14 cells, through ELU and without the pooling that may follow it; `maps` (batch, 14, 14,
        256), what goes into that convolution.
    """
    ops = keras.ops
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    last = [x for x in convolutions if tuple(x.output.shape[1:]) == MAP_SHAPE][-1]
    seen = ops.elu(last.output)  # ELU rises, so pooling before or after it is the same
    mean = ops.mean(seen, axis=(1, 2), keepdims=True)  # (batch, 1, 1, 256)
    deviation = ops.sqrt(ops.mean(ops.square(seen - mean), axis=(1, 2)))  # (batch, 256)
    features = ops.concatenate([ops.squeeze(mean, axis=(1, 2)), deviation], axis=-1)
    logits = model.get_layer("logits").output
    return keras.Model(model.input, {"logits": logits, "features": features, "maps": last.input})


def export(
    model: keras.Model,
    run: dict[str, Any],
    out: Path,
    *,
    quantization: str,
    calibration: NDArray[np.float32] | None = None,
) -> dict[str, Any]:
    """Writes `brain_tumor_cnn.keras`, `.tflite`, `heat_map.npz` and `metadata.json`.

    Args:
        model: The folded network of a finished run.
        run: The content of its `run.json`, copied into the metadata.
        out: Folder, made when missing.
        quantization, calibration: As `convert`.

    Returns:
        The metadata.

    Raises:
        ValueError: As `convert`, or the network has not 3,763,940 trainable parameters.
    """
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    if trainable != PARAMETER_COUNT or model.count_params() != PARAMETER_COUNT:
        raise ValueError(
            f"`model` must have {PARAMETER_COUNT:,} parameters, all trainable. "
            f"Received: {model.count_params():,}, {trainable:,} trainable"
        )
    out.mkdir(parents=True, exist_ok=True)
    model.save(out / f"{MODEL_NAME}.keras")
    (out / f"{MODEL_NAME}.tflite").write_bytes(convert(model, quantization, calibration))
    (out / HEAT_FILE).write_bytes(heat_bytes(model))
    metadata = {
        "name": MODEL_NAME,
        "version": VERSION,
        "classes": list(CLASS_NAMES),
        "preprocessing": SETTINGS,
        "parameters": PARAMETER_COUNT,
        "layers": describe_layers(model),
        "quantization": quantization,
        "calibration_images": 0 if calibration is None else len(calibration),
        "outputs": "logits",
        "files": {
            path.name: {"sha256": file_hash(path), "bytes": path.stat().st_size}
            for path in (
                out / f"{MODEL_NAME}.keras",
                out / f"{MODEL_NAME}.tflite",
                out / HEAT_FILE,
            )
        },
        "training": run,
    }
    text = json.dumps(metadata, indent=2) + "\n"
    (out / "metadata.json").write_text(text, encoding="utf-8")
    return metadata
