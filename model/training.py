"""Training runs that can be stopped and resumed.

A run lives in one folder:

- `run.json`: configuration, data counts and hash, library versions, machine;
- `history.csv`: a row an epoch;
- `last.keras`: network and optimizer after the last epoch, `best.keras`: at the lowest
  validation loss;
- `model.keras`: the finished network, normalisation folded in, written at the end.

Only `keras.*` is called, so the code runs on the TensorFlow and the JAX backend.
"""

from __future__ import annotations

import csv
import json
import logging
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
from tqdm import tqdm

from model.architecture import build_cnn, fold_normalization
from model.config import TrainingConfig
from model.dataset import (
    ImageSet,
    TrainingFlow,
    cached_phantoms,
    load_split,
    one_hot,
    split_validation,
    to_float,
)
from model.machine import describe_machine

log = logging.getLogger(__name__)

HISTORY_FIELDS = (
    "epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds",
)  # fmt: skip


class RunError(RuntimeError):
    """A run folder cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Attributes:
        model: The folded network, float32, 3,763,940 parameters.
        history: A row an epoch with the fields of `HISTORY_FIELDS`.
        folder: The run's folder.
        run: The content of `run.json`.
    """

    model: keras.Model
    history: list[dict[str, float]]
    folder: Path
    run: dict[str, Any]


def train(
    config: TrainingConfig, data: Path | None, out: Path, *, dataset: ImageSet | None = None
) -> TrainingResult:
    """Trains a network, or carries on with or reads back the run in `out`.

    Args:
        config: Settings of the run.
        data: Dataset folder; its Training split is used. Not needed with `dataset`.
        out: Folder of the run, made when missing.
        dataset: Images to use instead of a folder.

    Returns:
        The finished run. A finished run in `out` is returned as it is.

    Raises:
        RunError: `out` holds a run with other settings or other data.
        data.layout.DatasetError: The dataset folder is not usable.
    """
    if dataset is None:
        if data is None:
            raise ValueError("`data` must be a folder unless `dataset` is given. Received: None")
        dataset = load_split(data, "Training")
    out.mkdir(parents=True, exist_ok=True)
    train_rows, validation_rows = split_validation(dataset, config.validation_share, config.seed)
    run = _check_or_write(
        out / "run.json", _describe(config, dataset, len(train_rows), len(validation_rows))
    )
    history = read_history(out / "history.csv")
    if not (out / "model.keras").exists():
        parts = dataset.take(train_rows), dataset.take(validation_rows)
        history = _fit(config, *parts, out, history)
        best = keras.models.load_model(out / "best.keras")
        fold_normalization(best, config.architecture).save(out / "model.keras")
    return TrainingResult(keras.models.load_model(out / "model.keras"), history, out, run)


