"""Several devices: what is refused, and that a run on two is the run on one."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from model.training import devices
from model.training.devices import DeviceError, choose_precision, count_devices, data_parallel

ROOT = Path(__file__).resolve().parents[3]

# The two runs differ in the order of float32 sums alone, some 1e-7 of a sum, and each step passes
# on what the one before left: twelve steps were measured to end within 2e-6. A hundredth of what
# the losses move in those steps is more than is let pass.
TOLERANCE = 1e-4

CHILD = """
import sys
from pathlib import Path
import numpy as np
from data.dataset.outline_files import Outline
from model.config import CLASS_NAMES, ArchitectureConfig, TrainingConfig
from data.dataset.image_set import ImageSet
from model.training.train import train
from tests.model_helpers import smooth_images

labels = np.arange(20) % 4
names = tuple(f"{CLASS_NAMES[label]}/{i}.png" for i, label in enumerate(labels))
images = ImageSet(smooth_images(20, seed=1), labels, names, "a-hash")
square = np.array([[60, 60], [100, 60], [100, 110], [60, 110]], np.float32)
config = TrainingConfig(
    epochs=3, batch_size=4, graft_share=0.0, phantom_share=0.0, seed=3, precision="float32",
    learning_rate=5e-3, restarts=(), ramp=0.0,
    architecture=ArchitectureConfig(
        filters=(4, 4, 4, 4), strides=(2, 2, 2, 1), pools=(2, 1, 2, 4), lesion_layer=3,
        hidden=(8, 6),
    ),
)
train(
    config, images.take(np.arange(16)), images.take(np.arange(16, 19)), Path(sys.argv[1]),
    outlines={name: Outline(1, False, square) for name in names[::3]}, devices=int(sys.argv[2]),
)
"""


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0", "gpu:1"])
    monkeypatch.setattr(devices.keras.backend, "backend", lambda: "jax")


def test_all_means_every_device(two_devices: None) -> None:
    assert count_devices("all") == count_devices(2) == 2
    assert count_devices(1) == 1


@pytest.mark.parametrize("number", [0, -1, "some", "2"])
def test_what_is_no_number_of_devices_is_refused(number: int | str) -> None:
    words = f"`devices` must be at least 1, or all. Received: {number}"
    with pytest.raises(DeviceError, match=re.escape(words)):
        count_devices(number)


def test_more_devices_than_there_are_are_refused(two_devices: None) -> None:
    words = "`devices` must be at most 2, as there are gpu:0, gpu:1. Received: 3"
    with pytest.raises(DeviceError, match=re.escape(words)):
        count_devices(3)


def test_tensorflow_takes_one_device() -> None:
    assert keras.backend.backend() == "tensorflow"
    assert count_devices(1) == 1
    with pytest.raises(DeviceError, match=r"KERAS_BACKEND=jax.*Received: 2 on tensorflow"):
        count_devices(2)


def test_a_batch_that_does_not_divide_is_refused() -> None:
    words = "must divide by the number of devices. Received: 33 images on 2 devices"
    with pytest.raises(DeviceError, match=re.escape(words)):
        data_parallel(2, 33)


def test_one_device_distributes_nothing() -> None:
    with data_parallel(1, 33):
        assert keras.distribution.distribution() is None


@pytest.mark.slow
def test_two_devices_train_as_one_does(tmp_path: Path) -> None:
    """Twelve steps, with dropout, batch normalisation, lesion head and counterfactuals."""
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # to compile takes longer than to train
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    curves = {}
    running = {
        number: subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / str(number)), str(number)],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for number in (1, 2)
    }  # fmt: skip
    for number, process in running.items():
        output, _ = process.communicate()
        assert process.returncode == 0, output
        with (tmp_path / str(number) / "history.csv").open(newline="") as file:
            curves[number] = list(csv.DictReader(file))
    assert len(curves[1]) == len(curves[2]) == 3
    for one, two in zip(curves[1], curves[2], strict=True):
        for name in ("loss", "lesion_loss", "accuracy", "val_loss", "val_accuracy"):
            assert float(two[name]) == pytest.approx(float(one[name]), rel=TOLERANCE), name
    for name in ("lesion_loss", "val_loss"):
        first, *_, last = (float(row[name]) for row in curves[1])
        assert last < first - 100 * TOLERANCE  # the steps moved it by more than is tolerated


# precision


@pytest.mark.parametrize(
    ("requested", "flags", "expected"),
    [
        ("auto", "flags : fpu avx512f amx_bf16 amx_tile", "mixed_bfloat16"),
        ("auto", "flags : fpu avx512f avx512_bf16", "mixed_bfloat16"),
        ("auto", "flags : fpu avx512f", "float32"),
        ("auto", "", "float32"),
        ("float32", "flags : amx_bf16", "float32"),
        ("mixed_bfloat16", "flags : fpu", "mixed_bfloat16"),
    ],
)
def test_choose_precision(
    requested: str, flags: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"])
    assert choose_precision(requested, flags) == expected
    if requested == "auto":
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
        assert choose_precision(requested, flags) == "float32"


def test_a_gpu_trains_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0", "gpu:0"])
    assert choose_precision("auto", "flags : fpu") == "mixed_bfloat16"
