"""Long batches: stopped and gone on with, disturbed, watched, within memory."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from tqdm import tqdm

from model.__main__ import main
from model.batch.chunks import Chunk
from model.batch.command import Batch, Outcome, advance, classify_to_file
from model.batch.pool import AHEAD, KILLED, Pool
from model.batch.rows import COLUMNS, failed
from model.batch.sources import Source
from model.batch.store import Store
from model.batch.tables import FORMATS, read_rows
from model.batch.worker import Job
from model.inference.classifier import DEFAULT_MODEL_PATH
from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = sorted((ROOT / "data" / "samples").glob("*.png"))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    for number in range(300):
        content = SAMPLES[number % len(SAMPLES)].read_bytes()
        (folder / f"{number:04d}.png").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a run gives that nobody stops."""
    out = tmp_path_factory.mktemp("undisturbed") / "rows.jsonl"
    done = classify_to_file(Batch([str(many)], DEFAULT_MODEL_PATH, workers=1), out)
    assert done == Outcome(files=300, skipped=0, rows=300, errors=0)
    return out.read_bytes()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What is started heeds Ctrl-C also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_stopped_run_goes_on_and_ends_alike(
    number: signal.Signals, status: int, many: Path, undisturbed: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "model", "classify", str(many), "--out", str(out)]
    parts = Store.beside(out).folder
    with subprocess.Popen(
        [*command, "--workers", "2"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as job:
        limit = time.monotonic() + LONGEST_WAIT
        # at the first chunk of five: a busy machine must not let the run end before the signal
        while not any(parts.rglob("*.gz")) and time.monotonic() < limit:
            time.sleep(0.01)
        workers = psutil.Process(job.pid).children(recursive=True)
        job.send_signal(number)
        said = job.communicate(timeout=LONGEST_WAIT)[1]
    assert job.returncode == status
    assert not out.exists()
    _, alive = psutil.wait_procs(workers, timeout=LONGEST_WAIT)
    assert alive == []
    if number == signal.SIGINT:
        assert said.splitlines()[-1] == "stopped; the same command goes on from here"
    store = Store(parts)
    kept = sum(len(store.read(path.name[:64])) for path in parts.rglob("*.gz"))
    assert kept > 0
    if number == signal.SIGKILL:  # Ctrl-C lets the workers finish what they hold
        assert kept < 300

    done = classify_to_file(Batch([str(many)], DEFAULT_MODEL_PATH, workers=2), out)
    assert done == Outcome(files=300, skipped=kept, rows=300, errors=0)
    assert not list(parts.rglob("*.new"))
    assert out.read_bytes() == undisturbed


HOLDER = """
import sys
from pathlib import Path
from model.batch.store import Store

with Store.beside(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_runs_cannot_write_the_same_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    command = ["classify", str(SAMPLES[0]), "--out", str(out), "--workers", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(out)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for more in ([], ["--fresh"]):
            assert main([*command, *more]) == 1
            assert f"its parts are in {out}.parts" in capsys.readouterr().err
        assert not out.exists()
        holder.kill()
    assert main(command) == 0
    assert len(list(read_rows(out))) == 1


def test_the_bar_leaves_out_what_was_done_before() -> None:
    with tqdm(total=1000, file=io.StringIO()) as bar:
        advance(bar, 900, True)
        assert bar.last_print_n == 900  # the rate is taken from here on
        advance(bar, 10, False)
        assert (bar.initial, bar.n) == (900, 910)
    with tqdm(disable=True) as bar:
        advance(bar, 10, True)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")
def test_a_terminal_is_shown_the_rate_and_the_time_left(tmp_path: Path) -> None:
    import termios

    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command = ["classify", *map(str, SAMPLES), "--out", str(tmp_path / "rows.csv")]
    with subprocess.Popen(
        [sys.executable, "-m", "model", *command, "--workers", "1"], cwd=ROOT, stderr=theirs
    ) as job:
        os.close(theirs)
        said = b""
        try:
            while some := os.read(ours, 4096):
                said += some
        except OSError:
            pass  # Linux says so where nobody is left to write
        os.close(ours)
    assert job.returncode == 0
    shown = said.decode()
    assert f"{len(SAMPLES)} files" in shown
    done = rf"{len(SAMPLES)}/{len(SAMPLES)} \[\d\d:\d\d<\d\d:\d\d, +[\d.]+(?:file/s|s/file)\]"
    assert re.search(done, shown)


@pytest.mark.parametrize("ending", FORMATS)
def test_memory_does_not_grow_with_the_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """What the command's own process holds for 300 files, and for 3,000."""

    class Instant(Pool):
        """Does a chunk by writing that none of its files could be read."""

        def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, bool]]:
            for chunk in chunks:
                places = ({**dict.fromkeys(COLUMNS), "path": s.path} for s in chunk.sources)
                self._store.write(chunk.key, [failed(place, "no picture", "0") for place in places])
                yield chunk, False

    def listed(paths: Sequence[str], passed_over: Counter[str]) -> Iterator[Source]:
        return (Source(f"{paths[0]}/{number:09d}.png") for number in range(count))

    monkeypatch.setattr("model.batch.command.Pool", Instant)
    monkeypatch.setattr("model.batch.command.list_sources", listed)
    monkeypatch.setattr(
        "model.batch.command.describe", lambda batch: {}
    )  # takes more than the rows
    monkeypatch.setattr("model.batch.tables.GROUP", 100)
    batch, peaks = Batch([str(tmp_path)], DEFAULT_MODEL_PATH, progress=False), []
    for count in (1, 300, 3000):  # the first loads what is loaded once
        tracemalloc.start()
        try:
            out = tmp_path / f"{count}{ending}"
            done = classify_to_file(batch, out, summary=False)
            peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        finally:
            tracemalloc.stop()
        assert done == Outcome(files=count, skipped=0, rows=count, errors=count)
    assert peaks[2] - peaks[1] < 1, peaks  # megabytes; the rows alone would take three


