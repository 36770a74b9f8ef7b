"""What the model card shows of tumors painted out, of heat maps, and of spoiled images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.config import CLASS_NAMES
from web.model_card.figures import Share, optional, share
from web.model_card.reports import Reports

LOSSES = (1, 3, 6, 10)
"""Points of accuracy lost from which on a cell of the corruptions' table is a shade darker."""


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
    "conv6 hirescam contrast sigma8",
    "elu2 hirescam contrast sigma8",
    "gradient x input sigma8",
    "elu5 gradcam contrast sigma8",
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
