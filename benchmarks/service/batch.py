"""Throughput and memory of `python -m model classify`, and what more machines would make of it.

`python -m benchmarks.service.batch` classifies 1,000 and 10,000 JPEGs of 224 pixels, recompressed
from the gallery's phantoms, with the command that a user runs, in the serving environment, and
writes `benchmarks/reports/batch.json`. `--ray` also runs it on Ray Data with one and two actors, in
this environment. Nothing else should run beside it; how many cores were busy before each run is in
the report.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks.report import REPORTS, ROOT, write_report
from model.batch.worker import ONE_THREAD
from model.config import IMAGE_SIZE
from model.inference.classifier import Classifier
from model.preprocessing import load_image
from model.system import describe_machine

REPORT = REPORTS / "batch.json"
SAMPLES = ROOT / "data" / "samples"
TIMED = 200  # images whose steps are timed one by one
PROBE = "--probe"  # the benchmark's own name for a process that times the steps alone

MILLION = 1_000_000
PRICE = {
    "provider": "Amazon Web Services, on demand, us-east-1, Linux",
    "instance": "c7i.4xlarge",
    "cores": 16,  # virtual ones
    "dollars_an_hour": 0.714,
    "known": "2024; list prices change: check it before you rely on it",
}


def main() -> None:
    """Runs the benchmark and writes the report."""
    if sys.argv[1:2] == [PROBE]:
        print(json.dumps(probe(Path(sys.argv[2]))))
        return
    from benchmarks.service.load.start import add_python  # the probe's environment lacks psutil

    parser = argparse.ArgumentParser(description=__doc__)
    add_python(parser)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--ray", action="store_true", help="also measure Ray Data")
    parser.add_argument("--ray-images", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options, Path(folder))
    write_report(options.out, report)
    print(json.dumps(report, indent=2))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole report."""
    workers = len(os.sched_getaffinity(0))
    images = make_images(folder / "images", max(options.images))
    report: dict[str, Any] = {
        "command": "python -m benchmarks.service.batch" + " --ray" * options.ray,
        "machine": describe_machine(),
        "workers": workers,
        "load_before": load(),
        "steps": probe_alone(images, 1),
        "steps_all_cores": probe_alone(images, workers),
        "threads": threads(images, workers),
        "processes": [
            run_local(options.python, take(folder, images, n), workers) for n in options.images
        ],
    }
    best = report["processes"][-1]
    a_core = workers * 1000 / best["images_a_second"]  # milliseconds of a core for an image
    for name in ("steps", "steps_all_cores"):
        steps = report[name]
        report[name]["ratio"] = a_core / (steps["decode_ms"] + steps["inference_ms"])
    report["resumed"] = resume(options.python, take(folder, images, options.images[-1]), workers)
    if options.ray:
        some = take(folder, images, min(options.ray_images, len(images)))
        report["ray"] = {
            "version": metadata.version("ray"),
            "runs": [run_ray(some, actors) for actors in (1, 2)],
        }
    report["computed"] = computed(best["images_a_second"] / workers)
    return report


def make_images(folder: Path, count: int) -> list[Path]:
    """JPEGs of phantoms: every picture under many names, at several qualities."""
    folder.mkdir()
    pictures = []
    for path in sorted(SAMPLES.glob("*.png")):
        grey = Image.open(path).convert("L").resize((IMAGE_SIZE, IMAGE_SIZE))
        for quality in (75, 85, 95):
            buffer = io.BytesIO()
            grey.save(buffer, "JPEG", quality=quality)
            pictures.append(buffer.getvalue())
    paths = [folder / f"{number % 100:02d}" / f"{number:06d}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pictures[number % len(pictures)])
    return paths


def take(folder: Path, images: list[Path], count: int) -> Path:
    """A folder with so many of the images."""
    part = folder / f"images-{count}"
    if not part.exists():
        for path in images[:count]:
            target = part / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)
    return part


