from __future__ import annotations

from typing import Any

import keras
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from model.export import export
from model.export.export import convert
from model.export.ranges import FLOOR
from tests.model.export.test_export import IMAGES

pytest_plugins = ["tests.model_fixtures"]


def lowest(content: bytes) -> list[tuple[float, float]]:
    """Lowest value and step of the 8-bit tensors before the ELUs, in front of a pooling too."""
    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )  # without a delegate every operator is to be seen
    interpreter.allocate_tensors()
    tensors = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    steps = interpreter._get_ops_details()
    made_by = {int(out): step for step in steps for out in step["outputs"]}
    found = []
    for step in steps:
        while step["op_name"] in ("ELU", "DEQUANTIZE", "MAX_POOL_2D"):
            place = int(step["inputs"][0])
            if step["op_name"] != "ELU":
                scale, zero = tensors[place]["quantization"]
                found.append(((-128 - zero) * scale, scale))
            elif made_by[place]["op_name"] != "DEQUANTIZE":
                raise AssertionError("an ELU without its own tensor of 8 bits")
            step = made_by[place]
    return found


@pytest.mark.slow
def test_no_step_is_spent_where_the_elu_is_flat(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = keras.models.clone_model(network)
    wide.set_weights(network.get_weights())
    for name, factor in (("conv1", 20), ("conv2", 1 / 20)):
        kernel, bias = wide.get_layer(name).get_weights()
        wide.get_layer(name).set_weights([factor * kernel, bias])
    cut = lowest(convert(wide, "int8", IMAGES[:6]))
    monkeypatch.setattr(export, "cut_ranges", lambda content: content)
    whole = lowest(convert(wide, "int8", IMAGES[:6]))
    assert len(cut) == len(whole) >= 10
    assert min(whole)[0] < 3 * FLOOR
    finer = 0
    for (least, step), (before, before_step) in zip(cut, whole, strict=True):
        assert least >= FLOOR - step  # by up to a step, so that 0 is one of the values
        assert step <= before_step * 1.001
        finer += step < 0.9 * before_step
        if before > FLOOR:
            assert (least, step) == pytest.approx((before, before_step), rel=1e-3, abs=1e-6)
    assert finer >= 2  # of the first layer and its pooling
