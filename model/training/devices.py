"""What a run computes on: how many devices, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import keras

ALL = "all"


class DeviceError(ValueError):
    """The devices asked for cannot be used; the message says why and what to do."""


def count_devices(requested: int | str) -> int:
    """How many devices a request means on this machine.

    Args:
        requested: A number, or "all" for every GPU, or every CPU device where there is no GPU.

    Raises:
        DeviceError: The number is below 1 or more than there are, or more than one is asked for
            on a backend that Keras cannot distribute.
    """
    there = keras.distribution.list_devices()
    number = len(there) if requested == ALL else requested
    if not isinstance(number, int) or number < 1:
        raise DeviceError(f"`devices` must be at least 1, or {ALL}. Received: {requested}")
    if number > 1 and keras.backend.backend() != "jax":
        raise DeviceError(
            "`devices` must be 1 but on the JAX backend (KERAS_BACKEND=jax), the only one that "
            f"Keras distributes. Received: {number} on {keras.backend.backend()}"
        )
    if number > len(there):
        raise DeviceError(
            f"`devices` must be at most {len(there)}, as there are {', '.join(there)}. "
            f"Received: {number}"
        )
    return number


def data_parallel(devices: int, batch: int) -> AbstractContextManager[None]:
    """A context whose networks are copied to every device, each taking its share of a batch.

    A batch stays one batch: gradients, batch normalisation and dropout are those of the whole
    batch, so that a run is the same on any number of devices but for the order of its sums.

    Args:
        devices: From `count_devices`; with 1 nothing is distributed.
        batch: Images a step.

    Raises:
        DeviceError: The batch does not divide by the number of devices.
    """
    if devices == 1:
        return nullcontext()
    if batch % devices:
        raise DeviceError(
            f"The images of a step must divide by the number of devices. Received: {batch} "
            f"images on {devices} devices"
        )
    chosen = keras.distribution.list_devices()[:devices]
    scope: AbstractContextManager[None] = keras.distribution.DataParallel(devices=chosen).scope()
    return scope


def choose_precision(requested: str, cpu_flags: str | None = None) -> str:
    """The dtype policy for this machine.

    Args:
        requested: "auto" or a Keras dtype policy, which is returned as it is.
        cpu_flags: Content of /proc/cpuinfo, for tests.

    Returns:
        For "auto", "mixed_bfloat16" where a GPU or the CPU's AMX or AVX-512 instructions speed it
        up, else "float32": without them bfloat16 is emulated and slower. `ONEDNN_MAX_CPU_ISA`
        holds them back.
    """
    if requested != "auto":
        return requested
    if cpu_flags is None:
        information = Path("/proc/cpuinfo")
        cpu_flags = information.read_text(encoding="utf-8") if information.exists() else ""
    there = "amx_bf16" in cpu_flags or "avx512_bf16" in cpu_flags
    fast = there and "ONEDNN_MAX_CPU_ISA" not in os.environ
    on_gpu = any("cpu" not in device.lower() for device in keras.distribution.list_devices())
    return "mixed_bfloat16" if on_gpu or fast else "float32"