def probe_alone(images: list[Path], processes: int) -> dict[str, float]:
    """Milliseconds of each step, in so many processes at once: the mean of their medians."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.service.batch",
        PROBE,
        str(images[0].parent.parent),
    ]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE)
        for _ in range(processes)
    ]
    found = [json.loads(process.communicate()[0]) for process in running]
    return {name: statistics.mean(one[name] for one in found) for name in found[0]}


def probe(folder: Path) -> dict[str, float]:
    """Medians of decoding with preparing, and of inference with judging, of single images."""
    images = sorted(folder.rglob("*.jpg"))
    classifier = Classifier.load(threads=1)
    classifier.predict(load_image(images[0]))
    decode, inference = [], []
    for number in range(TIMED):
        started = time.perf_counter()
        image = load_image(images[number % len(images)].read_bytes())
        decoded = time.perf_counter()
        classifier.predict(image)
        decode.append((decoded - started) * 1000)
        inference.append((time.perf_counter() - decoded) * 1000)
    return {"decode_ms": statistics.median(decode), "inference_ms": statistics.median(inference)}


def threads(images: list[Path], workers: int) -> dict[str, float]:
    """The same with a thread for each core instead of a process: one interpreter each."""
    local, some = threading.local(), images[: 4 * TIMED]

    def classify(path: Path) -> None:
        if not hasattr(local, "classifier"):
            local.classifier = Classifier.load(threads=1)
        local.classifier.predict(load_image(path.read_bytes()))

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(classify, images[:workers]))
        started = time.perf_counter()
        list(pool.map(classify, some))
        seconds = time.perf_counter() - started
    return {"images": len(some), "seconds": seconds, "images_a_second": len(some) / seconds}


def run_local(python: Path, folder: Path, workers: int) -> dict[str, Any]:
    """One run of the command, from its start to the written summary."""
    out = folder.with_suffix(".jsonl")
    return timed(python, folder, out, "--workers", str(workers), "--fresh")


def resume(python: Path, folder: Path, workers: int) -> dict[str, Any]:
    """The same run again, with everything done."""
    return timed(python, folder, folder.with_suffix(".jsonl"), "--workers", str(workers))


def run_ray(folder: Path, actors: int) -> dict[str, Any]:
    """One run on Ray Data, with its start."""
    out = folder.with_name(f"ray-{actors}")
    done = timed(Path(sys.executable), folder, out, "--ray", "--workers", str(actors), memory=False)
    shutil.rmtree(out)
    return {"actors": actors} | done


def timed(
    python: Path, folder: Path, out: Path, *arguments: str, memory: bool = True
) -> dict[str, Any]:
    """Runs the command.

    Returns:
        `images`, `seconds`, `images_a_second`, `core_ms_an_image` (processor time, its start
        included; without what a Ray cluster uses), `load_before` and, with `memory`,
        `peak_megabytes`, the most that its processes held together, in MB of 10^6 bytes (shared
        pages count for each).
    """
    images = sum(1 for path in folder.rglob("*.jpg"))
    command = [python, "-m", "model", "classify", folder, "--out", out, *arguments]
    before, cpu, started = load(), children_seconds(), time.perf_counter()
    job = subprocess.Popen(list(map(str, command)), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    peak = watched(job.pid, lambda: job.poll() is None) if memory else None
    said = job.communicate()[1]
    seconds = time.perf_counter() - started
    if job.returncode:
        raise RuntimeError(f"`{' '.join(map(str, command))}` failed: {said}")
    found = {
        "images": images,
        "seconds": seconds,
        "images_a_second": images / seconds,
        "core_ms_an_image": (children_seconds() - cpu) * 1000 / images,
    }
    return found | {"load_before": before} | ({} if peak is None else {"peak_megabytes": peak})


def load() -> float:
    """How many cores other work uses now; the load average would include the run before."""
    return float(psutil.cpu_percent(interval=2)) / 100 * (os.cpu_count() or 1)


def children_seconds() -> float:
    """Processor time of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def watched(pid: int, running: Callable[[], bool]) -> float:
    """The most memory that a process and its children held together while it ran."""
    peak = 0
    while running():
        held = 0
        try:
            parent = psutil.Process(pid)
            for process in (parent, *parent.children(recursive=True)):
                held += process.memory_info().rss
        except psutil.NoSuchProcess:
            pass  # it ended while we looked
        peak = max(peak, held)
        time.sleep(0.1)
    return peak / 1e6


def computed(images_a_core_second: float) -> dict[str, Any]:
    """Computed, not measured: what more cores of the measured speed would do."""
    a_node = images_a_core_second * PRICE["cores"]  # type: ignore[operator]
    return {
        "assumes": "every core as fast as one here, and storage that keeps up",
        "price": PRICE,
        "dollars_a_million": MILLION / a_node / 3600 * PRICE["dollars_an_hour"],  # type: ignore[operator]
        "hours_for_ten_million": {
            str(nodes): 10 * MILLION / (a_node * nodes) / 3600 for nodes in (1, 4, 16, 64)
        },
    }


if __name__ == "__main__":
    main()
