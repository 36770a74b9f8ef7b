"""The shipped network in other engines: which one, and which quantisation, should serve?

`python -m benchmarks.service.engines [--data DIR]` converts the shipped `.keras` file for LiteRT,
ONNX Runtime and OpenVINO, runs each in a process of its own at 1 and 2 threads, with and without
averaging over the mirror image, and writes `benchmarks/reports/engines.json`; with the dataset also
the accuracy on the official test images. The others need `pip install -r
benchmarks/engines-requirements.txt`; what is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.report import REPORTS, ROOT, write_report
from benchmarks.service.engines.files import LAYOUTS, litert_files, onnx_file, quantized_onnx
from benchmarks.service.load.files import phantom_image
from data.dataset.image_set import load_split, to_float
from model.config import ARTIFACTS, MODEL_NAME
from model.export.export import calibration_images
from model.inference.temperature import softmax
from model.system import describe_instructions, describe_machine
from model.training.architecture import build_cnn

NEEDED = ("onnxruntime", "openvino", "onnx", "tf2onnx")
BAR = 2.0
PHANTOMS = 40
PACKAGES = {  # what each engine installs; NumPy, which all of them need, is left out
    "litert": ("ai-edge-litert",),
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "keras": ("tensorflow-cpu", "keras"),
}

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """A file and the engine that runs it.

    Attributes:
        engine: As `benchmarks.service.engines.child` calls it.
        precision: Of weights and activations.
    """

    engine: str
    precision: str
    path: Path

    @property
    def name(self) -> str:
        """Such as "litert dynamic"."""
        return f"{self.engine} {self.precision}"


def variants(model: keras.Model, folder: Path, calibration: Array) -> Iterator[Variant]:
    """Every file that can be made here."""
    names = {"none": "fp32"}
    for quantization, path in litert_files(model, folder, calibration).items():
        yield Variant("litert", names.get(quantization, quantization), path)
    yield Variant("keras", "fp32", ARTIFACTS / f"{MODEL_NAME}.keras")
    if missing():
        return
    path = onnx_file(model, folder / "network.onnx")
    small = quantized_onnx(path, folder / "network-int8.onnx", calibration)
    for engine in ("onnxruntime", "openvino"):
        yield Variant(engine, "fp32", path)
        yield Variant(engine, "int8", small)
    yield Variant("openvino_bf16", "bf16", path)


def missing() -> list[str]:
    """The packages for the other engines that are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def run_child(variant: Variant, images: Path, out: Path, threads: int, count: int) -> Any:
    """Figures of one variant in a process of its own.

    Raises:
        RuntimeError: It failed; its own words.
    """
    command = [sys.executable, "-m", "benchmarks.service.engines.child", variant.engine]
    command += [str(variant.path), str(images), str(out), "--threads", str(threads)]
    command += ["--count", str(count), "--started", repr(time.time())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{variant.name} failed: {done.stderr[-1000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def answers_of(
    variant: Variant, images: Array, folder: Path, threads: int, count: int
) -> tuple[dict[str, Any], Array]:
    """Figures, and the probabilities of each image."""
    file, out = folder / "images.npy", folder / "answers.npy"
    np.save(file, images)
    figures = run_child(variant, file, out, threads, count)
    answers = np.load(out)  # logits, but for Keras
    return figures, answers if variant.engine == "keras" else softmax(answers).astype(np.float32)


def compare(found: Array, expected: Array, labels: Any) -> dict[str, Any]:
    """How far the answers are from Keras's, and how many are right where the truth is known.

    Args:
        found, expected: Probabilities (n, 4), the test images first, then the phantoms.
        labels: Of the test images; none without them.
    """
    tests = len(labels)
    result: dict[str, Any] = {
        "largest_difference_from_keras": round(float(np.abs(found - expected).max()), 5),
        "same_label_as_keras": round(float((found.argmax(1) == expected.argmax(1)).mean()), 5),
    }
    if tests:
        result["test_accuracy"] = round(float((found[:tests].argmax(1) == labels).mean()), 5)
    return result


def measure_variants(
    model: keras.Model, images: Array, labels: Any, calibration: Array, options: Any
) -> list[dict[str, Any]]:
    """A row for each variant."""
    rows = []
    expected = np.asarray(model.predict(images, batch_size=32, verbose=0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for variant in variants(model, folder, calibration):
            threads: dict[str, Any] = {}
            for number in options.threads:
                last = number == options.threads[-1]
                some = images if last else images[:1]
                figures, found = answers_of(variant, some, folder, number, options.count)
                threads[str(number)] = figures
            row = {
                "name": variant.name,
                "engine": variant.engine,
                "precision": variant.precision,
                "mirrored": False,
                "file_megabytes": round(variant.path.stat().st_size / 1e6, 2),
                "threads": threads,
                **compare(found, expected, labels),
            }
            print(row["name"], {k: v["milliseconds"] for k, v in threads.items()}, flush=True)
            rows.append(row)
    return rows


def measure_layouts(calibration: Array, options: Any) -> dict[str, Any]:
    """Milliseconds of pooling layouts with random weights, one thread."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for layout, config in LAYOUTS.items():
            model = build_cnn(config, normalize=False)
            files = litert_files(model, Path(name), calibration[:20])
            found[layout] = {}
            for quantization, path in files.items():
                variant = Variant("litert", quantization, path)
                figures, _ = answers_of(variant, calibration[:1], Path(name), 1, options.count)
                found[layout][quantization] = figures["milliseconds"]
            print(layout, {k: v["p50"] for k, v in found[layout].items()}, flush=True)
    return found


def conclude(
    rows: Sequence[Mapping[str, Any]], quantization: str, mirrored: bool
) -> dict[str, Any]:
    """The shipped file against the best that does the same work, by number of threads.

    Keras is left out: it cannot be imported on the host. The fields hold names, milliseconds and
    how many times the best the shipped file takes.
    """
    precision = {"none": "fp32"}.get(quantization, quantization)
    same = [row for row in rows if row["mirrored"] == mirrored and row["engine"] != "keras"]
    (shipped,) = (r for r in same if (r["engine"], r["precision"]) == ("litert", precision))
    found: dict[str, Any] = {"shipped": shipped["name"], "bar": BAR, "threads": {}}
    for threads in shipped["threads"]:

        def median(row: Mapping[str, Any], threads: str = threads) -> float:
            return float(row["threads"][threads]["milliseconds"]["p50"])

        best = min(same, key=median)
        ratio = median(shipped) / median(best)
        found["threads"][threads] = {
            "shipped_milliseconds": median(shipped),
            "best": best["name"],
            "best_milliseconds": median(best),
            "times_the_best": round(ratio, 2),
            "within_the_bar": ratio <= BAR,
        }
    return found


def installed_megabytes(names: Sequence[str]) -> float | None:
    """Size of packages and of what they need, NumPy left out; None where they are not installed."""
    found: dict[str, float] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found or key == "numpy":
            continue
        try:
            package = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in names:
                return None
            continue  # an extra, or for another system
        files = (Path(str(file.locate())) for file in package.files or ())
        found[key] = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
        waiting += [
            re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
            for line in package.requires or ()
            if "extra ==" not in line
        ]
    return round(sum(found.values()), 1)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="dataset folder, for the accuracy")
    parser.add_argument("--count", type=int, default=100, help="timed inferences of each")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=REPORTS / "engines.json")
    return parser.parse_args()


def main() -> None:
    """Measures and writes the report."""
    options = arguments()
    metadata = json.loads((ARTIFACTS / "metadata.json").read_text(encoding="utf-8"))
    model = keras.models.load_model(ARTIFACTS / f"{MODEL_NAME}.keras")
    phantoms = to_float(np.stack([phantom_image(k) for k in range(PHANTOMS)])[..., np.newaxis])
    images, labels, calibration = phantoms, np.empty(0, np.int64), phantoms
    if options.data:
        test = load_split(options.data, "Testing")
        images, labels = np.concatenate([to_float(test.images[:]), phantoms]), test.labels
        training = load_split(options.data, "Training").images
        calibration = calibration_images(training, metadata["calibration_images"])
    rows = measure_variants(model, images, labels, calibration, options)
    layouts = measure_layouts(calibration, options)
    report = {
        "command": "python -m benchmarks.service.engines"
        + " --data DIR" * (options.data is not None),
        "machine": describe_machine(),
        "instructions": describe_instructions(),
        "milliseconds": "an image: median, 95th percentile and best by the clock; mean of the "
        "processor's time",
        "compared_on": {"phantoms": PHANTOMS, "test_images": len(labels)},
        "calibrated_on": f"{len(calibration)} "
        + ("training images" if options.data else "phantoms"),
        "not_installed": missing(),
        "installed_megabytes": {
            name: installed_megabytes(packages) for name, packages in PACKAGES.items()
        },
        "engines": rows,
        "pooling_layouts": layouts,
        "conclusion": conclude(rows, metadata["quantization"], False),
    }
    write_report(options.out, report)
    print(json.dumps(report["conclusion"], indent=2))
