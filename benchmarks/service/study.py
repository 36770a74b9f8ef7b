"""A study of 300 slices, as the page Analyse sends it: seconds to the first answer and to all.

`python -m benchmarks.service.study` packs DICOM slices of 512 x 512 pixels, drawn phantoms with
grain, into a zip archive, starts the service as `render.yaml` does, and writes
`benchmarks/reports/study.json`. As the page does, it unpacks the archive a file at a time, sends
the first bytes of each file to have the series sorted out, then the middle slice with its heat map,
then all slices, eight in a request. It takes about a minute; leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import io
import json
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import REPORTS, write_report
from benchmarks.service.load.files import dicom, phantom_image
from benchmarks.service.load.memory import MemoryWatch
from benchmarks.service.load.requests import Ask, multipart, send
from benchmarks.service.load.start import (
    MEASURED,
    add_python,
    free_port,
    running,
    start_command,
    wait_until_up,
)
from model.system import describe_instructions, describe_machine

REPORT = REPORTS / "study.json"
SLICES = 300
SIDE = 512
PHANTOMS = 20  # that are drawn; each slice has grain of its own
AIMS = {"seconds_to_first_answer": 3.0, "seconds_to_all": 20.0, "peak_megabytes": 256.0}
# as static/analyse/study.js and series-job.js have them
HEAD, SENT, ROOM, AT_ONCE = 65536, 12 * 2**20, 400, 8


def main() -> None:
    """Runs the benchmark and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_python(parser)
    options = parser.parse_args()
    archive = packed_study(SLICES, SIDE)
    report = {
        "command": "python -m benchmarks.service.study",
        "machine": describe_machine(),
        "instructions": describe_instructions(),
        "slices": SLICES,
        "side": SIDE,
        "archive_megabytes": round(len(archive) / 1e6, 1),
        "aims": AIMS,
        **measure(options.python, archive),
    }
    write_report(REPORT, report)
    print(json.dumps(report, indent=2))


def packed_study(slices: int, side: int) -> bytes:
    """A zip archive of one series, in order."""
    drawn = [phantom_image(k, side) for k in range(min(PHANTOMS, slices))]
    grain = np.random.default_rng(0)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for place in range(slices):
            noise = grain.integers(0, 8, (side, side), dtype=np.uint8)
            image = np.minimum(drawn[place * len(drawn) // slices], 247) + noise
            content = dicom(
                image, SeriesInstanceUID="1.2.3", SeriesDescription="AX T1 GD",
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, place],
            )  # fmt: skip
            archive.writestr(f"study/IM{place:04d}", content)
    return buffer.getvalue()


def measure(python: Path, archive: bytes) -> dict[str, float]:
    """Seconds from the choice of the archive to the answers, and the service's peak memory.

    Raises:
        RuntimeError: A request is not answered with 200, or a slice not at all.
    """
    port = free_port()
    with running(start_command(python, port), port, MEASURED | {"WARM_UP": "0"}) as service:
        wait_until_up(service.process, f"{service.base}/healthz")
        with MemoryWatch(service.process.pid, every=0.05) as watch:
            began = time.perf_counter()
            with zipfile.ZipFile(io.BytesIO(archive)) as study:
                names = _sorted(port, study)
                middle = names[len(names) // 2]
                _ask(port, "predictions?explain=true&preview=true", study, [middle])
                first = time.perf_counter() - began
                for place in range(0, len(names), AT_ONCE):
                    some = names[place : place + AT_ONCE]
                    found = _ask(port, "predictions?preview=true", study, some)
                    if any("error" in one for one in found["predictions"]):
                        raise RuntimeError(f"a slice of {some} was not answered")
                whole = time.perf_counter() - began
    return {
        "seconds_to_first_answer": round(first, 2),
        "seconds_to_all": round(whole, 2),
        "peak_megabytes": round(watch.peak, 1),
    }


def _sorted(port: int, study: zipfile.ZipFile) -> list[str]:
    """The files of the series that the service chooses, in its order."""
    names = study.namelist()
    most = min(HEAD, SENT // len(names) - ROOM)
    found = _ask(port, "studies?read=false", study, names, most)
    return [names[number] for number in found["series"][found["chosen"]]["order"]]


def _ask(port: int, path: str, study: zipfile.ZipFile, names: Sequence[str], most: int = -1) -> Any:
    files = []
    for name in names:
        with study.open(name) as file:
            files.append((name, file.read(most)))
    body, content_type = multipart(*files)
    answered: list[bytes] = []
    ask = Ask(path, f"/api/v1/{path}", "POST", body, content_type, check=answered.append)
    answer = send(port, ask)
    if answer.status != 200:
        raise RuntimeError(f"POST {path} must be answered with 200. Received: {answer}")
    return json.loads(answered[0])


if __name__ == "__main__":
    main()
