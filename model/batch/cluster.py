"""`python -m model classify --ray`: the same job on Ray Data, here or on a cluster.

The driver writes the listing to disk in blocks; the cluster passes the names of the blocks around,
and each actor, with one single-threaded interpreter, reads the block that it is given. Files and
output must be on storage that every node has at the same path; the code and the shipped model
travel with the job.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from model.batch.command import Batch, Outcome, describe
from model.batch.rows import COLUMNS, rows_of
from model.batch.sources import Source, list_sources
from model.batch.summary import Tally, summary_path, write_summary
from model.batch.tables import arrow_table, need, read_rows
from model.batch.worker import ONE_THREAD
from model.inference.classifier import DEFAULT_MODEL_PATH, Classifier
from model.inference.model_files import ModelFileError
from model.system import native_notices_silenced

BLOCK = 256
"""Sources that an actor is given at a time, and what is classified anew where a node is lost."""
FILE_ROWS = 16_384
"""Least rows of a file of the output, where there are as many."""
ACTOR_CPUS = 0.45
"""An actor keeps a core busy, but asks for less than half of one: those of a lost node must find
room on the others, or what they were given waits for ever. The rest is for writing."""
TASK_CPUS = 0.05

_PACKAGE = Path(__file__).resolve().parent.parent


class Actor:
    """A classifier on some node."""

    def __init__(
        self, model: str | None, sha256: str, plane: str | None, folder: str | None
    ) -> None:
        if folder is not None:
            os.chdir(folder)  # paths were given relative to it
        with native_notices_silenced():
            self.classifier = Classifier.load(model or DEFAULT_MODEL_PATH, threads=1)
        if self.classifier.sha256 != sha256:
            raise ModelFileError(
                f"The model on this node must be the driver's, {sha256}. "
                f"Received: {self.classifier.sha256}"
            )
        self.plane = plane

    def __call__(self, batch: Any) -> Any:
        """Arrow table with the paths of blocks to Arrow table of rows."""
        rows = [
            row
            for path in batch["item"].to_pylist()
            for text in Path(path).read_text(encoding="ascii").splitlines()
            for row in rows_of(Source(**json.loads(text)), self.classifier, self.plane)
        ]
        return arrow_table([{name: row[name] for name in COLUMNS} for row in rows])


def classify_on_ray(batch: Batch, out: Path, address: str, *, summary: bool = True) -> Outcome:
    """Classifies into a folder of Parquet files, which appears when all is done.

    Args:
        batch: What to classify; its `workers` are actors, by default as many as cores.
        out: A folder that does not exist yet.
        address: Of a cluster, or "local" for one on this machine.
        summary: Whether to write an HTML summary beside it.

    Raises:
        ValueError, RuntimeError, OSError: A setting is wrong, or the job failed.
    """
    need("ray", "pyarrow")
    out = out.absolute()
    if out.exists() or out.suffix:
        raise ValueError(
            f"`--out` must be a folder that does not exist yet for --ray. Received: {out}"
        )
    about = describe(batch)
    waiting = out.with_name(f"{out.name}.parts")
    shutil.rmtree(waiting, ignore_errors=True)  # of a run that was stopped
    listing, rows = waiting / "sources", waiting / "rows"
    listing.mkdir(parents=True)
    passed_over: Counter[str] = Counter()
    files = write_listing(list_sources(batch.paths, passed_over), listing)
    if files:
        _run(batch, about["model_sha256"], listing, rows, address)
    else:
        rows.mkdir()
    tally = Tally()
    if files:
        for _ in tally.counted(read_rows(rows)):
            pass
    rows.replace(out)
    shutil.rmtree(waiting)
    if summary:
        write_summary(summary_path(out), tally, out.name)
    return Outcome(files, 0, tally.rows, tally.errors, passed_over)


def write_listing(sources: Iterable[Source], folder: Path) -> int:
    """Writes the sources into files of `BLOCK` each, as JSON lines; returns how many they are."""
    sources, count = iter(sources), 0
    while block := [json.dumps(asdict(source)) for source in islice(sources, BLOCK)]:
        path = folder / f"{count // BLOCK:09d}.jsonl"
        path.write_text("\n".join(block), encoding="ascii")
        count += len(block)
    return count


def _run(batch: Batch, sha256: str, listing: Path, rows: Path, address: str) -> None:
    import ray
    import ray.data

    _connect(ray, batch, address)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = (
            batch.progress and sys.stderr.isatty()
        )
        blocks = sorted(str(path) for path in listing.iterdir())
        cores = max(1, int(ray.cluster_resources()["CPU"]))
        most = min(batch.workers or cores, len(blocks))
        model = None if batch.model == DEFAULT_MODEL_PATH else str(batch.model.absolute())
        answers = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map_batches(
            Actor,
            fn_constructor_args=(model, sha256, batch.plane, _folder(batch.paths)),
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most, initial_size=most),
            num_cpus=ACTOR_CPUS,
        )
        answers.write_parquet(
            str(rows), min_rows_per_file=FILE_ROWS, ray_remote_args={"num_cpus": TASK_CPUS}
        )
    except ray.exceptions.RayError as error:
        raise RuntimeError(f"The job on Ray failed: {error}") from error
    finally:
        ray.shutdown()


def _connect(ray: Any, batch: Batch, address: str) -> None:
    environment = {
        "py_modules": [str(_PACKAGE)],
        "excludes": ["*.keras", "__pycache__"],
        "env_vars": ONE_THREAD,
    }
    place = (
        {"address": "local", "num_cpus": batch.processes, "include_dashboard": False}
        if address == "local"
        else {"address": address}
    )
    try:
        ray.init(**place, runtime_env=environment, log_to_driver=False, logging_level="warning")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise RuntimeError(f"There is no Ray cluster at {address}: {error}") from error


def _folder(paths: Sequence[str]) -> str | None:
    """The folder that relative paths start from; None if all paths are absolute."""
    return None if all(Path(path).is_absolute() for path in paths) else str(Path.cwd())
