"""Training runs that can be stopped and resumed.

A run lives in one folder:

- `run.json`: configuration, data counts and hashes, library versions, machine;
- `history.csv`: a row an epoch;
- `last.keras`: network, lesion head and optimizer after the last epoch;
- `fall-1.keras` and so on: the same at the end of each fall of the learning rate but the last;
- `model.keras`: the finished network, the mean of all these, normalisation folded in.

Only `keras.*` is called, so the code runs on the TensorFlow and the JAX backend.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from data.dataset.collections import Collections
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from data.phantoms.sets import cached_phantoms
from model.config import NO_TUMOUR, TrainingConfig
from model.metrics.accuracy import cross_entropy
from model.predictors import predict_in_batches
from model.training.architecture import build_cnn, fold_normalization
from model.training.batch_workers import Source, feeding
from model.training.batches import Batch
from model.training.devices import choose_precision, count_devices, data_parallel
from model.training.draws import Sources
from model.training.objective import (
    learning_rate_schedule,
    superset_accuracy,
    superset_cross_entropy,
)
from model.training.run_folder import (
    check_or_write,
    describe_run,
    read_history,
    save_model,
    write_history,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Attributes:
        model: The averaged and folded network, float32, 3,763,940 parameters.
        history: A row an epoch with the fields of `HISTORY_FIELDS`.
        folder: The run's folder.
        run: The content of `run.json`.
    """

    model: keras.Model
    history: list[dict[str, float]]
    folder: Path
    run: dict[str, Any]


def train(
    config: TrainingConfig,
    training: ImageSet,
    validation: ImageSet | None,
    out: Path,
    *,
    protocol: str = "official",
    outlines: Mapping[str, Outline] | None = None,
    collections: Collections | None = None,
    devices: int | str = 1,
    workers: int = 0,
) -> TrainingResult:
    """Trains a network, or carries on with or reads back the run in `out`.

    The learning rate falls to near zero, starts anew and falls again. The finished network has the
    mean of the weights at the ends of these falls (Izmailov et al. 2018, stochastic weight
    averaging). Nothing is selected, so a run needs no validation images. Where there are some,
    their figures enter the history.

    Args:
        config: Settings of the run.
        training: Images to train on.
        validation: Images to report on after each epoch, or None.
        out: Folder of the run, made when missing.
        protocol: Name of the division the images come from, kept in `run.json`.
        outlines: Tumor outlines by image name. Without them there are neither counterfactuals
            nor grafts.
        collections: Images of other collections, whose part `training` is trained on and whose
            part `validation` is reported on. Without them style still tells the classes apart.
        devices: How many devices share each batch, or "all"; more than one on JAX alone.
        workers: Processes that make the batches, which are the same however many there are; with
            0, a thread beside the training step makes them.

    Returns:
        The finished run. A finished run in `out` is returned as it is.

    Raises:
        RunError: `out` holds a run with other settings or other data.
        DeviceError: There are fewer devices, or the batch does not divide by their number.
        ValueError: `workers` is below 0.
    """
    number = count_devices(devices)
    scope = data_parallel(number, min(config.batch_size, len(training)))
    if workers < 0:
        raise ValueError(f"`workers` must be at least 0. Received: {workers}")
    out.mkdir(parents=True, exist_ok=True)
    outlines = {
        name: outline for name, outline in (outlines or {}).items() if name in training.names
    }
    _warn_of_style(outlines, collections)
    other = None if collections is None else collections.part("training")
    described = describe_run(config, protocol, training, validation, len(outlines), other)
    described["devices"] = number
    run = check_or_write(out / "run.json", described)
    history = read_history(out / "history.csv")
    if not (out / "model.keras").exists():
        held_out = None if collections is None else collections.part("validation")
        sources = Sources(training, outlines, collections=other)
        run_of = _Run(config, sources, validation, held_out, out, workers)
        with scope:
            history = run_of.fit(history)
        save_model(fold_normalization(run_of.averaged(), config.architecture), out / "model.keras")
    return TrainingResult(keras.models.load_model(out / "model.keras"), history, out, run)


def _warn_of_style(outlines: Mapping[str, Outline], collections: Collections | None) -> None:
    if not outlines:
        log.warning(
            "no tumor outlines: training without counterfactuals and grafts; "
            "python -m data.outlines makes them"
        )
    if collections is None:
        log.warning(
            "no other collections: in the dataset alone the style tells tumors from healthy "
            "heads, and the network will learn it; --also takes folders of collections"
        )


