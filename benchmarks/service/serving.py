"""Start-up time, memory and prediction time of the web app, as a user would start it.

`python -m benchmarks.service.serving` starts `app.py` in the serving environment (`.venv`, made by
`make serve`) on a free port, waits for it, asks for pages and predictions, and writes
`benchmarks/reports/serving.json`. Seconds depend on the machine, which the report names.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

from benchmarks.report import REPORTS, write_report
from benchmarks.service.load.start import (
    MEASURED,
    add_python,
    free_port,
    get,
    megabytes,
    running,
    session_members,
    wait_until_up,
)
from model.system import describe_machine

REPORT = REPORTS / "serving.json"


def main() -> None:
    """Runs the benchmark and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_python(parser)
    parser.add_argument("--starts", type=int, default=5, help="how often to start the app")
    options = parser.parse_args()
    runs = [measure(options.python) for _ in range(options.starts)]
    report = {
        "command": "python -m benchmarks.service.serving",
        "machine": describe_machine(),
        "starts": options.starts,
        "median": {key: statistics.median(run[key] for run in runs) for key in runs[0]},
        "installed_megabytes": folder_megabytes(options.python.parent.parent),
    }
    write_report(REPORT, report)
    print(json.dumps(report, indent=2))


def measure(python: Path) -> dict[str, float]:
    """One start of the app.

    Returns:
        Seconds from process start to the first answer, the first gallery page and the first
        prediction; milliseconds of a prediction over HTTP (median) and of the inference alone;
        resident megabytes of all its processes after the first answer and at the end.
    """
    # The embedded gallery, and nothing predicted ahead, so that each request waits for its own
    # inference.
    port = free_port()
    settings = MEASURED | {"WARM_UP": "0"}
    with running([str(python), "app.py"], port, settings) as service:
        base = service.base
        wait_until_up(service.process, f"{base}/healthz")
        up = time.perf_counter() - service.started
        memory_up = megabytes(session_members(service.process.pid))
        get(f"{base}/")
        page = time.perf_counter() - service.started
        samples = json.loads(get(f"{base}/api/v1/samples"))["samples"]
        first = json.loads(get(f"{base}/api/v1/samples/{samples[0]['id']}/prediction"))
        first_prediction = time.perf_counter() - service.started
        inference, request = [first["milliseconds"]], []
        for sample in samples[1:]:
            asked = time.perf_counter()
            body = get(f"{base}/api/v1/samples/{sample['id']}/prediction")
            request.append((time.perf_counter() - asked) * 1000)
            inference.append(json.loads(body)["milliseconds"])
        memory_end = megabytes(session_members(service.process.pid))
    return {
        "seconds_to_first_answer": up,
        "seconds_to_first_page": page,
        "seconds_to_first_prediction": first_prediction,
        "milliseconds_per_inference": statistics.median(inference),
        "milliseconds_per_request": statistics.median(request),
        "resident_megabytes_at_start": memory_up,
        "resident_megabytes_after_40_predictions": memory_end,
    }


def folder_megabytes(folder: Path) -> float:
    """Size of all files in a folder, in MB of 10^6 bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


if __name__ == "__main__":
    main()
