"""What each section of the model card shows, made from the reports at start-up.

Every function takes the reports and returns figures, never words; one that misses a figure raises
``MissingFigureError`` and its section then says so. Words and the sections' order:
web/model_card.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from model.config import CLASS_NAMES
from web.card_figures import Score, Share, by_class, maybe, score, share
from web.card_reports import MissingFigureError, Reports
from web.charts import Frame, diagram, line_chart, reliability

SETS = ("test_unseen", "test", "test_with_copy_in_training", "validation", "phantoms", "gallery")
"""Sets of images, the most telling first."""
CURVES = {"loss": ("loss", "val_loss"), "accuracy": ("accuracy", "val_accuracy")}
CURVE_FRAME = Frame(400, 230, 46, 14, 334, 196)
RELIABILITY_FRAME = Frame(340, 320, 46, 14, 326, 276)
LOSSES = (1, 3, 6, 10)
"""Points of accuracy lost from which on a cell of the corruptions' table is a shade darker."""

T = TypeVar("T")


def optional(read: Callable[[], T]) -> T | None:
    """What ``read`` gives, None where a figure is missing: for a part of a section."""
    try:
        return read()
    except LookupError:
        return None


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
        "training": optional(lambda: int(metadata["training"]["data"]["training"])),
        "unseen": score(scores["test_unseen"]),
        "official": score(scores["test"]),
        "copied": int(evaluation["sets"]["test_images_with_copy_in_training"]),
        "grouped": optional(lambda: score(evaluation["protocols"]["grouped"]["pooled"])),
        "answered": optional(lambda: _answered(evaluation)),
        "milliseconds": optional(
            lambda: float(reports["serving"]["median"]["milliseconds_per_inference"])
        ),
    }


