"""`python -m model classify` on this machine's cores."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from model.batch.by_series import SERIES_COLUMNS, SeriesTally, sort_out
from model.batch.chunks import Chunk, cut
from model.batch.pool import Pool
from model.batch.rows import COLUMNS, Look, nested
from model.batch.sources import Source, check_paths, list_sources
from model.batch.store import Store
from model.batch.summary import Tally, summary_path, write_summary
from model.batch.tables import check_output, write_rows
from model.batch.worker import Job
from model.inference.classifier import Classifier
from model.system import file_hash, native_notices_silenced

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """What to classify, and how.

    Attributes:
        paths: Files, folders, patterns and zip archives.
        model: The `.tflite` file.
        plane: How to cut volumes; None for as their slices were acquired.
        workers: Processes; None for one a core.
        progress: Whether to draw a progress bar where a person is looking.
        middle, look: As for `model.batch.rows.rows_of`.
    """

    paths: Sequence[str]
    model: Path
    plane: str | None = None
    workers: int | None = None
    progress: bool = True
    middle: bool = False
    look: Look | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"`workers` must be at least 1. Received: {self.workers}")
        check_paths(self.paths)

    @property
    def processes(self) -> int:
        if self.workers is not None:
            return self.workers
        if hasattr(os, "sched_getaffinity"):  # fewer than there are, in a container
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


@dataclass(frozen=True)
class Outcome:
    """What a batch came to.

    Attributes:
        files: Files and members of archives.
        skipped: How many of them an earlier run had done.
        rows: Pictures, slices and frames, and what could not be read.
        errors: Rows with an error.
        passed_over: Files that were not taken for pictures or scans, by their kind.
    """

    files: int
    skipped: int
    rows: int
    errors: int
    passed_over: Mapping[str, int] = field(default_factory=dict)


def describe(batch: Batch) -> dict[str, Any]:
    """What decides the rows, beside the files: the model, its constants, the plane.

    Raises:
        ModelFileError: The model cannot be loaded.
    """
    with native_notices_silenced():
        model = Classifier.load(batch.model)
    return {
        "model_sha256": model.sha256,
        "constants_sha256": file_hash(batch.model.with_name("metadata.json")),
        "plane": batch.plane,
        "columns": list(COLUMNS),
    }


def classify_to_file(
    batch: Batch, out: Path, *, fresh: bool = False, summary: bool = True
) -> Outcome:
    """Classifies into a file, going on where an earlier run of it ended.

    Args:
        batch: What to classify.
        out: Ends in .parquet, .csv or .jsonl; its parts stay in `OUT.parts`, for the next run.
        fresh: Whether to forget what an earlier run did.
        summary: Whether to write an HTML summary beside it.

    Raises:
        ValueError, RuntimeError, OSError: A setting is wrong, or the output cannot be written.
    """
    check_output(out)
    about, store = describe(batch), Store.beside(out)
    with store.held():
        if fresh:
            store.clear()
        outcome, tally = _classify(batch, about, out, store)
    if summary:
        write_summary(summary_path(out), tally, out.name)
    return outcome


def _classify(
    batch: Batch, about: dict[str, Any], out: Path, store: Store
) -> tuple[Outcome, Tally]:
    before = store.begin(about)
    if before is not None and before != about:
        changed = ", ".join(name for name in about if about[name] != before.get(name))
        logger.warning("everything is classified again: %s changed since the last run", changed)
    files = skipped = 0
    passed_over: Counter[str] = Counter()
    for chunk, was_done in _run(batch, about, store, passed_over):
        files += len(chunk.sources)
        skipped += len(chunk.sources) * was_done
    tally = Tally()
    write_rows(out, tally.counted(store.rows()))
    store.clear_others()
    return Outcome(files, skipped, tally.rows, tally.errors, passed_over), tally


def classify_to_stream(batch: Batch, stream: TextIO) -> Outcome:
    """Classifies into JSON lines, with the milliseconds of each inference."""
    files = rows = errors = 0
    passed_over: Counter[str] = Counter()
    for chunk, found in classified(batch, passed_over):
        for row in found:
            stream.write(json.dumps(nested(row)) + "\n")
            rows += 1
            errors += row["error"] is not None
        stream.flush()
        files += len(chunk.sources)
    return Outcome(files, 0, rows, errors, passed_over)


def classified(
    batch: Batch, passed_over: Counter[str]
) -> Iterator[tuple[Chunk, list[dict[str, Any]]]]:
    """Chunks and their rows, as they are done; nothing of them stays on disk.

    Args:
        batch: What to classify.
        passed_over: Counts the files that are not taken, by why.
    """
    about = describe(batch)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.begin(about)
        for chunk, _ in _run(batch, about, store, passed_over, numbered=True):
            yield chunk, store.read(chunk.key)
            store.path(chunk.key).unlink()


def classify_series(batch: Batch, out: Path | TextIO, *, fresh: bool = False) -> Outcome:
    """Classifies by series into a file, or into JSON lines; see `model.batch.by_series`.

    Args:
        batch: What to classify.
        out, fresh: As `classify_to_file`; there is no summary.

    Raises:
        ValueError, RuntimeError, OSError: As `classify_to_file`.
    """
    with ExitStack() as held:
        if isinstance(out, Path):
            check_output(out)
            store = Store.beside(out)
        else:
            store = Store(Path(held.enter_context(tempfile.TemporaryDirectory())))
        about = describe(batch)
        held.enter_context(store.held())
        if fresh:
            store.clear()
        store.begin(about)
        passed_over: Counter[str] = Counter()
        study = sort_out(list_sources(batch.paths, passed_over))
        done = list(_run(batch, about, store, passed_over, sources=study.to_read))
        tally = SeriesTally()
        rows = tally.counted(study.rows(store.rows(), about["model_sha256"]))
        if isinstance(out, Path):
            write_rows(out, rows, SERIES_COLUMNS)
        else:
            out.writelines(json.dumps(row) + "\n" for row in rows)
        store.clear_others()
    for why, files in sorted(tally.left_out.items()):
        logger.warning("%s files not answered: %s", f"{files:,}", why)
    skipped = sum(len(chunk.sources) for chunk, was_done in done if was_done)
    return Outcome(len(study.sources), skipped, tally.rows, tally.errors, passed_over)


def _run(
    batch: Batch,
    about: dict[str, Any],
    store: Store,
    passed_over: Counter[str],
    *,
    numbered: bool = False,
    sources: Callable[[], Iterable[Source]] | None = None,
) -> Iterator[tuple[Chunk, bool]]:
    """Chunks as they are done; `numbered` ones are all done, also where one comes twice.

    `sources` are all that the batch names, where no others are given.
    """
    named = sources or (lambda: list_sources(batch.paths, passed_over))

    def listed() -> Iterator[Chunk]:
        settings = json.dumps(about, sort_keys=True)
        for number, chunk in enumerate(cut(named(), settings)):
            if numbered:
                chunk = Chunk(f"{number:064x}", chunk.sources)
            store.add(chunk.key)
            yield chunk

    job = Job(
        batch.model.absolute(), batch.plane, store.folder.absolute(), batch.middle, batch.look
    )
    with _bar(batch, named) as bar:
        for chunk, was_done in Pool(job, batch.processes).run(listed()):
            advance(bar, len(chunk.sources), was_done)
            yield chunk, was_done


def advance(bar: Any, files: int, was_done: bool) -> None:
    """Moves a progress bar on; what an earlier run did says nothing about the time that is left.

    Args:
        bar: Of tqdm.
        files: By how many.
        was_done: Whether an earlier run did them.
    """
    if was_done and not bar.disable:
        bar.initial += files
        bar.n += files
        bar.last_print_n += files
        files = 0
    bar.update(files)


@contextmanager
def _bar(batch: Batch, named: Callable[[], Iterable[Source]]) -> Iterator[Any]:
    """A progress bar, whose total is counted beside the work: it needs a second listing."""
    stopped = threading.Event()
    with tqdm(unit="file", smoothing=0.05, disable=None if batch.progress else True) as bar:

        def count() -> None:
            total = 0
            for _ in named():
                total += 1
                if stopped.is_set():
                    return
            bar.total = total

        if not bar.disable:
            threading.Thread(target=count, daemon=True).start()
        try:
            yield bar
        finally:
            stopped.set()