def test_a_file_that_kills_its_process_becomes_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(
        "import os\n"
        "from model.batch import worker\n"
        "def start(job):\n"
        "    worker.start(job)\n"
        "    rows_of = worker.rows_of\n"
        "    worker.rows_of = lambda s, *rest: "
        "os._exit(9) if 'deadly' in s.path else rows_of(s, *rest)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from deadly import start  # type: ignore[import-not-found]

    store = Store(tmp_path / "parts")
    store.begin({})
    paths = (str(SAMPLES[0]), "deadly.png", str(SAMPLES[1]))
    chunks = [Chunk("00ab", tuple(map(Source, paths))), Chunk("00cd", (Source(paths[2]),))]
    pool = Pool(Job(DEFAULT_MODEL_PATH, "axial", store.folder), 1, start)
    assert list(pool.run(chunks)) == [(chunk, False) for chunk in chunks]
    found = store.read("00ab")
    assert [row["error"] for row in found] == [None, KILLED, None]
    assert [row["path"] for row in found] == list(paths)
    assert len(store.read("00cd")) == 1


def test_workers_that_cannot_start_are_an_error_and_no_row(tmp_path: Path) -> None:
    store = Store(tmp_path / "parts")
    store.begin({})
    pool = Pool(Job(tmp_path / "none.tflite", "axial", store.folder), 1)
    with pytest.raises(RuntimeError, match="cannot start"):
        list(pool.run([Chunk("00ab", (Source(str(SAMPLES[0])),))]))
    assert not store.done("00ab")


def test_the_listing_is_not_read_far_ahead(tmp_path: Path) -> None:
    store = Store(tmp_path / "parts")
    store.begin({})
    listed = 0

    def chunks() -> Any:
        nonlocal listed
        for number in range(100):
            store.path(key := f"{number:064x}").parent.mkdir(exist_ok=True)
            store.write(key, [])
            listed += 1
            yield Chunk(key, (Source("x"),))

    pool = Pool(Job(DEFAULT_MODEL_PATH, "axial", store.folder), 2)
    for done, (chunk, was_done) in enumerate(pool.run(chunks())):
        assert (int(chunk.key, 16), was_done) == (done, True)
        assert listed - done <= 2 * AHEAD