def _answered(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    found = evaluation["ood"]["sets"]["test_unseen"]
    return {"share": float(found["answered"]), "right": maybe(found["accuracy_of_answered"])}


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
    if isinstance(reports.layers, MissingFigureError):
        raise reports.layers
    drawn = diagram(reports.layers)
    return {
        "diagram": drawn,
        "layers": reports.layers,
        "parameters": sum(layer.parameters for layer in reports.layers),
        "convolutions": sum(layer.kind == "Conv2D" for layer in reports.layers),
        "dense": sum(layer.kind == "Dense" for layer in reports.layers),
        "mirrored": optional(lambda: bool(reports["metadata"]["mirrored_averaging"])),
    }


def training(reports: Reports) -> Mapping[str, Any]:
    run = reports["metadata"]["training"]
    config, stages = run["config"], (*run["earlier"], {**run["config"], **run})
    return {
        "stages": [
            {"epochs": int(s["epochs"]), "machine": str(s["machine"]), "as": str(s["precision"])}
            for s in stages
        ],
        "phantoms": float(config["phantom_share"]),
        "painted_out": float(config["paint_out_share"]),
        "control": float(config["control_share"]),
        "batch": int(config["batch_size"]),
        "rate": float(config["learning_rate"]),
        "curves": optional(lambda: curves(reports)),
    }


def curves(reports: Reports) -> Mapping[str, Any]:
    if isinstance(reports.history, MissingFigureError):
        raise reports.history
    rows = reports.history
    epochs = [row["epoch"] for row in rows]
    charts = {
        name: line_chart(epochs, {key: [row[key] for row in rows] for key in keys}, CURVE_FRAME)
        for name, keys in CURVES.items()
    }
    return {"charts": charts, "rows": rows}


def results(reports: Reports) -> Mapping[str, Any]:
    evaluation = reports["evaluation"]
    scores = evaluation["files"]["litert"]
    runs = optional(lambda: evaluation["protocols"]) or {}
    return {
        "sets": {name: score(scores[name]) for name in SETS if name in scores},
        "unseen": score(scores["test_unseen"]),
        "runs": [row for name in ("grouped", "clean", "official") for row in _runs(name, runs)],
        "unmeasured": [name for name in ("grouped", "clean") if name not in runs],
    }


def _runs(protocol: str, runs: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Networks trained for one protocol; the folds of the grouped one are a single row."""
    if protocol not in runs:
        return []
    found = runs[protocol]
    if protocol == "grouped":
        folds = {"done": len(found["runs"]), "wanted": int(found["folds_wanted"])}
        spread = maybe(found["accuracy_sd"])
        return [{"protocol": protocol, "score": score(found["pooled"]), "spread": spread, **folds}]
    several = len(found["runs"]) > 1
    return [
        {
            "protocol": protocol,
            "score": score(run["test"]),
            "seed": run["seed"] if several else None,
        }
        for run in found["runs"]
    ]


def confusion(reports: Reports) -> Mapping[str, Any]:
    scores = reports["evaluation"]["files"]["litert"]
    return {name: score(scores[name]) for name in ("test_unseen", "test") if name in scores}


def calibration(reports: Reports) -> Mapping[str, Any]:
    found = reports["evaluation"]["calibration"]
    return {
        "temperature": float(found["temperature"]),
        "sets": {
            name: _calibrated(found["sets"][name])
            for name in ("test_unseen", "test")
            if name in found["sets"]
        },
    }


def _calibrated(report: Mapping[str, Any]) -> Mapping[str, Any]:
    after = report["after"]
    rows = [
        {key: float(row[key]) for key in ("low", "high", "confidence", "accuracy")}
        | {"images": int(row["images"])}
        for row in after["reliability"]
    ]
    bins = [(row["images"], row["confidence"], row["accuracy"]) for row in rows]
    return {
        "images": int(after["images"]),
        "ece_before": float(report["before"]["ece"]),
        "ece": float(after["ece"]),
        "brier": float(after["brier"]),
        "rows": rows,
        "chart": reliability(bins, RELIABILITY_FRAME, 1 / len(CLASS_NAMES)),
    }


def abstaining(reports: Reports) -> Mapping[str, Any]:
    evaluation = reports["evaluation"]
    conformal, ood = evaluation["conformal"], evaluation["ood"]
    rows = {name: _abstained(evaluation, name) for name in SETS if name in ood["sets"]}
    return {
        "wanted": float(conformal["coverage_wanted"]),
        "sets": rows,
        "unseen": rows.get("test_unseen"),
        "others": optional(lambda: other_pictures(reports)),
    }


def _abstained(evaluation: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    ood, sets = evaluation["ood"]["sets"][name], evaluation["conformal"]["sets"][name]
    covered = {
        label: float(value)
        for label, value in sets["coverage_of_class"].items()
        if value is not None
    }
    least = min(covered, key=lambda label: covered[label])
    images, answered = int(ood["images"]), float(ood["answered"])
    right = maybe(ood["accuracy_of_answered"])
    answers = round(images * answered)
    correct = round(answers * (right or 0.0))
    return {
        "images": images,
        "kept": float(ood["kept"]),
        "answered": answered,
        "accuracy": right,
        "of_all": score(evaluation["files"]["litert"][name]).accuracy,
        "silent": images - answers,
        "right": correct,
        "wrong": answers - correct,
        "widths": (correct / images, (answers - correct) / images, 1 - answers / images),
        "coverage": float(sets["coverage"]),
        "least": (least, covered[least]),
        "size": float(sets["mean_set_size"]),
    }


def other_pictures(reports: Reports) -> Mapping[str, Any]:
    """Pictures that are no brain MRIs, by kind, from sources that the rule was not fitted on."""
    ood = reports["ood"]
    kinds: dict[str, list[int]] = {}
    for source in ood["sources"].values():
        if source["part"] == "held_out" and source["pictures"]:
            counts = kinds.setdefault(str(source["kind"]), [0, 0])
            counts[0] += round(source["pictures"] * source["refused"])
            counts[1] += int(source["pictures"])
    summary = ood["summary"]["held_out"]
    return {
        "kinds": dict(sorted(kinds.items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))),
        "pictures": int(summary["pictures"]),
        "refused": float(summary["refused"]),
        "auroc": float(summary["auroc"]),
        "near": {name: float(value) for name, value in ood["refused_of_near_cases"].items()},
    }


def looking(reports: Reports) -> Mapping[str, Any]:
    report = reports["shortcuts"]
    bars = report["bars"]
    return {
        "images": int(report["images"]["outlined_and_held_out"]),
        "measures": [
            _measure("painted_out", report["painted_out"]["to_notumor"]["all"],
                     bars["painted_out_to_notumor"]),
            _measure("control", report["control"]["changed"]["all"], bars["control_changed"],
                     at_most=True),
            _measure("pairs", report["pairs"]["both_right"]["all"], bars["pairs_both_right"]),
        ],
        "heat_maps": optional(lambda: heat_maps(reports)),
    }  # fmt: skip


def _measure(
    name: str, report: Mapping[str, Any], aim: float, *, at_most: bool = False
) -> Mapping[str, Any]:
    found, aim = share(report), float(aim)
    met = found.share <= aim if at_most else found.share >= aim
    return {"name": name, "found": found, "aim": aim, "at_most": at_most, "met": met}


def heat_maps(reports: Reports) -> Mapping[str, Any]:
    """How well the heat maps point at tumours: today's figures, from the report on shortcuts."""
    report = reports["shortcuts"]
    maps = report["heat_maps"]
    shown = maps["methods"][maps["default"]]
    middle: Share | None = optional(lambda: share(maps["middle_of_the_head"]["hits"]["all"]))
    return {
        "method": str(maps["default"]),
        "tolerance": int(maps["tolerance_pixels"]),
        "measure": _measure("heat_maps", shown["hits"]["all"], report["bars"]["heat_map_hits"]),
        "classes": {n: share(shown["hits"][n]) for n in CLASS_NAMES if n in shown["hits"]},
        "middle": middle,
        "compared": optional(lambda: compared_maps(reports)),
    }


COMPARED = (
    "conv7 hirescam contrast sigma8",
    "elu3 hirescam contrast sigma8",
    "gradient x input sigma8",
    "elu6 gradcam contrast sigma8",
    "middle of the head",
    "random",
)
"""Kinds of heat map that are shown beside the shipped one: other depths, other methods, blind."""


def compared_maps(reports: Reports) -> Mapping[str, Any]:
    """The shipped kind of heat map against others, on phantoms and on held-out tumours."""
    report = reports["heat_maps"]
    phantoms, real = report["phantoms"], report["held_out"]
    rows = [
        {
            "name": name,
            "shipped": name == report["shipped"],
            "phantoms": share(phantoms["methods"][name]["hits"]["all"]),
            "iou": float(phantoms["methods"][name]["iou"]["all"]),
            "real": share(real["methods"][name]["hits"]["all"]),
        }
        for name in (str(report["shipped"]), *COMPARED)
    ]
    followed = phantoms["faithfulness"]["methods"]
    shuffled = phantoms["randomised_weights"]["stages"]["logits"]
    return {
        "rows": sorted(rows, key=lambda row: -row["phantoms"].share),
        "deletion": float(followed[report["shipped"]]["deletion"]),
        "deletion_random": float(followed["random"]["deletion"]),
        "insertion": float(followed[report["shipped"]]["insertion"]),
        "insertion_random": float(followed["random"]["insertion"]),
        "correlation": float(shuffled["rank_correlation"]),
        "masked": bool(report["mask_outside_head"]),
    }


def corruptions(reports: Reports) -> Mapping[str, Any]:
    report = reports["corruptions"]
    clean = share(report["clean"])
    rows = {
        name: [_cell(share(cell), clean) for cell in row["accuracy"]]
        for name, row in report["corruptions"].items()
    }
    return {
        "clean": clean,
        "rows": rows,
        "strengths": max(len(cells) for cells in rows.values()),
        "worst": str(report["worst"]),
        "mirrored": share(report["same_label_mirrored"]),
    }


def _cell(found: Share, clean: Share) -> Mapping[str, Any]:
    lost = (clean.share - found.share) * 100
    return {"share": found.share, "shade": sum(lost >= step for step in LOSSES)}


def limits(reports: Reports) -> Mapping[str, Any]:
    def unseen() -> Score:
        return score(reports["evaluation"]["files"]["litert"]["test_unseen"])

    return {"unseen": optional(unseen)}


def licence(reports: Reports) -> Mapping[str, Any]:
    return {}
