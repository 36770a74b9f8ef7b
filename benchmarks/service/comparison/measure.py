"""This service against what a user would otherwise run, side by side on the same machine.

`python -m benchmarks.service.comparison` serves, one after another and several times over: this app
as shipped; the same network in a plain Flask app with TensorFlow's `model.predict`
(`plain_app.py` beside this module); and the original layout of 11 convolutions in that app. It asks
each for predictions of an uploaded 224-pixel JPEG made from a phantom and writes
`benchmarks/reports/comparison.json` with the ratios. Needs `.venv` and `.venv-dev` (`make serve`
and `make test` make them) and wrk.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import REPORTS, ROOT, write_report
from benchmarks.service.load.files import encoded, phantom_image
from benchmarks.service.load.requests import milliseconds, multipart
from benchmarks.service.load.start import (
    MEASURED,
    Service,
    add_python,
    free_port,
    interpreter,
    megabytes,
    running,
    session_members,
    start_command,
    wait_for_warm_up,
    wait_until_up,
)
from benchmarks.service.load.wrk import throughput
from model.config import PARAMETER_COUNT
from model.system import describe_machine

PLAIN_PYTHON = ROOT / ".venv-dev" / "bin" / "python"
CLIENTS = (1, 4, 16)
COUNT = 60  # predictions one after another
BARS = {
    "throughput_times_the_original": 25.0,
    "memory_times_less_than_the_original": 4.0,
    "first_prediction_times_sooner_than_the_original": 2.5,
    "request_in_bare_inferences": 2.0,
}
WHAT = {
    "ours": "this app, by render.yaml's start command",
    "same": "the same network in a plain Flask app: TensorFlow's model.predict, gunicorn with "
    "1 worker and 4 threads",
    "original": f"the layout of 11 convolutions ({PARAMETER_COUNT:,} parameters, random weights) "
    "in that plain app",
}


@dataclass(frozen=True)
class Contender:
    """Something to measure.

    Attributes:
        command: Starts it on the port given.
        up: An address that answers as soon as the server is up.
        predict: The address that takes the upload.
        settings: Of its environment.
    """

    name: str
    command: Sequence[str]
    port: int
    up: str
    predict: str
    settings: dict[str, str]


def contender(name: str, serving: Path, plain: Path) -> Contender:
    """One of `WHAT`, ready to be started on a free port."""
    port = free_port()
    if name == "ours":
        command = start_command(serving, port)
        return Contender(name, command, port, "/healthz", "/api/v1/predictions", MEASURED)
    command = [str(plain), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    command += ["--threads", "4", "--timeout", "300", "--no-control-socket"]
    command.append(f"benchmarks.service.comparison.plain_app:create_app('{name}')")
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    return Contender(name, command, port, "/", "/predict", settings)


class Uploads:
    """Uploads of one file over one connection."""

    def __init__(self, port: int, path: str, body: bytes, content_type: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._path, self._body = path, body
        self._headers = {"Content-Type": content_type}

    def send(self) -> float:
        """Seconds of one.

        Raises:
            RuntimeError: It was not answered with a prediction.
        """
        started = time.perf_counter()
        self._connection.request("POST", self._path, self._body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200 or b"probabilities" not in content:
            raise RuntimeError(f"{self._path} answered {response.status}: {content[:300]!r}")
        return time.perf_counter() - started


def measure(who: Contender, body: bytes, content_type: str, options: Any) -> dict[str, Any]:
    """One life of a contender."""
    with running(who.command, who.port, who.settings) as service:
        wait_until_up(service.process, service.base + who.up)
        up = time.perf_counter() - service.started
        memory = megabytes(session_members(service.process.pid))
        Uploads(who.port, who.predict, body, content_type).send()
        first = time.perf_counter() - service.started
        if who.name == "ours":
            wait_for_warm_up(service)
        uploads = Uploads(who.port, who.predict, body, content_type)
        one = [uploads.send() for _ in range(COUNT)][COUNT // 10 :]
        loads = [
            throughput(
                service.base + who.predict, body, content_type,
                clients=clients, seconds=options.seconds,
            )
            for clients in CLIENTS
        ]  # fmt: skip
        silent = [load.clients for load in loads if not load.ok]
        if silent:
            raise RuntimeError(
                f"{who.name} answered nothing in {options.seconds} s to {silent} clients; "
                "give it longer: --seconds"
            )
        return {
            "seconds_to_first_answer": round(up, 3),
            "seconds_to_first_prediction": round(first, 3),
            "resident_megabytes_after_start": round(memory, 1),
            "resident_megabytes_after_load": round(session_after_load(service), 1),
            "milliseconds_of_one": milliseconds(one),
            "throughput": {str(load.clients): load.as_dict() for load in loads},
        }


def session_after_load(service: Service) -> float:
    """Resident memory once the last answers are out."""
    time.sleep(1.0)
    return megabytes(session_members(service.process.pid))


def bare_inference(python: Path, file: Path) -> dict[str, float]:
    """Milliseconds of the shipped network alone, in a process of its own."""
    command = [str(python), "-m", "benchmarks.service.comparison.bare_inference", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def median(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The rounds' medians, figure by figure, whatever their nesting."""
    return {
        key: median([one[key] for one in rounds])
        if isinstance(rounds[0][key], dict)
        else round(statistics.median(one[key] for one in rounds), 3)
        for key in rounds[0]
    }


