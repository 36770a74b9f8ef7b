"""The folder of a training run: what its files say, and that it is the run one means.

- `run.json`: configuration, data counts and hashes, library versions, machine;
- `history.csv`: a row an epoch;
- `last.keras`, `model.keras`: networks, written whole or not at all.
"""

from __future__ import annotations

import csv
import json
import platform
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np

from data.dataset.collections import Collections
from data.dataset.image_set import ImageSet
from model.config import TrainingConfig
from model.system import describe_machine
from model.training.devices import choose_precision

HISTORY_FIELDS = (
    "epoch", "learning_rate", "loss", "lesion_loss", "accuracy", "val_loss",
    "val_accuracy", "val_sensitivity", "val_specificity", "seconds",
)  # fmt: skip


class RunError(RuntimeError):
    """A run folder cannot be used; the message says why and what to do."""


def read_history(path: Path) -> list[dict[str, float]]:
    """Rows of a `history.csv`; an empty list when there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def write_history(path: Path, history: list[dict[str, float]]) -> None:
    """Writes a `history.csv`, whole or not at all."""
    partial = path.with_name(f"partial-{path.name}")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HISTORY_FIELDS)
        writer.writeheader()
        writer.writerows(history)
    partial.replace(path)


def save_model(model: keras.Model, path: Path) -> None:
    """Writes beside and renames, so that a stop at any moment leaves a whole file."""
    partial = path.with_name(f"partial-{path.name}")
    model.save(partial)
    partial.replace(path)


def describe_run(
    config: TrainingConfig,
    protocol: str,
    training: ImageSet,
    validation: ImageSet | None,
    outlined: int,
    collections: Collections | None = None,
) -> dict[str, Any]:
    """What `run.json` says of a run."""
    packages = (
        "keras", "tensorflow-cpu", "tensorflow", "jax", "numpy", "opencv-python-headless", "scipy",
        "pillow",
    )  # fmt: skip
    installed = {d.metadata["Name"].lower() for d in metadata.distributions() if d.metadata["Name"]}
    return {
        "config": config.as_dict(),
        "data": {
            "protocol": protocol,
            "sha256": training.sha256,
            "classes": training.counts(),
            "training": len(training),
            "outlined": outlined,
            "validation": len(validation) if validation is not None else 0,
            "collections": {} if collections is None else _counted(collections),
        },
        "backend": keras.backend.backend(),
        "precision": choose_precision(config.precision),
        "versions": {"python": platform.python_version()}
        | {name: metadata.version(name) for name in packages if name in installed},
        "machine": describe_machine(),
    }


def _counted(collections: Collections) -> dict[str, Any]:
    """Hash of the images of other collections, and how many there are of each."""
    names, counts = np.unique(collections.collections, return_counts=True)
    each = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    return {"sha256": collections.sha256, "images": each}


def check_or_write(path: Path, run: dict[str, Any]) -> dict[str, Any]:
    """Returns what the file holds, after writing `run` if there was none."""
    if not path.exists():
        path.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
        return run
    existing: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for key in ("config", "data"):
        if differences := list(_differences(key, existing.get(key), run[key])):
            raise RunError(
                f"`out` must be a new folder or one with the same {key}. Received: {path.parent}, "
                f"where {'; '.join(differences)}"
            )
    return existing


def _differences(name: str, there: Any, wanted: Any) -> Iterator[str]:
    if isinstance(there, dict) and isinstance(wanted, dict):
        for key in sorted(there.keys() | wanted.keys()):
            yield from _differences(f"{name}.{key}", there.get(key), wanted.get(key))
    elif there != wanted:
        yield f"{name} is {there}, not {wanted}"
