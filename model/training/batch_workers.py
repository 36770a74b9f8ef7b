"""Batches made beside the training step, in a thread or in processes of their own.

The batches of an epoch are decided by its `Source` and number alone: whoever makes them, and
however many make them, they are the same bytes in the same order.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.config import TrainingConfig
from model.system import begin_worker
from model.training.batches import Batch, TrainingFlow
from model.training.draws import Sources

AHEAD = 8
"""Batches that may be made before they are asked for."""


@dataclass(frozen=True)
class Source:
    """What decides the batches of a run; as for `TrainingFlow`."""

    sources: Sources
    config: TrainingConfig

    def flow(self, epoch: int) -> TrainingFlow:
        """The batches of an epoch, from 0."""
        return TrainingFlow(self.sources, self.config, epoch)

    def __len__(self) -> int:
        """Batches of an epoch."""
        return max(1, self.sources.draws(self.config) // self.config.batch_size)


@contextmanager
def feeding(source: Source, workers: int = 0) -> Iterator[Callable[[int], Iterator[Batch]]]:
    """Yields a function from the number of an epoch to its batches, in order.

    Args:
        source: What to make them from.
        workers: Processes that make them; with 0, a thread of this process does. An augmented
            image takes milliseconds of one core: a thread is enough beside a step on the CPU,
            and not beside one on a GPU.

    Raises:
        ValueError: `workers` is below 0. What making a batch raises is raised in its place.
    """
    if workers < 0:
        raise ValueError(f"`workers` must be at least 0. Received: {workers}")
    if workers == 0:
        yield lambda epoch: prefetched(source.flow(epoch))
        return
    with tempfile.TemporaryDirectory(prefix="training-images-") as folder:
        shared = _share(source, Path(folder))
        with ProcessPoolExecutor(
            workers, mp_context=_processes(), initializer=_begin, initargs=(shared,)
        ) as pool:
            yield lambda epoch: _in_order(
                lambda index: pool.submit(_make, epoch, index), len(source), AHEAD + workers
            )


def prefetched(flow: TrainingFlow, ahead: int = AHEAD) -> Iterator[Batch]:
    """The batches of a flow in order, made in a thread beside the training step.

    Keras's own `fit` feeds a step through `tf.data`, which stands still when TensorFlow is given
    a single thread, as several runs side by side want it.

    Args:
        flow: One epoch.
        ahead: How many batches may be made before they are asked for, at least 1.

    Raises:
        ValueError: `ahead` is below 1. What making a batch raises is raised in its place.
    """
    if ahead < 1:
        raise ValueError(f"`ahead` must be at least 1. Received: {ahead}")
    with ThreadPoolExecutor(1) as pool:
        yield from _in_order(lambda index: pool.submit(flow.__getitem__, index), len(flow), ahead)


def _in_order(submit: Callable[[int], Future[Batch]], length: int, ahead: int) -> Iterator[Batch]:
    indices = iter(range(length))
    waiting = deque(submit(index) for index in islice(indices, ahead))
    try:
        while waiting:
            batch = waiting.popleft().result()
            waiting.extend(submit(index) for index in islice(indices, 1))
            yield batch
    finally:  # an error, or nobody asks for more: without this the pool would make the rest
        for future in waiting:
            future.cancel()


# the processes


@dataclass(frozen=True)
class _OnDisk:
    """An array in a file, which processes map instead of each holding a copy."""

    path: Path

    def open(self) -> NDArray[Any]:
        # OpenCV wants arrays it may write to; nothing that is written reaches the file.
        return np.asarray(np.load(self.path, mmap_mode="c", allow_pickle=False))


_LARGE = {
    "dataset": ("images",),
    "phantoms": ("images", "masks"),
    "collections": ("images", "lesions"),
}


@dataclass(frozen=True)
class _Shared:
    """A `Source` without its large arrays, and the files that hold them, by source and field."""

    source: Source
    files: dict[str, dict[str, _OnDisk]]

    def open(self) -> Source:
        sources = self.source.sources
        for name, fields in self.files.items():
            arrays = {field: file.open() for field, file in fields.items()}
            sources = replace(sources, **{name: replace(getattr(sources, name), **arrays)})
        return replace(self.source, sources=sources)


def _share(source: Source, folder: Path) -> _Shared:
    sources, files = source.sources, {}
    for name, fields in _LARGE.items():
        part = getattr(sources, name)
        arrays = {field: getattr(part, field) for field in fields if part is not None}
        # images that lie on the disk already are opened by each process
        arrays = {field: array for field, array in arrays.items() if isinstance(array, np.ndarray)}
        for field, array in arrays.items():
            np.save(folder / f"{name}-{field}.npy", array)
        if arrays:
            files[name] = {field: _OnDisk(folder / f"{name}-{field}.npy") for field in arrays}
            empty = {field: np.empty(0, np.uint8) for field in arrays}
            sources = replace(sources, **{name: replace(part, **empty)})
    return _Shared(replace(source, sources=sources), files)


def _processes() -> BaseContext:
    """How processes start: not by a fork of this one, whose native threads would not survive it.

    A server process forks them where there are such, so that Keras is imported once.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


_state: dict[str, Source] = {}


def _begin(shared: _Shared) -> None:
    """Readies a worker: its source, one thread, and an end with its parent's."""
    _state["source"] = shared.open()
    cv2.setNumThreads(1)
    begin_worker()


@lru_cache(maxsize=2)
def _flow(epoch: int) -> TrainingFlow:
    return _state["source"].flow(epoch)


def _make(epoch: int, index: int) -> Batch:
    return _flow(epoch)[index]
