"""The shipped network alone, as the server loads it.

Command line: `python -m benchmarks.service.comparison.bare_inference FILE`.
Prints the milliseconds of its inferences on a picture as JSON: median and 95th percentile.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from model.inference.classifier import Classifier
from model.preprocessing import load_image


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the picture")
    options = parser.parse_args()
    image, classifier = load_image(options.file), Classifier.load()
    for _ in range(10):  # caches and clock
        classifier.outputs(image)
    found = [classifier.outputs(image).milliseconds for _ in range(200)]
    p95 = statistics.quantiles(found, n=20)[-1]
    print(json.dumps({"p50": statistics.median(found), "p95": p95, "count": len(found)}))


if __name__ == "__main__":
    main()
