"""Training runs that can be stopped and resumed.

A run lives in one folder:

- `run.json`: configuration, data counts and hash, library versions, machine, earlier stages;
- `history.csv`: a row an epoch;
- `last.keras`: network, lesion head and optimizer after the last epoch;
- `model.keras`: the finished network, normalisation folded in and its probabilities corrected for
  the draws' distribution, written at the end.

Only `keras.*` is called, so the code runs on the TensorFlow and the JAX backend.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data.dataset.image_set import ImageSet, to_float
from data.dataset.image_store import ImageArray
from data.dataset.outline_files import Outline
from model.config import CLASS_NAMES, NO_TUMOUR, TrainingConfig
from model.metrics.accuracy import cross_entropy
from model.training.architecture import build_cnn, fold_normalization, unfold_normalization
from model.training.batch_workers import Source, feeding
from model.training.batches import Batch, cached_phantoms
from model.training.devices import choose_precision, count_devices, data_parallel
from model.training.run_folder import (
    check_init,
    check_or_write,
    describe_run,
    read_history,
    save_model,
    stages,
    write_history,
)

log = logging.getLogger(__name__)

UNFOLDED_ON = 512
"""Training images on which the normalisation of a network to start from is measured anew."""


@dataclass(frozen=True)
class TrainingResult:
    """A finished run.

    Attributes:
        model: The folded and corrected network, float32, 3,763,940 parameters.
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
    init: Path | None = None,
    devices: int | str = 1,
    workers: int = 0,
) -> TrainingResult:
    """Trains a network, or carries on with or reads back the run in `out`.

    The learning rate ends near zero, and the last epoch's weights are kept: nothing is selected,
    so a run needs no validation images. Where there are some, their figures enter the history.

    Args:
        config: Settings of the run.
        training: Images to train on.
        validation: Images to report on after each epoch, or None.
        out: Folder of the run, made when missing.
        protocol: Name of the division the images come from, kept in `run.json`.
        outlines: Tumour outlines by image name. Without them there are no counterfactuals, and
            the network is left free to tell the classes apart by style.
        init: Folder of a finished run of the same protocol to start from, instead of from
            fresh weights. Where it holds no `last.keras`, as for a released network, its
            normalisation is measured anew.
        devices: How many devices share each batch, or "all"; more than one on JAX alone.
        workers: Processes that make the batches, which are the same however many there are; with
            0, a thread beside the training step makes them.

    Returns:
        The finished run. A finished run in `out` is returned as it is.

    Raises:
        RunError: `out` holds a run with other settings or other data, or `init` is no finished
            run of the same protocol.
        DeviceError: There are fewer devices, or the batch does not divide by their number.
        ValueError: `workers` is below 0.
    """
    if init is not None:
        check_init(init, protocol)
    number = count_devices(devices)
    scope = data_parallel(number, min(config.batch_size, len(training)))
    if workers < 0:
        raise ValueError(f"`workers` must be at least 0. Received: {workers}")
    out.mkdir(parents=True, exist_ok=True)
    outlined = sum(name in (outlines or {}) for name in training.names)
    if not outlined:
        log.warning(
            "no tumour outlines: training without counterfactuals, which leaves the network free "
            "to look at style instead of tumours; python -m data.outlines makes them"
        )
    described = describe_run(config, protocol, training, validation, outlined)
    described["devices"] = number
    described["earlier"] = stages(init) if init else []
    described["data"]["init"] = described["earlier"][-1]["sha256"] if init else None
    run = check_or_write(out / "run.json", described)
    history = read_history(out / "history.csv")
    if not (out / "model.keras").exists():
        run_of = _Run(config, training, validation, outlines or {}, out, init, workers)
        with scope:
            history = run_of.fit(history)
        finished = keras.models.load_model(out / "last.keras")
        folded = fold_normalization(finished, config.architecture)
        shift = prior_correction(config, training, outlines or {})
        kernel, bias = folded.get_layer("logits").get_weights()
        folded.get_layer("logits").set_weights([kernel, bias + shift])
        save_model(folded, out / "model.keras")
    return TrainingResult(keras.models.load_model(out / "model.keras"), history, out, run)