def ratios(found: dict[str, Any], bare: float) -> dict[str, Any]:
    """How many times better this app is, by contender, and its request in bare inferences."""
    ours = found["ours"]
    times = {}
    for name in ("same", "original"):
        other = found[name]
        times[name] = {
            "throughput": {
                clients: round(load["per_second"] / other["throughput"][clients]["per_second"], 2)
                for clients, load in ours["throughput"].items()
            },
            "memory_after_load": _times(other, ours, "resident_megabytes_after_load"),
            "first_answer": _times(other, ours, "seconds_to_first_answer"),
            "first_prediction": _times(other, ours, "seconds_to_first_prediction"),
            "median_latency": round(
                other["milliseconds_of_one"]["p50"] / ours["milliseconds_of_one"]["p50"], 2
            ),
        }
    return {
        "ours_better_than": times,
        "request_in_bare_inferences": round(ours["milliseconds_of_one"]["p50"] / bare, 2),
    }


def _times(other: dict[str, Any], ours: dict[str, Any], key: str) -> float:
    return round(float(other[key] / ours[key]), 2)


def against_bars(found: dict[str, Any]) -> dict[str, bool]:
    """Which bars were kept: of throughput the worst number of clients counts."""
    times = found["ours_better_than"]["original"]
    return {
        "throughput_times_the_original": min(times["throughput"].values())
        >= BARS["throughput_times_the_original"],
        "memory_times_less_than_the_original": times["memory_after_load"]
        >= BARS["memory_times_less_than_the_original"],
        "first_prediction_times_sooner_than_the_original": times["first_prediction"]
        >= BARS["first_prediction_times_sooner_than_the_original"],
        "request_in_bare_inferences": found["request_in_bare_inferences"]
        <= BARS["request_in_bare_inferences"],
    }


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """The content of the report."""
    picture = encoded(phantom_image(0), "JPEG", quality=92)
    body, content_type = multipart(("slice.jpg", picture))
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in WHAT}
    bare = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "slice.jpg"
        file.write_bytes(picture)
        for number in range(options.rounds):
            bare.append(bare_inference(options.python, file))
            for name in WHAT:
                print(f"round {number + 1} of {options.rounds}: {name}", flush=True)
                who = contender(name, options.python, options.plain_python)
                rounds[name].append(measure(who, body, content_type, options))
            bare.append(bare_inference(options.python, file))
    found = {name: median(rounds[name]) for name in WHAT}
    inference = median(bare)
    better = ratios(found, inference["p50"])
    return {
        "command": "python -m benchmarks.service.comparison",
        "machine": describe_machine(),
        "rounds": options.rounds,
        "seconds_of_each_load": options.seconds,
        "figures": "medians over the rounds; MB of 10^6 bytes, of all processes",
        "what": WHAT,
        "bare_inference_milliseconds": inference,
        **found,
        **better,
        "bars": BARS,
        "kept": against_bars(better),
    }


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_python(parser)
    parser.add_argument(
        "--plain-python", type=interpreter, default=str(PLAIN_PYTHON), help="has TensorFlow"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure each")
    parser.add_argument("--seconds", type=int, default=15, help="of each load by wrk")
    parser.add_argument("--out", type=Path, default=REPORTS / "comparison.json")
    options = parser.parse_args()
    report = compare(options)
    write_report(options.out, report)
    print(json.dumps(report, indent=2))
