"""The shipped network as files for other engines: LiteRT, and ONNX for ONNX Runtime and OpenVINO.

Every file takes float32 (1, 224, 224, 1) and gives probabilities, features and maps, as the
shipped one does, so that the engines do the same work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SIZE, QUANTIZATIONS, ArchitectureConfig
from model.export.export import convert, with_features

Array = NDArray[np.float32]

LAYOUTS = {
    "shipped": ArchitectureConfig(),
    "pools 4-2-1-2-1-1-2-2": ArchitectureConfig(strides=(1,) * 8, pools=(4, 2, 1, 2, 1, 1, 2, 2)),
    "pools 2-2-1-2-1-2-2-2": ArchitectureConfig(strides=(1,) * 8, pools=(2, 2, 1, 2, 1, 2, 2, 2)),
}
"""Shipped: strides of 2 in the first two convolutions. The others: where to pool at full size."""


def litert_files(model: keras.Model, folder: Path, calibration: Array) -> dict[str, Path]:
    """LiteRT files by quantisation."""
    found = {}
    for quantization in QUANTIZATIONS:
        path = folder / f"{quantization}.tflite"
        path.write_bytes(convert(model, quantization, calibration))
        found[quantization] = path
    return found


def onnx_file(model: keras.Model, path: Path) -> Path:
    """Writes an ONNX file in float32."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    import tf2onnx

    read = with_features(model)

    def answer(image: Any) -> Any:
        found = read(image, training=False)
        return found["logits"], found["features"], found["maps"]

    signature = [tf.TensorSpec((1, IMAGE_SIZE, IMAGE_SIZE, 1), tf.float32, name="image")]
    tf2onnx.convert.from_function(
        tf.function(answer), input_signature=signature, opset=18, output_path=str(path)
    )
    return path


def quantized_onnx(path: Path, out: Path, calibration: Array) -> Path:
    """An ONNX file quantised to int8, weights by channel, from one in float32."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._images: Iterator[Array] = iter(calibration)

        def get_next(self) -> dict[str, Array] | None:
            image = next(self._images, None)
            return None if image is None else {"image": image[np.newaxis]}

    prepared = out.with_suffix(".prepared.onnx")
    # the symbolic shapes need sympy, and here no shape is symbolic
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared), str(out), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return out
