"""Auditing and training on more images than fit the memory: time, peak memory, disk.

`python -m benchmarks.training.training_at_size` makes a dataset of 100,000 distinct JPEG files in a
temporary folder, from a few hundred phantoms that are turned, stretched, moved and shaded, brings
them into an image store, audits them, trains a few steps on them, deletes the folder, and writes
`benchmarks/reports/training_at_size.json`. Takes about 8 GB of disk meanwhile. Every stage is a
process of its own, whose peak memory the kernel tells: `peak` is the most that was resident, code
and libraries included, `anonymous` what of it was the process's own data at the end. The images
are read from their file and not mapped, so the kernel's page cache is in neither. What runs beside
it makes `seconds` longer and leaves `processor_seconds` as they are.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.report import REPORTS, ROOT, write_report
from data.phantoms import make_phantom
from model.config import CLASS_NAMES, TrainingConfig
from model.system import describe_machine

REPORT = REPORTS / "training_at_size.json"
FIRST_SEED = 3_000_000
STEPS = 3
BATCHES = 20  # of 32 images, that are made without a step
LIMIT = 3000  # megabytes of memory


def main() -> None:
    """Runs every stage and writes the report, or runs the one stage that it was started for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--phantoms", type=int, default=100, help="of each class, to vary")
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--workers", type=int, default=0, help="processes that augment")
    parser.add_argument("--stage", choices=tuple(STAGES_HERE), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    bases = options.phantoms * len(CLASS_NAMES)
    if bases < 1 or options.phantoms % 5 or options.images < bases or options.images % bases:
        parser.error("--phantoms must be a multiple of 5, and --images one of 4 times as many")
    if options.stage:
        started, used, load = time.perf_counter(), time.process_time(), os.getloadavg()[0]
        found = STAGES_HERE[options.stage](options)
        spent = {
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - used,
            "load_before": load,
        }
        print(json.dumps(spent | found | memory()))
        return
    with tempfile.TemporaryDirectory(prefix="training-at-size-") as name:
        options.folder = Path(name)
        stages = {stage: run_stage(stage, options) for stage in STAGES_HERE}
        disk = sum(f.stat().st_size for f in options.folder.rglob("*") if f.is_file()) / 1e6
    peak = max(stages[stage]["peak_megabytes"] for stage in ("store", "audit", "training"))
    report = {
        "command": "python -m benchmarks.training.training_at_size",
        "machine": describe_machine(),
        "images": options.images,
        "phantoms": bases,
        "disk_megabytes": disk,
        "peak_megabytes": peak,
        "within_3_gb": peak < LIMIT,
        "stages": stages,
    }
    write_report(options.report, report)
    print(json.dumps(report, indent=2))


def run_stage(stage: str, options: argparse.Namespace) -> dict[str, Any]:
    """Runs a stage in a process of its own and returns what it printed last."""
    print(f"stage: {stage}", file=sys.stderr)
    command = [sys.executable, "-m", "benchmarks.training.training_at_size", "--stage", stage]
    command += ["--folder", str(options.folder), "--images", str(options.images)]
    command += ["--workers", str(options.workers), "--phantoms", str(options.phantoms)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def memory() -> dict[str, float]:
    """Peak resident memory of this process, and its own data now, in MB of 10^6 bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return {
        name: int(lines[key].split()[0]) * 1024 / 1e6
        for name, key in (("peak_megabytes", "VmHWM"), ("anonymous_megabytes", "RssAnon"))
    }


def generate(options: argparse.Namespace) -> dict[str, Any]:
    """Writes the files: four in five of them to Training, the classes in turn."""
    count = options.phantoms * len(CLASS_NAMES)
    bases = [
        make_phantom(CLASS_NAMES[k % len(CLASS_NAMES)], FIRST_SEED + k).image
        for k in tqdm(range(count), desc="phantoms", disable=None)
    ]
    for split in ("Training", "Testing"):
        for label in CLASS_NAMES:
            (options.folder / "data" / split / label).mkdir(parents=True)

    def write(number: int) -> int:
        # a phantom's variants are all of its class and, as the counts divide, in one split
        split = "Testing" if number // len(CLASS_NAMES) % 5 == 4 else "Training"
        label = CLASS_NAMES[number % len(CLASS_NAMES)]
        encoded = cv2.imencode(
            ".jpg", varied(bases[number % len(bases)], number), [cv2.IMWRITE_JPEG_QUALITY, 90]
        )[1]
        path = options.folder / "data" / split / label / f"{number:06}.jpg"
        written: int = path.write_bytes(encoded.tobytes())
        return written

    with ThreadPoolExecutor(2) as pool:
        total = sum(
            tqdm(pool.map(write, range(options.images)), total=options.images, disable=None)
        )
    return {"megabytes": total / 1e6}


def varied(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """An image turned, stretched, moved, mirrored or not, and shaded, by its seed alone."""
    rng = np.random.default_rng(seed)
    side = len(image)
    angle = math.radians(rng.uniform(-25, 25))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag(rng.uniform(0.8, 1.2, 2) * (rng.choice((-1, 1)), 1))
    centre = np.full(2, side / 2)
    move = centre - linear @ centre + rng.uniform(-12, 12, 2)
    moved = cv2.warpAffine(
        image, np.column_stack([linear, move]), (side, side), flags=cv2.INTER_LINEAR
    )
    coarse = rng.normal(0.0, 0.35, (4, 4)).astype(np.float32)
    shade = np.exp(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
    return np.clip(moved * shade, 0, 255).astype(np.uint8)


def store(options: argparse.Namespace) -> dict[str, Any]:
    """Reads both splits into the store, and then again, when all of it is there."""
    from data.audit.manifest import load_images

    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        images = load_images(options.folder / "data", cache=options.folder / "cache")
        seconds.append(time.perf_counter() - started)
    count = len(images.files)
    return {
        "images": count,
        "images_a_second": count / seconds[0],
        "seconds_again": seconds[1],
        "megabytes": images.images.path.stat().st_size / 1e6,  # type: ignore[attr-defined]
    }


def audit(options: argparse.Namespace) -> dict[str, Any]:
    """The audit, as the command runs it."""
    from data.audit.command import run_audit

    folder = options.folder
    report = run_audit(
        folder / "data", folder / "splits.csv", folder / "audit.json", cache=folder / "cache"
    )
    return {
        "reading_seconds": report["seconds"]["reading"],
        "search_seconds": report["seconds"]["search"],
        "test_images_with_copy_in_training": report["test"]["with_copy_in_training"]["all"],
    }


def training(options: argparse.Namespace) -> dict[str, Any]:
    """Loads what a run loads, makes some batches, and takes some steps of the real network."""
    import keras

    from data.dataset.division import load_manifest
    from data.dataset.protocols import load_parts
    from data.phantoms.sets import cached_phantoms
    from model.training.batch_workers import Source, feeding
    from model.training.draws import Sources
    from model.training.train import _Run

    folder = options.folder
    started = time.perf_counter()
    parts = load_parts(
        folder / "data", load_manifest(folder / "splits.csv"), "official", cache=folder / "cache"
    )
    loaded = time.perf_counter() - started
    config = TrainingConfig()
    phantoms = cached_phantoms(20, config.phantom_seed, folder)
    sources = Sources(parts.training, {}, phantoms)
    run = _Run(config, sources, parts.validation, None, folder)
    keras.utils.set_random_seed(config.seed)
    model = run._new_network()
    with feeding(Source(sources, config), options.workers) as batches_of:
        batches = batches_of(0)
        first = list(islice(batches, STEPS))
        started = time.perf_counter()
        made = sum(len(batch[0]) for batch in islice(batches, BATCHES))
        rate = made / (time.perf_counter() - started)
        batches.close()  # type: ignore[attr-defined]
    seconds = []
    for images, targets, weights in first:
        started = time.perf_counter()
        model.train_on_batch(images, targets, sample_weight=weights)
        seconds.append(time.perf_counter() - started)
    return {
        "training_images": len(parts.training),
        "loading_seconds": loaded,
        "augmented_images_a_second": rate,
        "steps": STEPS,
        "seconds_a_step": min(seconds),
    }


STAGES_HERE: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "generate": generate,
    "store": store,
    "audit": audit,
    "training": training,
}

if __name__ == "__main__":
    main()
