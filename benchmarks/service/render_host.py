"""The service as Render's free plan would run it: 512 MB of memory and a tenth of one processor.

`python -m benchmarks.service.render_host` puts the start command of `render.yaml` into a control
group with these limits, in the serving environment (`.venv`, made by `make serve`), measures the
cold start and the first prediction, then sends 200 mixed requests, and writes
`benchmarks/reports/render_host.json`. The requests come from outside the group. It needs the right
to make control groups: root, or a privileged container.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.report import REPORTS, write_report
from benchmarks.service.load.control_groups import ControlGroupError, Group, limited
from benchmarks.service.load.memory import MemoryWatch
from benchmarks.service.load.mix import Catalogue, catalogue, fixed_mix
from benchmarks.service.load.requests import Ask, by_clients, send, summary
from benchmarks.service.load.start import (
    MEASURED,
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

MEGABYTES = 512.0
SHARE = 0.1
REQUESTS = 200
CLIENTS = 2
BARS = {"peak_megabytes": 256.0, "seconds_to_first_page": 20.0, "seconds_with_heat_map": 3.0}


def answered(service: Service, ask: Ask) -> float:
    """Seconds of a request whose answer is as it should be.

    Raises:
        RuntimeError: It is not.
    """
    answer = send(service.port, ask)
    if answer.wrong or answer.busy:
        raise RuntimeError(f"{ask.kind}: {answer.wrong or answer.status}. {service.said()}")
    return answer.seconds


def cold_start(service: Service, asks: Catalogue) -> dict[str, float]:
    """Seconds from the start to the first answers, and of the first predictions themselves."""

    def since() -> float:
        return time.perf_counter() - service.started

    wait_until_up(service.process, f"{service.base}/healthz")
    found = {"seconds_to_healthz": since()}
    get(f"{service.base}/")
    found["seconds_to_first_page"] = since()
    found["seconds_of_first_prediction"] = answered(service, asks["jpeg"][0])
    found["seconds_to_first_prediction"] = since()
    found["seconds_of_first_heat_map"] = answered(service, asks["upload with map"][1])
    return found


def heat_maps(service: Service, asks: Catalogue, count: int) -> list[float]:
    """Seconds of uploads with heat map, one after another."""
    maps = asks["upload with map"]
    return [answered(service, maps[k % len(maps)]) for k in range(count)]


def measure(python: Path, group: Group, asks: Catalogue) -> dict[str, Any]:
    """One life of the service in the group."""
    port = free_port()
    command = group.wrap(start_command(python, port))
    with (
        running(command, port, MEASURED) as service,
        MemoryWatch(service.process.pid, 0.1) as watch,
    ):
        start = cold_start(service, asks)
        early = heat_maps(service, asks, 3)
        warm = wait_for_warm_up(service)
        late = heat_maps(service, asks, 5)
        before = set(group.pids())
        mix = fixed_mix(asks, REQUESTS)
        started = time.perf_counter()
        answers = by_clients(port, mix, CLIENTS, float("inf"))
        seconds = time.perf_counter() - started
        peak = group.peak_bytes()
        return {
            **{name: round(value, 3) for name, value in start.items()},
            "seconds_to_whole_gallery_read": round(warm, 1),
            "seconds_with_heat_map": {
                "while_the_gallery_is_read": [round(value, 3) for value in early],
                "afterwards": [round(value, 3) for value in late],
            },
            "mixed": {
                "clients": CLIENTS, "seconds": round(seconds, 1), **summary(answers),
            },
            "peak_megabytes": None if peak is None else round(peak / 1e6, 1),
            "peak_resident_megabytes": round(watch.peak, 1),
            "at_the_end_megabytes": {k: round(v / 1e6, 1) for k, v in group.used_bytes().items()},
            "killed_for_memory": group.kills(),
            "same_processes_to_the_end": before == set(group.pids()),
            "throttled_seconds": round(group.throttled_seconds(), 1),
        }  # fmt: skip


def against_bars(found: dict[str, Any]) -> dict[str, bool]:
    """Which bars were kept; the kernel's peak counts, or the processes' where it has none."""
    peak = found["peak_megabytes"] or found["peak_resident_megabytes"]
    maps = found["seconds_with_heat_map"]
    slowest = max(*maps["while_the_gallery_is_read"], *maps["afterwards"])
    mixed = found["mixed"]
    return {
        "peak_megabytes": peak < BARS["peak_megabytes"],
        "seconds_to_first_page": found["seconds_to_first_page"] < BARS["seconds_to_first_page"],
        "seconds_with_heat_map": slowest < BARS["seconds_with_heat_map"],
        "nothing_killed": found["killed_for_memory"] == 0 and found["same_processes_to_the_end"],
        "every_answer_right": not mixed["wrong"] and not mixed["lost"],
    }


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_python(parser)
    parser.add_argument("--out", type=Path, default=REPORTS / "render_host.json")
    options = parser.parse_args()
    try:
        with limited(megabytes=MEGABYTES, share=SHARE) as group:
            found = measure(options.python, group, catalogue())
    except ControlGroupError as error:
        sys.exit(str(error))
    report = {
        "command": "python -m benchmarks.service.render_host",
        "machine": describe_machine(),
        "limits": {
            "control_groups": f"version {group.version}", "megabytes": MEGABYTES,
            "processor_share": SHARE, "swap": "none",
        },
        "load_average_before": round(os.getloadavg()[0], 2),
        "peak_megabytes_counts": "all memory charged to the group, page cache included",
        **found,
        "bars": BARS,
        "kept": against_bars(found),
    }  # fmt: skip
    write_report(options.out, report)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
