"""Start-up time, memory and prediction time of the web app, as a user would start it.

`python -m benchmarks.serving` starts `app.py` in the serving environment (`.venv`, made by
`make serve`) on a free port, waits for it, asks for pages and predictions, and writes
`benchmarks/reports/serving.json`. Seconds depend on the machine, which the report names.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from model.machine import describe_machine

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "benchmarks" / "reports" / "serving.json"
TIMEOUT = 120.0


def main() -> None:
    """Runs the benchmark and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=ROOT / ".venv" / "bin" / "python")
    parser.add_argument("--starts", type=int, default=5, help="how often to start the app")
    options = parser.parse_args()
    if not options.python.exists():
        parser.error(f"--python must be an interpreter (`make serve` makes it): {options.python}")
    runs = [measure(options.python) for _ in range(options.starts)]
    report = {
        "command": "python -m benchmarks.serving",
        "machine": describe_machine(),
        "starts": options.starts,
        "median": {key: statistics.median(run[key] for run in runs) for key in runs[0]},
        "installed_megabytes": folder_megabytes(options.python.parent.parent),
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


def measure(python: Path) -> dict[str, float]:
    """One start of the app.

    Returns:
        Seconds from process start to the first answer, the first gallery page and the first
        prediction; milliseconds of a prediction over HTTP (median) and of the inference alone;
        resident megabytes of all its processes after the first answer and at the end.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    # The embedded gallery, so that the report does not depend on what is on this machine, and
    # nothing predicted ahead, so that each request waits for its own inference.
    environment = os.environ | {
        "PORT": str(port),
        "GALLERY_DIR": str(ROOT / "data" / "samples"),
        "LOG_LEVEL": "WARNING",
        "WARM_UP": "0",
    }
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            [str(python), "app.py"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        try:
            wait_until_up(process, f"{base}/healthz")
            up = time.perf_counter() - started
            memory_up = resident_megabytes(process.pid)
            get(f"{base}/")
            page = time.perf_counter() - started
            samples = json.loads(get(f"{base}/api/v1/samples"))["samples"]
            first = json.loads(get(f"{base}/api/v1/samples/{samples[0]['id']}/prediction"))
            first_prediction = time.perf_counter() - started
            inference, request = [first["milliseconds"]], []
            for sample in samples[1:]:
                asked = time.perf_counter()
                body = get(f"{base}/api/v1/samples/{sample['id']}/prediction")
                request.append((time.perf_counter() - asked) * 1000)
                inference.append(json.loads(body)["milliseconds"])
            memory_end = resident_megabytes(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)
    return {
        "seconds_to_first_answer": up,
        "seconds_to_first_page": page,
        "seconds_to_first_prediction": first_prediction,
        "milliseconds_per_inference": statistics.median(inference),
        "milliseconds_per_request": statistics.median(request),
        "resident_megabytes_at_start": memory_up,
        "resident_megabytes_after_40_predictions": memory_end,
    }


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


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process and its children, in MB of 10^6 bytes."""
    parent = psutil.Process(pid)
    members: list[Any] = [parent, *parent.children(recursive=True)]
    return float(sum(member.memory_info().rss for member in members) / 1e6)


def folder_megabytes(folder: Path) -> float:
    """Size of all files in a folder, in MB of 10^6 bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


if __name__ == "__main__":
    main()
