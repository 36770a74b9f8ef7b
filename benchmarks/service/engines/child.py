"""One engine in a process of its own.

Command line: `python -m benchmarks.service.engines.child KIND MODEL IMAGES OUT`.
IMAGES is a `.npy` of float32 (n, 224, 224, 1) in [0, 1]. Writes the probabilities (n, 4) to OUT
and prints figures as JSON. Imports nothing of what it does not measure.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[Any], Any]
"""float32 (1, 224, 224, 1) to probabilities (4,)."""


def litert(path: Path, threads: int) -> Run:
    """LiteRT, as the server uses it."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    ends = interpreter.get_output_details()
    answer = next(end["index"] for end in ends if tuple(end["shape"]) == (1, 4))

    def run(image: Any) -> Any:
        interpreter.set_tensor(place, image)
        interpreter.invoke()
        return interpreter.get_tensor(answer)[0]

    return run


def onnxruntime(path: Path, threads: int) -> Run:
    """ONNX Runtime on the processor."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})[0][0]


def openvino(path: Path, threads: int, precision: str = "f32") -> Run:
    """OpenVINO on the processor; left alone it takes bfloat16 where the processor has it."""
    import openvino as runtime

    core = runtime.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
    return lambda image: request.infer({0: image})[0][0]


def openvino_bf16(path: Path, threads: int) -> Run:
    """OpenVINO in bfloat16."""
    return openvino(path, threads, "bf16")


def keras(path: Path, threads: int) -> Run:
    """TensorFlow by `model.predict`; the mirror image is not averaged over."""
    import keras as library
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = library.models.load_model(path)
    return lambda image: model.predict(image, verbose=0)[0]


ENGINES: dict[str, Callable[[Path, int], Run]] = {
    "litert": litert, "onnxruntime": onnxruntime, "openvino": openvino,
    "openvino_bf16": openvino_bf16, "keras": keras,
}  # fmt: skip


def resident_megabytes() -> float:
    """Resident memory of this process, in MB of 10^6 bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def timings(run: Run, image: Any, count: int) -> dict[str, float]:
    """Milliseconds an image by the clock (median, 95th percentile, best) and of the processor."""
    for _ in range(max(3, count // 10)):
        run(image)
    used, found = time.process_time(), []
    for _ in range(count):
        started = time.perf_counter()
        run(image)
        found.append((time.perf_counter() - started) * 1000)
    used = (time.process_time() - used) * 1000 / count
    p50, p95 = np.percentile(found, (50, 95))
    return {
        "p50": round(float(p50), 2), "p95": round(float(p95), 2), "best": round(min(found), 2),
        "processor": round(used, 2),
    }  # fmt: skip


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=ENGINES)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path, help="a .npy file")
    parser.add_argument("out", type=Path, help="where the probabilities go, as .npy")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=100, help="timed inferences")
    parser.add_argument("--started", type=float, default=time.time(), help="when, by time.time")
    options = parser.parse_args()
    images = np.load(options.images, mmap_mode="r")
    run = ENGINES[options.kind](options.model, options.threads)
    run(np.array(images[:1]))
    first = time.time() - options.started
    figures = timings(run, np.array(images[:1]), options.count)
    memory = resident_megabytes()
    np.save(options.out, np.stack([run(np.array(images[k : k + 1])) for k in range(len(images))]))
    report = {"seconds_to_first_answer": round(first, 3), "milliseconds": figures}
    print(json.dumps(report | {"resident_megabytes": round(memory, 1)}))


if __name__ == "__main__":
    main()
