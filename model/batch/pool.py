"""Chunks through worker processes: a bounded number at a time, and past files that kill one."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from model.batch import worker
from model.batch.chunks import Chunk
from model.batch.rows import failed
from model.batch.sources import Source
from model.batch.store import Store
from model.batch.worker import ONE_THREAD, Job

AHEAD = 4
"""Chunks in hand for each worker: enough that none waits, few enough to keep memory flat."""
KILLED = "Reading this file ended the process that read it."


class Pool:
    """Worker processes for one job; each starts when there is work for it."""

    def __init__(self, job: Job, workers: int, start: Callable[[Job], None] = worker.start) -> None:
        self._job, self._workers, self._start = job, workers, start
        self._store = Store(job.parts)
        self._waiting: deque[tuple[Chunk, Future[None] | None]] = deque()
        self._pool = self._processes(workers)

    def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, bool]]:
        """Classifies the chunks whose part is not there yet.

        Yields:
            Chunks in their order, once their part is there, and whether it was before.
        """
        with _environment(ONE_THREAD):
            try:
                for chunk in chunks:
                    done = self._store.done(chunk.key)
                    self._waiting.append((chunk, None if done else self._submit(chunk)))
                    if len(self._waiting) >= self._workers * AHEAD:
                        yield self._first()
                while self._waiting:
                    yield self._first()
            finally:
                self._pool.shutdown(cancel_futures=True)

    def _processes(self, workers: int) -> ProcessPoolExecutor:
        # spawned, because an interpreter must be made after a fork, and forking threads is unsafe
        return ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), self._start, (self._job,)
        )

    def _submit(self, chunk: Chunk) -> Future[None]:
        try:
            return self._pool.submit(worker.classify, chunk)
        except BrokenProcessPool:
            self._recover()
            return self._pool.submit(worker.classify, chunk)

    def _first(self) -> tuple[Chunk, bool]:
        chunk, future = self._waiting.popleft()
        try:
            if future is not None:
                future.result()
        except BrokenProcessPool:
            self._waiting.appendleft((chunk, future))
            self._recover()
            self._waiting.popleft()
        return chunk, future is None

    def _recover(self) -> None:
        """Finishes what a dead process left behind, each chunk in a process of its own."""
        self._pool.shutdown(cancel_futures=True)
        for chunk, _ in self._waiting:
            if not self._store.done(chunk.key):
                self._rescue(chunk)
        self._pool = self._processes(self._workers)
        finished: Future[None] = Future()
        finished.set_result(None)
        self._waiting = deque((c, f if f is None else finished) for c, f in self._waiting)

    def _rescue(self, chunk: Chunk) -> None:
        with self._processes(1) as alone:
            try:
                alone.submit(worker.classify, chunk).result()
            except BrokenProcessPool:
                pass
            else:
                return
        self._store.write(chunk.key, [row for s in chunk.sources for row in self._rows(s)])

    def _rows(self, source: Source) -> list[dict[str, Any]]:
        """The rows of one source, or the one that says that it kills the process.

        Raises:
            RuntimeError: The process dies without it too.
        """
        with self._processes(1) as alone:
            try:
                model = alone.submit(worker.model_hash).result()
            except BrokenProcessPool as error:
                raise RuntimeError(
                    "The processes that classify cannot start, or run out of memory; "
                    "`--workers` makes them fewer"
                ) from error
            try:
                return alone.submit(worker.rows, source).result()
            except BrokenProcessPool:
                place = {"path": source.label, "sha256": None, "plane": None, "slice": None}
                return [failed(place, KILLED, model)]


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables, which new processes inherit, while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