def _fit(
    config: TrainingConfig,
    training: ImageSet,
    validation: ImageSet,
    out: Path,
    history: list[dict[str, float]],
) -> list[dict[str, float]]:
    """Runs the epochs that are missing and returns the whole history."""
    keras.utils.set_random_seed(config.seed)
    steps = len(TrainingFlow(training, None, config, 0))
    if (out / "last.keras").exists():
        model = keras.models.load_model(out / "last.keras")
        # A stop between the two writes leaves a row of an epoch that the network has not seen.
        history = history[: int(keras.ops.convert_to_numpy(model.optimizer.iterations)) // steps]
        log.info("resuming epoch=%d epochs=%d", len(history), config.epochs)
    else:
        history = []
        model = _new_network(config, steps)
    phantoms = None
    checked = to_float(validation.images), one_hot(validation.labels)
    with tqdm(
        total=config.epochs * steps, initial=len(history) * steps, unit="step", desc="training",
        mininterval=1 if sys.stderr.isatty() else 30,
    ) as bar:  # fmt: skip
        tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
        for epoch in range(len(history), config.epochs):
            if phantoms is None and config.phantom_share and epoch >= config.phantom_start_epoch:
                phantoms = cached_phantoms(config.phantoms_per_class, config.phantom_seed, out)
            started = time.perf_counter()
            flow = TrainingFlow(training, phantoms, config, epoch)
            fitted = model.fit(flow, verbose=0, shuffle=False, callbacks=[tick])
            scores = model.evaluate(*checked, batch_size=64, verbose=0, return_dict=True)
            row = {
                "epoch": float(epoch + 1),
                "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
                "loss": float(fitted.history["loss"][0]),
                "accuracy": float(fitted.history["accuracy"][0]),
                "val_loss": float(scores["loss"]),
                "val_accuracy": float(scores["accuracy"]),
                "seconds": time.perf_counter() - started,
            }
            if not history or row["val_loss"] < min(past["val_loss"] for past in history):
                _save(model, out / "best.keras")
            history.append(row)
            _write_history(out / "history.csv", history)
            _save(model, out / "last.keras")  # last: the epochs that it has seen are complete
            left = (config.epochs - epoch - 1) * row["seconds"] / 60
            log.info(
                "epoch=%d epochs=%d loss=%.4f accuracy=%.4f val_loss=%.4f val_accuracy=%.4f "
                "seconds=%.0f minutes_left=%.0f",
                epoch + 1, config.epochs, row["loss"], row["accuracy"], row["val_loss"],
                row["val_accuracy"], row["seconds"], left,
            )  # fmt: skip
    return history


def _new_network(config: TrainingConfig, steps: int) -> keras.Model:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(choose_precision(config.precision))
    try:
        model = build_cnn(config.architecture)
    finally:
        keras.config.set_dtype_policy(previous)
    model.compile(
        optimizer=keras.optimizers.Adamax(learning_rate_schedule(config, steps)),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        # XLA's convolutions are slower than oneDNN's on a CPU; JAX has nothing else.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def learning_rate_schedule(
    config: TrainingConfig, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """One epoch of linear warm-up, then a cosine (Loshchilov and Hutter 2017)."""
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 100,
        warmup_target=config.learning_rate,
        warmup_steps=steps,
        decay_steps=max(1, (config.epochs - 1) * steps),
        alpha=0.01,
    )


def choose_precision(requested: str, cpu_flags: str | None = None) -> str:
    """The dtype policy for this machine.

    Args:
        requested: "auto" or a Keras dtype policy, which is returned as it is.
        cpu_flags: Content of /proc/cpuinfo, for tests.

    Returns:
        For "auto", "mixed_bfloat16" where a GPU or the CPU's AMX unit speeds it up, else
        "float32": without such a unit bfloat16 is emulated and slower.
    """
    if requested != "auto":
        return requested
    if cpu_flags is None:
        information = Path("/proc/cpuinfo")
        cpu_flags = information.read_text(encoding="utf-8") if information.exists() else ""
    on_gpu = any("cpu" not in device.lower() for device in keras.distribution.list_devices())
    return "mixed_bfloat16" if on_gpu or "amx_bf16" in cpu_flags else "float32"


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a `history.csv`; an empty list when there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    partial = path.with_name(f"partial-{path.name}")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_FIELDS)
        writer.writeheader()
        writer.writerows(history)
    partial.replace(path)


def _save(model: keras.Model, path: Path) -> None:
    """Writes beside and renames, so that a stop at any moment leaves a whole file."""
    partial = path.with_name(f"partial-{path.name}")
    model.save(partial)
    partial.replace(path)


def _describe(
    config: TrainingConfig, dataset: ImageSet, training: int, validation: int
) -> dict[str, Any]:
    packages = ("keras", "tensorflow-cpu", "tensorflow", "jax", "numpy", "scipy", "pillow")
    installed = {d.metadata["Name"].lower() for d in metadata.distributions() if d.metadata["Name"]}
    return {
        "config": config.as_dict(),
        "data": {
            "sha256": dataset.sha256,
            "images": len(dataset),
            "classes": dataset.counts(),
            "training": training,
            "validation": validation,
        },
        "backend": keras.backend.backend(),
        "precision": choose_precision(config.precision),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in packages if name in installed},
        "machine": describe_machine(),
    }


def _check_or_write(path: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Returns what the file holds, after writing `run` if there was none."""
    if not path.exists():
        path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
        return run
    existing: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in ("config", "data"):
        if differences := list(_differences(key, existing.get(key), run[key])):
            raise RunError(
                f"`out` must be a new folder or one with the same {key}. Received: {path.parent}, "
                f"where {'; '.join(differences)}"
            )
    return existing


def _differences(name: str, there: Any, wanted: Any) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(wanted, dict):
        for key in sorted(there.keys() | wanted.keys()):
            yield from _differences(f"{name}.{key}", there.get(key), wanted.get(key))
    elif there != wanted:
        yield f"{name} is {there}, not {wanted}"
