"""Markdown of what style tells, and of collections that were left out of the training.

Each function takes the parsed report, or None where there is none yet.
"""

from __future__ import annotations

from typing import Any

from benchmarks.figures.tables import table

NOT_YET = "*Not measured yet.*"
_SETS = {
    "dataset": "the dataset as it is",
    "first_release": "draws of the first release",
    "draws_before_augmentation": "draws of now, before augmentation",
    "draws_as_the_network_sees_them": "draws of now, as the network sees them",
}


def style_link(report: dict[str, Any] | None) -> str:
    """How well style alone tells tumors from healthy heads."""
    if report is None:
        return NOT_YET
    rows = []
    for name, label in _SETS.items():
        if name in report["sets"]:
            found = report["sets"][name]
            accuracy = found["balanced_accuracy"]
            most = max(found["families"], key=lambda family: found["families"][family])
            rows.append(
                [label, f"{found['images']:,}",
                 f"{accuracy['value']:.1%} ({accuracy['low']:.1%} to {accuracy['high']:.1%})",
                 f"{most} {found['families'][most]:.1%}"]
            )  # fmt: skip
    aim = f"balanced accuracy of style alone (50% is a coin toss, aim at most {report['aim']:.0%})"
    return table(("images", "how many", aim, "the family of features that tells most"), rows)


def leave_one_out(report: dict[str, Any] | None) -> str:
    """What short runs say of a family of collections that they were not trained on."""
    if report is None:
        return NOT_YET
    rows = [
        [family, ", ".join(found["collections"]), str(found["people"]),
         _share(found["tumors"]), _share(found["healthy"]),
         _or_none(found["missed_with_certainty"], ".1%"), _or_none(found["auroc"], ".3f")]
        for family, found in report["families"].items()
    ]  # fmt: skip
    head = (
        f"left out of a run of {report['epochs']} epochs", "collections", "people",
        "tumors called tumors", "healthy called healthy", "tumors missed with certainty", "AUROC",
    )  # fmt: skip
    return table(head, rows)


def _share(found: dict[str, Any] | None) -> str:
    return "none" if found is None else f"{found['share']:.1%} of {found['images']}"


def _or_none(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)
