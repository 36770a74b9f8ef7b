"""What the model card shows of tumors painted out, of heat maps, and of spoiled images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model.reports import looking
from model.reports.scores import Share
from web.model_card.figures import optional
from web.model_card.reports import Reports

LOSSES = (1, 3, 6, 10)
"""Points of accuracy lost from which on a cell of the corruptions' table is a shade darker."""


def shown(reports: Reports) -> Mapping[str, Any]:
    report = reports["shortcuts"]
    return {
        "images": int(report["images"]["outlined_and_held_out"]),
        "measures": looking.measures(report),
        "heat_maps": optional(lambda: looking.pointing(report)),
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
    found = {one.name: one for one in looking.heat_maps(report)}
    rows = [found[name] for name in (str(report["shipped"]), *COMPARED)]
    phantoms = report["phantoms"]
    followed = phantoms["faithfulness"]["methods"]
    shuffled = phantoms["randomised_weights"]["stages"]["logits"]
    return {
        "rows": sorted(rows, key=lambda row: -row.phantoms.share),
        "deletion": float(followed[report["shipped"]]["deletion"]),
        "deletion_random": float(followed["random"]["deletion"]),
        "insertion": float(followed[report["shipped"]]["insertion"]),
        "insertion_random": float(followed["random"]["insertion"]),
        "correlation": float(shuffled["rank_correlation"]),
        "masked": bool(report["mask_outside_head"]),
    }


def corruptions(reports: Reports) -> Mapping[str, Any]:
    found = looking.corruptions(reports["corruptions"])
    rows = {
        name: [(cell.share, _shade(cell, found.clean)) for cell in cells]
        for name, cells in found.rows.items()
    }
    return {"found": found, "rows": rows, "strengths": max(map(len, rows.values()))}


def _shade(cell: Share, clean: Share) -> int:
    lost = (clean.share - cell.share) * 100
    return sum(lost >= step for step in LOSSES)