@dataclass(frozen=True)
class _Run:
    """One run's inputs, and its loop over the epochs that are missing."""

    config: TrainingConfig
    sources: Sources
    validation: ImageSet | None
    held_out: Collections | None
    out: Path
    workers: int = 0

    @property
    def steps(self) -> int:
        return len(Source(self.sources, self.config))

    @property
    def _falls(self) -> dict[int, Path]:
        """Where the network is kept at the ends of all falls but the last, by number of epochs."""
        ends = accumulate(self.config.cycles[:-1])
        return {end: self.out / f"fall-{n}.keras" for n, end in enumerate(ends, start=1)}

    def averaged(self) -> keras.Model:
        """The network with the mean of the weights at the ends of the falls."""
        ends = [*self._falls.values(), self.out / "last.keras"]
        networks = [keras.models.load_model(path) for path in ends]
        weights = zip(*(network.get_weights() for network in networks), strict=True)
        networks[-1].set_weights([np.mean(each, axis=0) for each in weights])
        return networks[-1]

    def fit(self, history: list[dict[str, float]]) -> list[dict[str, float]]:
        """Runs the epochs that are missing and returns the whole history."""
        config = self.config
        if config.phantom_share:
            phantoms = cached_phantoms(config.phantoms_per_class, config.phantom_seed, self.out)
            return replace(self, sources=replace(self.sources, phantoms=phantoms))._epochs(history)
        return self._epochs(history)

    def _epochs(self, history: list[dict[str, float]]) -> list[dict[str, float]]:
        config, out, falls = self.config, self.out, self._falls
        keras.utils.set_random_seed(config.seed)
        model, history = self._resume(history)
        with feeding(Source(self.sources, config), self.workers) as batches_of, tqdm(
            total=config.epochs * self.steps, initial=len(history) * self.steps, unit="step",
            desc="training", mininterval=1 if sys.stderr.isatty() else 30,
        ) as bar:  # fmt: skip
            for epoch in range(len(history), config.epochs):
                started = time.perf_counter()
                row = self._row(model, epoch, _one_epoch(model, batches_of(epoch), bar), started)
                history.append(row)
                write_history(out / "history.csv", history)
                if epoch + 1 in falls:
                    save_model(model, falls[epoch + 1])
                save_model(model, out / "last.keras")  # last: it has seen complete epochs
                log.info(" ".join(f"{key}={value:.5g}" for key, value in row.items()))
        return history

    def _resume(
        self, history: list[dict[str, float]]
    ) -> tuple[keras.Model, list[dict[str, float]]]:
        """The network of the last complete epoch, or a new one, and the history up to it."""
        # First, also when resuming: its layers must draw the seeds that they drew at the start.
        fresh = self._new_network()
        if not (self.out / "last.keras").exists():
            return fresh, []
        model = keras.models.load_model(self.out / "last.keras")
        seen = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        _continue_dropout(model, fresh, seen)
        # A stop between the two writes leaves a row of an epoch that the network has not seen.
        history = history[: seen // self.steps]
        log.info("resuming after epoch=%d of epochs=%d", len(history), self.config.epochs)
        return model, history

    def _new_network(self) -> keras.Model:
        config = self.config
        previous = keras.config.dtype_policy()
        keras.config.set_dtype_policy(choose_precision(config.precision))
        try:
            model = build_cnn(config.architecture, lesion_head=True)
        finally:
            keras.config.set_dtype_policy(previous)
        model.compile(
            optimizer=keras.optimizers.Adamax(learning_rate_schedule(config, self.steps)),
            loss={"probabilities": superset_cross_entropy, "lesion": superset_cross_entropy},
            loss_weights={"probabilities": 1.0, "lesion": config.lesion_loss_weight},
            metrics={"probabilities": superset_accuracy},
            # XLA's convolutions are slower than oneDNN's on a CPU; JAX has nothing else.
            jit_compile=keras.backend.backend() == "jax",
        )
        return model

    def _row(
        self, model: keras.Model, epoch: int, fitted: dict[str, float], started: float
    ) -> dict[str, float]:
        """The history's row of an epoch; validation figures are nan where there are no images."""
        loss, accuracy = math.nan, math.nan
        if self.validation is not None and len(self.validation):
            found = predict_in_batches(model, self.validation.images)
            loss = cross_entropy(found, self.validation.labels)
            accuracy = float((found.argmax(axis=1) == self.validation.labels).mean())
        sensitivity, specificity = self._elsewhere(model)
        return {
            "epoch": float(epoch + 1),
            "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
            "loss": fitted["probabilities_loss"],
            "lesion_loss": fitted["lesion_loss"],
            "accuracy": fitted["probabilities_superset_accuracy"],
            "val_loss": loss,
            "val_accuracy": accuracy,
            "val_sensitivity": sensitivity,
            "val_specificity": specificity,
            "seconds": time.perf_counter() - started,
        }

    def _elsewhere(self, model: keras.Model) -> tuple[float, float]:
        """Shares of tumors and of healthy heads that are told as such in other collections.

        Means over the collections, of people who are not trained on; nan where there are none.
        """
        held_out = self.held_out
        if held_out is None or not len(held_out):
            return math.nan, math.nan
        right = (predict_in_batches(model, held_out.images)[:, NO_TUMOUR] > 0.5) == held_out.healthy
        shares = []
        for side in (~held_out.healthy, held_out.healthy):
            names = held_out.collections
            each = [right[side & (names == name)].mean() for name in np.unique(names[side])]
            shares.append(float(np.mean(each)) if each else math.nan)
        return shares[0], shares[1]


def _one_epoch(model: keras.Model, batches: Iterable[Batch], bar: Any) -> dict[str, float]:
    """Trains on every batch of an epoch; returns the means of Keras's figures over the batches."""
    sums: dict[str, float] = {}
    count = 0
    for images, targets, weights in batches:
        model.reset_metrics()
        figures = model.train_on_batch(images, targets, sample_weight=weights, return_dict=True)
        for name, value in figures.items():
            sums[name] = sums.get(name, 0.0) + float(value)
        count += 1
        bar.update()
    return {name: value / count for name, value in sums.items()}


def _continue_dropout(model: keras.Model, fresh: keras.Model, steps: int) -> None:
    """Puts the masks where `steps` steps left them; `.keras` files do not hold their state."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            state = fresh.get_layer(layer.name).seed_generator.state
            start = keras.ops.convert_to_numpy(state)
            layer.seed_generator.state.assign(start + np.array([0, steps], dtype=start.dtype))
