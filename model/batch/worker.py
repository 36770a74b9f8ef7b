"""A worker process: one single-threaded interpreter, which decodes, classifies and writes parts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.batch.chunks import Chunk
from model.batch.rows import Look, rows_of
from model.batch.sources import Source
from model.batch.store import Store
from model.inference.classifier import Classifier
from model.system import begin_worker, native_notices_silenced

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment of a worker: sums over several threads have other last digits, and cores are busy."""


@dataclass(frozen=True)
class Job:
    """What all workers of a run share."""

    model: Path
    plane: str | None
    parts: Path
    middle: bool = False
    look: Look | None = None


class Worker:
    """Classifies chunks."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.store = Store(job.parts)
        with native_notices_silenced():
            self.classifier = Classifier.load(job.model, threads=1)

    def rows(self, source: Source) -> list[dict[str, Any]]:
        """All rows of a source; see `model.batch.rows.rows_of`."""
        job = self.job
        found = rows_of(source, self.classifier, job.plane, job.middle, job.look)
        return list(found)

    def classify(self, chunk: Chunk) -> None:
        """Classifies a chunk and writes its part."""
        rows = [row for source in chunk.sources for row in self.rows(source)]
        self.store.write(chunk.key, rows)


_worker: Worker | None = None


def start(job: Job) -> None:
    """Initialises a process of the pool."""
    global _worker
    begin_worker()
    _worker = Worker(job)


def classify(chunk: Chunk) -> None:
    """`Worker.classify` in a process that `start` initialised."""
    _started().classify(chunk)


def rows(source: Source) -> list[dict[str, Any]]:
    """`Worker.rows` in a process that `start` initialised."""
    return _started().rows(source)


def model_hash() -> str:
    """SHA-256 of the model, in a process that `start` initialised."""
    return _started().classifier.sha256


def _started() -> Worker:
    if _worker is None:
        raise RuntimeError("A worker must be initialised with `start` before it is given work")
    return _worker
