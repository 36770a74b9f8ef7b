"""What the model card's sections on the network itself show, made from the reports at start-up.

Every function takes the reports and returns figures, never words; one that misses a figure raises
``MissingFigureError`` and its section then says so. The same goes for results.py, trust.py and
shortcuts.py. Words and the sections' order: web/model_card/page.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from data.dataset.sources import OWN, SOURCES
from model.config import CLASS_NAMES
from model.reports import elsewhere
from model.reports.scores import Score, maybe, score
from web.model_card.charts import Frame, diagram, line_chart
from web.model_card.figures import by_class, layer, optional
from web.model_card.reports import MissingFigureError, Reports
from web.model_card.results import grouped

CURVES = {
    "loss": ("loss", "val_loss"),
    "accuracy": ("accuracy", "val_accuracy"),
    "elsewhere": ("val_sensitivity", "val_specificity"),
}
CURVE_FRAME = Frame(400, 230, 46, 14, 304, 196)
"""Room on the right for the curves' names, of which Spanish has the longest."""


def facts(reports: Reports) -> Mapping[str, Any]:
    metadata, evaluation = reports["metadata"], reports["evaluation"]
    scores = evaluation["files"]["litert"]
    served = f"{metadata['name']}.tflite"
    return {
        "name": str(metadata["name"]),
        "version": str(metadata["version"]),
        "sha256": str(metadata["files"][served]["sha256"]),
        "megabytes": metadata["files"][served]["bytes"] / 1e6,
        "parameters": int(metadata["parameters"]),
        "side": int(metadata["preprocessing"]["image_size"]),
        "training": optional(lambda: _learned_from(metadata["training"]["data"])),
        "unseen": score(scores["test_unseen"]),
        "official": score(scores["test"]),
        "copied": int(evaluation["sets"]["test_images_with_copy_in_training"]),
        "grouped": optional(lambda: grouped(evaluation["protocols"]["grouped"])),
        "answered": optional(lambda: _answered(evaluation)),
        "others": optional(lambda: elsewhere.others(evaluation)),
        "milliseconds": optional(
            lambda: float(reports["serving"]["median"]["milliseconds_per_inference"])
        ),
    }


def _learned_from(data: Mapping[str, Any]) -> int:
    """Images of the dataset and of the other collections that were trained on."""
    return int(data["training"] + sum(data["collections"].get("images", {}).values()))


def _answered(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    found = evaluation["finding"]["sets"]["test_unseen"]
    return {"share": float(found["answered"]), "right": maybe(found["right_of_answered"])}


def use(reports: Reports) -> Mapping[str, Any]:
    return {"side": optional(lambda: int(reports["metadata"]["preprocessing"]["image_size"]))}


def data(reports: Reports) -> Mapping[str, Any]:
    audit = reports["audit"]
    copied, unseen = (by_class(audit["test"][k]) for k in ("with_copy_in_training", "unseen"))
    testing = by_class(audit["images"]["Testing"])
    return {
        "training": by_class(audit["images"]["Training"]),
        "testing": testing,
        "copied": copied,
        "unseen": unseen,
        "copied_share": {name: copied[name] / testing[name] for name in testing},
        "threshold": float(audit["threshold"]),
        "used": optional(lambda: _used(reports)),
    }


def _used(reports: Reports) -> Mapping[str, Any]:
    found = reports["metadata"]["training"]["data"]
    return {
        "classes": {name: int(found["classes"][name]) for name in CLASS_NAMES},
        "all": int(found["training"]),
        "validation": int(found["validation"]),
        "outlined": int(found["outlined"]),
    }


def network(reports: Reports) -> Mapping[str, Any]:
    layers = tuple(layer(row) for row in reports["metadata"]["layers"])
    return {
        "diagram": diagram(layers),
        "layers": layers,
        "parameters": sum(one.parameters for one in layers),
        "convolutions": sum(one.kind == "Conv2D" for one in layers),
        "dense": sum(one.kind == "Dense" for one in layers),
    }


def training(reports: Reports) -> Mapping[str, Any]:
    run = reports["metadata"]["training"]
    config = run["config"]
    shares = {
        "collections": optional(lambda: float(config["collection_share"])) or 0.0,
        "grafts": optional(lambda: float(config["graft_share"])) or 0.0,
        "phantoms": float(config["phantom_share"]),
    }
    return {
        "epochs": int(config["epochs"]),
        "machine": str(run["machine"]),
        "shares": {"dataset": 1.0 - sum(shares.values()), **shares},
        "painted_out": float(config["paint_out_share"]),
        "control": float(config["control_share"]),
        "collections": optional(lambda: _collections(run["data"]["collections"])) or (),
        "curves": optional(lambda: curves(reports)),
    }


def _collections(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The other collections trained on; none where there were none."""
    counts = found["images"] if found else {}
    return [
        {"name": name, "images": int(count), "source": SOURCES.get(name, OWN)}
        for name, count in counts.items()
    ]


TABLE_ROWS = 12
"""Epochs in the table beside the curves: a long run's are picked evenly, with the last."""


def curves(reports: Reports) -> Mapping[str, Any]:
    if isinstance(reports.history, MissingFigureError):
        raise reports.history
    rows = reports.history
    epochs = [row["epoch"] for row in rows]
    charts = {
        name: line_chart(epochs, {key: [row[key] for row in rows] for key in keys}, CURVE_FRAME)
        for name, keys in CURVES.items()
        if all(key in row for row in rows for key in keys)
    }
    step = math.ceil(len(rows) / TABLE_ROWS)
    shown = [row for row in rows if row["epoch"] % step == 0 or row is rows[-1]]
    return {"charts": charts, "rows": shown}


def limits(reports: Reports) -> Mapping[str, Any]:
    def unseen() -> Score:
        return score(reports["evaluation"]["files"]["litert"]["test_unseen"])

    def new_patients() -> Mapping[str, Any]:
        return grouped(reports["evaluation"]["protocols"]["grouped"])

    return {"unseen": optional(unseen), "grouped": optional(new_patients)}


def licence(reports: Reports) -> Mapping[str, Any]:
    return {}
