"""What the first release's network makes of other collections, of the same people as ours.

`python -m benchmarks.network.first_release --data DIR --also DIR` takes the served file of that
release from the repository's history, asks it about the people who are held out for the report and
about the official test split, and writes `benchmarks/reports/first_release.json`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.report import REPORTS, ROOT, write_report
from data.dataset.collections import Collections, load_collections, person_of
from data.dataset.image_set import ImageSet, load_split, to_float
from data.dataset.image_store import ImageArray
from model.config import CLASS_NAMES, NO_TUMOUR
from model.evaluation.other_collections import means, set_figures
from model.reports.elsewhere import CERTAIN
from model.system import describe_machine

REPORT = REPORTS / "first_release.json"
COMMIT = "c07e937"
FILE = "model/artifacts/brain_tumor_cnn.tflite"
KEPT = ("images", "people", "sensitivity", "specificity", "balanced", "missed_with_certainty")


def served_file(commit: str = COMMIT) -> bytes:
    """The file that a commit serves.

    Raises:
        RuntimeError: It is not in the history, which a shallow clone lacks.
    """
    found = subprocess.run(
        ["git", "show", f"{commit}:{FILE}"], cwd=ROOT, capture_output=True, check=False
    )
    if found.returncode:
        raise RuntimeError(
            f"The history must hold {FILE} of {commit}; a shallow clone gets it by `git fetch "
            f"--unshallow`. Received: {found.stderr.decode().strip()}"
        )
    return found.stdout


def probabilities_of(content: bytes, images: ImageArray) -> NDArray[np.float32]:
    """What the file says of images, float32 (n, 4), before any calibration.

    Args:
        content: A LiteRT file that takes one image at a time and gives probabilities.
        images: uint8 (n, 224, 224, 1).
    """
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    (answer,) = (
        one["index"]
        for one in interpreter.get_output_details()
        if tuple(one["shape"]) == (1, len(CLASS_NAMES))
    )
    found = []
    for image in images:
        interpreter.set_tensor(entry["index"], to_float(image[np.newaxis]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(answer)[0])
    return np.stack(found)


def measure(content: bytes, report: Collections, test: ImageSet) -> dict[str, Any]:
    """Figures of a served file.

    Args:
        content: The file.
        report: Images of people that are held out for the report.
        test: The official test split.

    Returns:
        JSON-ready: `images`, `people`; `sets` by collection and `mean` over them, each with
        `sensitivity`, `specificity`, `balanced` and `missed_with_certainty` as
        `model.evaluation.other_collections.set_figures` gives them; `official`, the accuracy on
        the test split.
    """
    tumor = 1.0 - probabilities_of(content, report.images)[:, NO_TUMOUR].astype(np.float64)
    people = np.array([person_of(name) for name in report.names])
    everything = np.ones(len(report), bool)
    sets = {}
    for name in np.unique(report.collections):
        here = report.collections == name
        sets[str(name)] = set_figures(
            tumor[here], ~report.healthy[here], everything[here], everything[here], people[here]
        )
    mean = means(list(sets.values()))
    right = probabilities_of(content, test.images).argmax(axis=1) == test.labels
    return {
        "images": len(report),
        "people": len(np.unique(people)),
        "sets": {name: {key: row[key] for key in KEPT} for name, row in sets.items()},
        "mean": {key: mean[key] for key in KEPT if key in mean},
        "official": {"images": len(test), "accuracy": float(right.mean())},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--also", type=Path, nargs="+", required=True, help="other collections")
    options = parser.parse_args(arguments)
    content = served_file()
    report = {
        "command": "python -m benchmarks.network.first_release --data DIR --also DIR",
        "machine": describe_machine(),
        "commit": COMMIT,
        "sha256": hashlib.sha256(content).hexdigest(),
        "certain_from": CERTAIN,
        **measure(
            content, load_collections(options.also).part("report"),
            load_split(options.data, "Testing"),
        ),
    }  # fmt: skip
    write_report(REPORT, report)
    print(json.dumps(report["mean"], indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
