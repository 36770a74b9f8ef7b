"""A long run at 80% of peak load, of good and bad requests, with a graceful restart on the way.

`python -m benchmarks.service.soak --minutes 30` starts the service by `render.yaml`'s start command
in `.venv`, finds its peak in a short ramp, then sends 80% of that at a fixed rate whether or not
earlier answers are out (an open loop). Each answer is compared with what the classifier says. On
the way the service is restarted by gunicorn's two ways: SIGHUP (new workers for old) and SIGUSR2 (a
second master, started before the first one stops). The load comes from this process, on the same
processors as the service. Writes `benchmarks/reports/soak.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import REPORTS, write_report
from benchmarks.service.load.memory import MemoryWatch, slope
from benchmarks.service.load.mix import Catalogue, catalogue, mixed
from benchmarks.service.load.requests import Answer, at_rate, by_clients, summary
from benchmarks.service.load.start import (
    MEASURED,
    TIMEOUT,
    Service,
    add_python,
    free_port,
    get,
    running,
    start_command,
    wait_for_warm_up,
    wait_until_up,
)
from model.system import describe_machine

SHARE = 0.8
RAMP = (1, 2, 4, 8)
STEP = 10.0  # seconds of each step of the ramp
SAMPLE = 5.0  # seconds between samples of memory
SETTLE = 0.2  # of each stretch between restarts, left out of the slope
RESTART_AT = (2 / 3, 5 / 6)  # of the time: the first stretch is long, for memory's sake
RESTARTS = ("hup", "usr2")
OVERLAP = 10.0  # seconds that both masters live, while the second one's workers load the app
AROUND = 10.0  # seconds after a restart whose answers are counted to it


@dataclass
class Restart:
    """A graceful restart, and how it went.

    Attributes:
        kind: One of `RESTARTS`.
        at: When it began, by `time.perf_counter`.
        seconds: Until the old processes were gone.
    """

    kind: str
    at: float
    seconds: float


def wait_for(ready: Callable[[], bool], what: str) -> None:
    """Waits until something is so.

    Raises:
        RuntimeError: It takes too long.
    """
    until = time.perf_counter() + TIMEOUT
    while not ready():
        if time.perf_counter() > until:
            raise RuntimeError(f"{what} within {TIMEOUT:.0f} s")
        time.sleep(0.1)


class Master:
    """gunicorn's present master, which a restart may replace."""

    def __init__(self, service: Service) -> None:
        self.session = service.process.pid
        self.pid = service.process.pid

    def children(self, pid: int | None = None) -> list[psutil.Process]:
        """What the master, or another one, has started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found: list[psutil.Process] = psutil.Process(pid or self.pid).children()
            return found
        return []

    def hup(self) -> None:
        """New workers for old."""
        old = {child.pid for child in self.children()}
        os.kill(self.pid, signal.SIGHUP)
        wait_for(
            lambda: bool(self.children()) and not old & {c.pid for c in self.children()},
            "the old workers did not end",
        )

    def usr2(self) -> None:
        """A second master, and once its workers are there the end of the first."""
        old, workers = self.pid, {child.pid for child in self.children()}
        os.kill(old, signal.SIGUSR2)

        def started() -> bool:
            new = [c.pid for c in self.children(old) if c.pid not in workers]
            self.pid = new[0] if new else old
            return self.pid != old and bool(self.children())

        wait_for(started, "no second master has workers")
        time.sleep(OVERLAP)
        os.kill(old, signal.SIGTERM)
        wait_for(lambda: not _runs(old), "the first master did not end")


def _runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def find_peak(port: int, asks: Catalogue) -> dict[str, float]:
    """Good answers a second by number of clients, each asking as fast as it is answered."""
    found = {}
    for clients in RAMP:
        started = time.perf_counter()
        answers = by_clients(port, mixed(asks, seed=clients), clients, STEP)
        good = sum(answer.wrong is None and not answer.busy for answer in answers)
        found[str(clients)] = round(good / (time.perf_counter() - started), 2)
    return found


def restart_while_running(master: Master, seconds: float, done: list[Restart]) -> None:
    """Restarts at `RESTART_AT` of that time."""
    started = time.perf_counter()
    for kind, share in zip(RESTARTS, RESTART_AT, strict=True):
        due = started + seconds * share
        time.sleep(max(0.0, due - time.perf_counter()))
        at = time.perf_counter()
        getattr(master, kind)()
        done.append(Restart(kind, at, time.perf_counter() - at))


def around(answers: Sequence[Answer], restart: Restart) -> dict[str, Any]:
    """What came of the requests that were due in a restart or soon after it."""
    end = restart.at + restart.seconds + AROUND
    some = [answer for answer in answers if restart.at <= answer.at <= end]
    return {
        "kind": restart.kind,
        "seconds": round(restart.seconds, 2),
        "requests": len(some),
        "lost": sum(answer.lost for answer in some),
        "wrong": sum(answer.wrong is not None for answer in some),
        "busy": sum(answer.busy for answer in some),
        "slowest_seconds": round(max((answer.seconds for answer in some), default=0.0), 2),
    }


def soak(service: Service, asks: Catalogue, seconds: float) -> dict[str, Any]:
    """Ramp and long run."""
    wait_until_up(service.process, f"{service.base}/healthz")
    wait_for_warm_up(service)
    get(f"{service.base}/")
    peaks = find_peak(service.port, asks)
    rate = SHARE * max(peaks.values())
    print(f"peak {max(peaks.values()):.1f} a second, soaking at {rate:.1f}", flush=True)
    master, restarts = Master(service), list[Restart]()
    restarter = threading.Thread(
        target=restart_while_running, args=(master, seconds, restarts), daemon=True
    )
    with MemoryWatch(service.process.pid, SAMPLE) as watch:
        restarter.start()
        answers = list(at_rate(service.port, mixed(asks), rate, seconds))
        restarter.join(timeout=180)
    if len(restarts) != len(RESTARTS):
        raise RuntimeError(f"a restart did not end. {service.said()}")
    found = summary(answers)
    return {
        "peak_per_second_by_clients": peaks,
        "rate_per_second": round(rate, 2),
        "seconds": seconds,
        **found,
        "restarts": [around(answers, restart) for restart in restarts],
        "memory": slope(watch.samples, SETTLE),
        "kept": {
            "no_error_that_should_not_be": not found["wrong"],
            "no_request_lost": found["lost"] == 0,
            "never_busy": found["busy"] == 0,
        },
    }


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    add_python(parser)
    parser.add_argument("--out", type=Path, default=REPORTS / "soak.json")
    options = parser.parse_args()
    asks, port = catalogue(), free_port()
    with running(start_command(options.python, port), port, MEASURED) as service:
        try:
            found = soak(service, asks, options.minutes * 60)
        except RuntimeError as error:
            sys.exit(str(error))
    report = {
        "command": f"python -m benchmarks.service.soak --minutes {options.minutes:g}",
        "machine": describe_machine(),
        "load_comes_from": "another process on the same processors",
        **found,
    }
    write_report(options.out, report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
