"""Ranges for 8 bits: what goes into an ELU is cut off where the ELU is flat.

A tensor of 8 bits has 256 steps from its lowest to its highest value. What the convolutions give
goes down to -26, yet whatever lies below -5 comes out of the ELU as -1, to less than a hundredth:
up to a third of the steps tell nothing apart. A range that begins at -5 makes the others finer;
lower values saturate, which the ELU does anyway.

Data contract: a LiteRT model whose tensors hold the least and the largest value that calibration
saw, as `tf.lite` makes it before it quantises.
"""

from __future__ import annotations

from typing import Any

FLOOR = -5.0
"""Where ranges may begin: ELU(-5) = -0.993, and a step behind it is 0.03 and more."""


def cut_ranges(calibrated: bytes) -> bytes:
    """Raises the least value of what each ELU gets, also from in front of a pooling, to `FLOOR`.

    Args:
        calibrated: The model.

    Returns:
        The model, all else as it was.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(calibrated)
    for graph in model.subgraphs:
        kinds = {
            int(out): (flatbuffer_utils.opcode_to_name(model, step.opcodeIndex), step)
            for step in graph.operators
            for out in step.outputs
        }
        for kind, step in kinds.values():
            if kind == "ELU":
                _cut(graph.tensors, kinds, int(step.inputs[0]))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _cut(tensors: Any, kinds: dict[int, tuple[str, Any]], place: int) -> None:
    quantization = tensors[place].quantization
    quantization.min = [max(float(least), FLOOR) for least in quantization.min]
    kind, step = kinds[place]
    if kind == "MAX_POOL_2D":  # which commutes with a floor
        _cut(tensors, kinds, int(step.inputs[0]))
