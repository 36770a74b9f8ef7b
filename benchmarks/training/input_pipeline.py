"""Whether augmentation keeps up with the training step, and with how many workers.

`python -m benchmarks.training.input_pipeline` makes augmented batches of phantoms in a thread, in
one process and in two, times the training step of the real network on the Keras backend in use
(`KERAS_BACKEND`), and writes `benchmarks/reports/input_pipeline.json`. Half of the images are
outlined, so that counterfactuals are among the draws as in a run. What is the bottleneck depends on
the machine, which the report names: beside a step on the CPU both share the cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from benchmarks.report import REPORTS, write_report
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from data.phantoms.sets import PhantomPool, draw_phantoms
from model.config import NO_TUMOUR, TrainingConfig
from model.system import describe_machine
from model.training.batch_workers import Source, feeding
from model.training.devices import choose_precision
from model.training.draws import Sources
from model.training.train import _Run

REPORT = REPORTS / "input_pipeline.json"
SEED = 3_000_000


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=60, help="batches a measurement")
    parser.add_argument("--steps", type=int, default=10, help="training steps to time")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--report", type=Path, default=REPORT)
    options = parser.parse_args()
    source = phantom_source(options.batches)
    rates = {workers: images_a_second(source, workers) for workers in options.workers}
    step = seconds_a_step(source, options.steps)
    size = source.config.batch_size
    report = {
        "command": "python -m benchmarks.training.input_pipeline",
        "machine": describe_machine(),
        "backend": keras.backend.backend(),
        "device": keras.distribution.list_devices()[0],
        "precision": choose_precision(source.config.precision),
        "batch_size": size,
        "step": {"seconds": step, "images_a_second": size / step},
        "augmentation": {
            _feeders(workers): {
                "images_a_second": rate,
                "ratio_to_step": rate * step / size,
                "bottleneck": "step" if rate * step >= size else "augmentation",
            }
            for workers, rate in rates.items()
        },
    }
    write_report(options.report, report)
    print(json.dumps(report, indent=2))


def _feeders(workers: int) -> str:
    if workers == 0:
        return "thread"
    return "1 process" if workers == 1 else f"{workers} processes"


def phantom_source(batches: int) -> Source:
    """Phantoms in the place of a dataset, the tumours outlined, and phantoms beside them."""
    config = TrainingConfig(phantoms_per_class=8)
    drawn = draw_phantoms(8, SEED)
    count = batches * config.batch_size
    rows = np.arange(count) % len(drawn)
    names = tuple(f"x/{k}" for k in range(count))
    outlines = {
        names[k]: _outline(drawn, int(rows[k]))
        for k in range(count)
        if drawn.labels[rows[k]] != NO_TUMOUR
    }
    images = ImageSet(drawn.images[rows][..., np.newaxis], drawn.labels[rows], names, "phantoms")
    return Source(Sources(images, outlines, drawn), config)


def _outline(drawn: PhantomPool, row: int) -> Outline:
    """The largest contour of a phantom's mask."""
    inside = (drawn.masks[row] > 127).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = max(contours, key=len)[:, 0].astype(np.float32) + 0.5
    return Outline(1, False, points)


def images_a_second(source: Source, workers: int) -> float:
    """Images of an epoch after its first batch, for which processes have to start."""
    with feeding(source, workers) as batches_of:
        batches = batches_of(0)
        next(batches)
        started = time.perf_counter()
        count = sum(len(batch[0]) for batch in batches)
        return count / (time.perf_counter() - started)


def seconds_a_step(source: Source, steps: int) -> float:
    """Median time of a step on batches that are there already, after one that compiles."""
    run = _Run(source.config, source.sources, None, None, Path())
    keras.utils.set_random_seed(source.config.seed)
    model, flow = run._new_network(), source.flow(0)
    seconds: list[float] = []
    for index in range(min(steps + 1, len(flow))):
        batch = flow[index]
        started = time.perf_counter()
        _step(model, batch)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def _step(model: keras.Model, batch: Any) -> float:
    images, targets, weights = batch
    figures = model.train_on_batch(images, targets, sample_weight=weights, return_dict=True)
    return float(figures["loss"])  # waits for the device


if __name__ == "__main__":
    main()