@dataclass(frozen=True)
class _Run:
    """One run's inputs, and its loop over the epochs that are missing."""

    config: TrainingConfig
    training: ImageSet
    validation: ImageSet | None
    outlines: Mapping[str, Outline]
    out: Path
    init: Path | None
    workers: int = 0

    @property
    def steps(self) -> int:
        return max(1, len(self.training) // self.config.batch_size)

    def fit(self, history: list[dict[str, float]]) -> list[dict[str, float]]:
        """Runs the epochs that are missing and returns the whole history."""
        config, out = self.config, self.out
        keras.utils.set_random_seed(config.seed)
        model, history = self._resume(history)
        phantoms = None
        if config.phantom_share:
            phantoms = cached_phantoms(
                config.phantoms_per_class, config.phantom_seed, out, earlier=self.init
            )
        source = Source(self.training, config, self.outlines, phantoms)
        with feeding(source, self.workers) as batches_of, tqdm(
            total=config.epochs * self.steps, initial=len(history) * self.steps, unit="step",
            desc="training", mininterval=1 if sys.stderr.isatty() else 30,
        ) as bar:  # fmt: skip
            for epoch in range(len(history), config.epochs):
                started = time.perf_counter()
                row = self._row(model, epoch, _one_epoch(model, batches_of(epoch), bar), started)
                history.append(row)
                write_history(out / "history.csv", history)
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
            if self.init is not None:
                self._start_from(fresh, self.init)
            return fresh, []
        model = keras.models.load_model(self.out / "last.keras")
        seen = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
        _continue_dropout(model, fresh, seen)
        # A stop between the two writes leaves a row of an epoch that the network has not seen.
        history = history[: seen // self.steps]
        log.info("resuming after epoch=%d of epochs=%d", len(history), self.config.epochs)
        return model, history

    def _start_from(self, fresh: keras.Model, init: Path) -> None:
        """Gives a new network the weights of a finished run, or of a released network."""
        if (init / "last.keras").exists():
            fresh.set_weights(keras.models.load_model(init / "last.keras").get_weights())
            return
        rows = np.random.default_rng(self.config.seed).permutation(len(self.training))
        sample = to_float(self.training.images[rows[:UNFOLDED_ON]])
        unfold_normalization(fresh, keras.models.load_model(init / "model.keras"), sample)

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
            loss={
                "probabilities": keras.losses.CategoricalCrossentropy(
                    label_smoothing=config.label_smoothing
                ),
                "lesion": keras.losses.CategoricalCrossentropy(),
            },
            loss_weights={"probabilities": 1.0, "lesion": config.lesion_loss_weight},
            metrics={"probabilities": "accuracy"},
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
            found = predict(model, self.validation.images)
            loss = cross_entropy(found, self.validation.labels)
            accuracy = float((found.argmax(axis=1) == self.validation.labels).mean())
        return {
            "epoch": float(epoch + 1),
            "learning_rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
            "loss": fitted["probabilities_loss"],
            "lesion_loss": fitted["lesion_loss"],
            "accuracy": fitted["probabilities_accuracy"],
            "val_loss": loss,
            "val_accuracy": accuracy,
            "seconds": time.perf_counter() - started,
        }


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


def prior_correction(
    config: TrainingConfig, training: ImageSet, outlines: Mapping[str, Outline]
) -> NDArray[np.float32]:
    """What to add to the logits because the draws are not distributed as the images are.

    Painted-out tumours and phantoms make `notumor` more frequent among the draws than among the
    images, and a network's probabilities follow the frequencies it has seen. Nothing is fitted:
    p(class) of the images over p(class) of the draws, as Saerens et al. (2002) adjust them.

    Args:
        config: The run's settings.
        training: The images trained on.
        outlines: Tumour outlines by image name.

    Returns:
        float32 (4,), zero for a class that is never drawn or not among the images.
    """
    labels, count = training.labels, len(CLASS_NAMES)
    images = np.bincount(labels, minlength=count) / len(labels)
    outlined = np.array([name in outlines for name in training.names]) & (labels != NO_TUMOUR)
    painted = np.bincount(labels[outlined], minlength=count) / len(labels) * config.paint_out_share
    drawn = images - painted
    drawn[NO_TUMOUR] += painted.sum()
    pool = np.ones(count)  # and each tumour's tumour-free twin
    pool[NO_TUMOUR] += count - 1
    drawn = (1 - config.phantom_share) * drawn + config.phantom_share * pool / pool.sum()
    known = (images > 0) & (drawn > 0)
    shift = np.zeros(count)
    shift[known] = np.log(images[known] / drawn[known])
    return shift.astype(np.float32)


def predict(model: keras.Model, images: ImageArray, batch_size: int = 64) -> NDArray[np.float32]:
    """Probabilities of a network, with or without the lesion head.

    Args:
        model: From `build_cnn`.
        images: uint8 (n, 224, 224, 1).
        batch_size: Images at a time.

    Returns:
        float32 (n, 4).
    """
    found = []
    for start in range(0, len(images), batch_size):
        output = model.predict_on_batch(to_float(images[start : start + batch_size]))
        found.append(np.asarray(output["probabilities"] if isinstance(output, dict) else output))
    return np.concatenate(found).astype(np.float32)


def _continue_dropout(model: keras.Model, fresh: keras.Model, steps: int) -> None:
    """Puts the masks where `steps` steps left them; `.keras` files do not hold their state."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            state = fresh.get_layer(layer.name).seed_generator.state
            start = keras.ops.convert_to_numpy(state)
            layer.seed_generator.state.assign(start + np.array([0, steps], dtype=start.dtype))


def learning_rate_schedule(
    config: TrainingConfig, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Half an epoch of linear warm-up, then a cosine (Loshchilov and Hutter 2017)."""
    warm_up = max(1, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 20,
        warmup_target=config.learning_rate,
        warmup_steps=warm_up,
        decay_steps=max(1, config.epochs * steps - warm_up),
        alpha=0.005,
    )
