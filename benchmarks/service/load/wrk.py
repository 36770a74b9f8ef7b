"""Throughput by wrk (https://github.com/wg/wrk; Debian's package `wrk`), from a process of its own.

A 503 with Retry-After is neither an answer nor a failure: the client comes again when told to.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("wrk.lua")
TIMEOUT = 60  # seconds that wrk waits for an answer


class WrkError(RuntimeError):
    """wrk is missing or failed; one sentence."""


@dataclass(frozen=True)
class Throughput:
    """What wrk counted.

    Attributes:
        clients: Connections at a time.
        ok: Answers of status 200.
        busy: Of status 503.
        failed: Of any other status.
        broken: Connections refused, broken or without an answer in time.
        seconds: How long it asked.
        p50, p95: Milliseconds of all answers.
    """

    clients: int
    ok: int
    busy: int
    failed: int
    broken: int
    seconds: float
    p50: float
    p95: float

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.ok / self.seconds

    def as_dict(self) -> dict[str, float]:
        """For a report."""
        return {
            "per_second": round(self.per_second, 2), "p50": self.p50, "p95": self.p95,
            "answers": self.ok, "busy": self.busy, "failed": self.failed, "broken": self.broken,
        }  # fmt: skip


def parse(output: str, clients: int) -> Throughput:
    """Reads what `wrk.lua` printed.

    Raises:
        WrkError: It printed no result.
    """
    for line in output.splitlines():
        if line.startswith("RESULT "):
            return Throughput(clients=clients, **json.loads(line.removeprefix("RESULT ")))
    raise WrkError(f"wrk printed no result: {output[-500:]!r}")


def throughput(
    address: str, body: bytes, content_type: str, *, clients: int, seconds: int
) -> Throughput:
    """Posts a body over and over, from so many connections.

    Raises:
        WrkError: wrk is missing or failed.
    """
    if shutil.which("wrk") is None:
        raise WrkError("wrk is not installed; on Debian `apt-get install wrk` does it.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "body"
        file.write_bytes(body)
        command = ["wrk", "--threads", "1", "--connections", str(clients)]
        command += ["--duration", f"{seconds}s", "--timeout", f"{TIMEOUT}s"]
        command += ["--script", str(SCRIPT), address, "--", str(file), content_type]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise WrkError(f"wrk failed with status {done.returncode}: {done.stderr.strip()}")
    return parse(done.stdout, clients)
