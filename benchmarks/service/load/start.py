"""Starts the service as `render.yaml` does, on a free port of this machine, and stops it again."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import yaml

from benchmarks.report import ROOT

TIMEOUT = 120.0  # seconds that a start may take
SERVING_PYTHON = ROOT / ".venv" / "bin" / "python"
MEASURED = {
    "GALLERY_DIR": str(ROOT / "data" / "samples"),  # so that reports tell nothing of this machine
    "LOG_LEVEL": "WARNING",
    "RATE_LIMIT": "off",  # every request comes from one address
}


@dataclass(frozen=True)
class Service:
    """A started service.

    Attributes:
        process: The one that was started: gunicorn's master.
        port: Where it listens.
        started: When, by `time.perf_counter`.
        output: What it wrote.
    """

    process: subprocess.Popen[bytes]
    port: int
    started: float
    output: IO[bytes]

    @property
    def base(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        """The end of what it wrote."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")[-2000:]


def interpreter(text: str) -> Path:
    """The interpreter of a command line's `--python`.

    Raises:
        argparse.ArgumentTypeError: It is not there.
    """
    if not Path(text).exists():
        raise argparse.ArgumentTypeError(f"there is no {text}; `make serve` makes it")
    return Path(text)


def add_python(parser: argparse.ArgumentParser) -> None:
    """Adds `--python`, which runs the service."""
    parser.add_argument(
        "--python", type=interpreter, default=str(SERVING_PYTHON), help="runs the service"
    )


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start_command(python: Path, port: int) -> list[str]:
    """The start command of `render.yaml`, with this Python's gunicorn, for this machine alone."""
    blueprint = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))
    words = shlex.split(blueprint["services"][0]["startCommand"])
    words = [word.replace("0.0.0.0:$PORT", f"127.0.0.1:{port}") for word in words]
    if words[0] != "gunicorn" or f"127.0.0.1:{port}" not in words:
        raise ValueError(f"`startCommand` must run gunicorn on 0.0.0.0:$PORT. Received: {words}")
    # the script, not `-m`: gunicorn starts itself anew by it where SIGUSR2 asks for a second master
    return [str(python), str(python.with_name("gunicorn")), *words[1:]]


@contextlib.contextmanager
def running(
    command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Runs a server while the block runs; every process of its session ends with it."""
    settings = os.environ | {"PORT": str(port)} | dict(environment or {})
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=settings, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield Service(process, port, started, output)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a session: asks first, and insists after half a minute."""
    members = session_members(process.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(number)
        _, members = psutil.wait_procs(members, timeout=30)
    process.wait()


def wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    """Asks until the app answers; raises RuntimeError when it ends or takes too long."""
    limit = time.perf_counter() + TIMEOUT
    while time.perf_counter() < limit:
        if process.poll() is not None:
            raise RuntimeError(f"app.py ended with status {process.returncode} before it answered")
        try:
            get(url)
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError(f"app.py did not answer within {TIMEOUT:.0f} s")


def get(url: str) -> bytes:
    """Body of a page."""
    with urllib.request.urlopen(url, timeout=30) as response:
        return bytes(response.read())


def wait_for_warm_up(service: Service) -> float:
    """Seconds from the start until the whole gallery has been read."""
    while True:
        samples = json.loads(get(f"{service.base}/api/v1/samples"))["samples"]
        if all(sample["result"] is not None for sample in samples):
            return time.perf_counter() - service.started
        time.sleep(2.0)


def session_members(number: int) -> list[psutil.Process]:
    """The living processes of a session."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def megabytes(members: Iterable[psutil.Process]) -> float:
    """Resident memory of processes, in MB of 10^6 bytes."""
    total = 0
    for process in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6
