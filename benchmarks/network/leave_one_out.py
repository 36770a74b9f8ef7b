"""What the network says of a hospital that it never saw: each family of collections left out once.

`python -m benchmarks.network.leave_one_out --data DIR --outlines FILE --also DIR` trains a short
run without one family of collections (those whose names begin alike, such as `lgg`) and asks it
about all pictures of that family; then it leaves out the next. `--families` takes some of them,
`--epochs` says how short. A run that was stopped is resumed, and families that were measured
earlier with as many epochs stay in `benchmarks/reports/leave_one_out.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import REPORTS, ROOT, read_report, write_report
from data.dataset.collections import Collections, load_collections, person_of
from data.dataset.division import load_manifest
from data.dataset.outline_files import outlines_of
from data.dataset.protocols import load_parts
from model.config import NO_TUMOUR, TrainingConfig
from model.evaluation.other_collections import auroc
from model.metrics.accuracy import wilson_interval
from model.predictors import predict_in_batches
from model.reports.elsewhere import CERTAIN
from model.system import describe_machine
from model.training.train import train

REPORT = REPORTS / "leave_one_out.json"


def families_of(collections: Collections) -> NDArray[np.str_]:
    """The family of each picture, str (n,): what its collection's name begins with."""
    return np.array([person_of(name).split("/")[0] for name in collections.names], dtype=np.str_)


def without(collections: Collections, family: str) -> tuple[Collections, Collections]:
    """The pictures of the other families, and those of one.

    Raises:
        ValueError: There is no such family, or no other one.
    """
    families = families_of(collections)
    inside = families == family
    if not inside.any() or inside.all():
        raise ValueError(
            f"`--families` must be among {', '.join(sorted(set(families.tolist())))}, which must "
            f"be two at least. Received: {family}"
        )
    return collections.take(np.flatnonzero(~inside)), collections.take(np.flatnonzero(inside))


def figures(collections: Collections, no_tumor: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """What was said of pictures.

    Args:
        collections: The pictures.
        no_tumor: float (n,), the probability of `notumor`.

    Returns:
        `tumors` and `healthy` (images, of them `right`, `share`, `interval_95`; null without
        any), `missed_with_certainty` (share of the tumors) and `auroc`, JSON-ready.
    """
    healthy = collections.healthy
    right = (no_tumor > 0.5) == healthy
    missed = (no_tumor > CERTAIN)[~healthy]
    return {
        "tumors": _share(right[~healthy]),
        "healthy": _share(right[healthy]),
        "missed_with_certainty": float(missed.mean()) if len(missed) else None,
        "auroc": auroc(1.0 - no_tumor.astype(np.float64), ~healthy),
    }


def _share(right: NDArray[np.bool_]) -> dict[str, Any] | None:
    if not len(right):
        return None
    count = int(right.sum())
    return {
        "images": len(right),
        "right": count,
        "share": count / len(right),
        "interval_95": list(wilson_interval(count, len(right))),
    }


def build(options: argparse.Namespace) -> dict[str, Any]:
    """The content of the report; written anew after each family."""
    config = replace(TrainingConfig(), epochs=options.epochs, restarts=())  # too short for two
    parts = load_parts(options.data, load_manifest(), "official")
    outlines = outlines_of(options.data, options.outlines) if options.outlines else None
    every = load_collections(options.also)
    report = _begun(options.report, options.epochs)
    for family in options.families or sorted(set(families_of(every).tolist())):
        others, left_out = without(every, family)
        result = train(
            config, parts.training, parts.validation, options.out / f"without-{family}",
            outlines=outlines, collections=others, workers=options.workers,
        )  # fmt: skip
        report["families"][family] = {
            "collections": sorted(set(left_out.collections.tolist())),
            "people": len({person_of(name) for name in left_out.names}),
            **figures(left_out, predict_in_batches(result.model, left_out.images)[:, NO_TUMOUR]),
        }
        write_report(options.report, report)
    return report


def _begun(path: Path, epochs: int) -> dict[str, Any]:
    """The report so far, where it is of as many epochs."""
    report: dict[str, Any] = {
        "command": "python -m benchmarks.network.leave_one_out --data DIR --also DIR",
        "machine": describe_machine(),
        "epochs": epochs,
        "certain_from": CERTAIN,
        "families": {},
    }
    if path.exists():
        earlier = read_report(path)
        if earlier["epochs"] == epochs:
            report["families"] = earlier["families"]
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--outlines", type=Path, nargs="+", help="tumor outlines")
    parser.add_argument("--also", type=Path, nargs="+", required=True, help="other collections")
    parser.add_argument("--families", nargs="+", help="which to leave out; by default each")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "leave-one-out")
    parser.add_argument("--report", type=Path, default=REPORT)
    report = build(parser.parse_args(arguments))
    for family, found in report["families"].items():
        print(family, json.dumps(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
