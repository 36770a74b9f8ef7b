"""The audit's report as Markdown, made from its JSON alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from model.config import CLASS_NAMES

_COLUMNS = (*CLASS_NAMES, "all")


def render(report: dict[str, Any]) -> str:
    """The whole report, ready to be written."""
    parts = [_head(report), _pairs(report), _groups(report), _levels(report)]
    parts += [_edges(report), _planted(report), _blocks(report), _roles(report)]
    parts += [_collections(report)]
    paragraphs = "\n\n".join(part for part in parts if part).split("\n\n")
    return "\n\n".join(_filled(paragraph) for paragraph in paragraphs) + "\n"


def _filled(paragraph: str) -> str:
    """A paragraph of running text in lines of even length; tables, lists and headings as is."""
    return (
        paragraph
        if paragraph[0] in "|#-"
        else textwrap.fill(paragraph, 110, break_on_hyphens=False)
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [" | ".join(head), " | ".join(["---", *["---:"] * (len(head) - 1)])]
    lines += [" | ".join(_cell(value) for value in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else str(value)


def _counts(rows: dict[str, dict[str, int]], head: str) -> str:
    return _table(
        [head, *_COLUMNS], [[name, *(row[c] for c in _COLUMNS)] for name, row in rows.items()]
    )


def _head(report: dict[str, Any]) -> str:
    test = report["test"]
    both, all_ = test["with_copy_in_training"]["all"], report["images"]["Testing"]["all"]
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in report["seconds"].items())
    busy = report["processor_seconds"]
    peak = report["peak_memory_mb"]
    memory = "" if peak is None else f", at most {peak:,} MB of memory"
    return f"""# Copies in the dataset

Made by `{report["command"]}` on {report["machine"]}: {seconds}; {busy:.0f} s of
processor time for reading and search{memory}.
All figures: `audit.json` beside this file.

**{both:,} of the {all_:,} test images have a copy or a mirrored copy in Training.** Two images
are copies when
their similarity is at least {report["threshold"]}: 1 minus the geometric mean of what is missing
from 1 in the cosine of
their 32 x 32 block means and in that of their detail at 112 x 112, at the best shift by up to a
pixel. Pairs whose
block means have a cosine below {report["candidate"]} are not looked at.

{_counts(report["images"], "images")}

{_counts({name.replace("_", " "): row for name, row in test.items()}, "test images")}

"Turned" is upside down or turned by quarters. Turned copies do not count as copies in the
protocols, yet neither the validation
images nor a fold of the cross-validation has one on the other side."""


def _pairs(report: dict[str, Any]) -> str:
    rows = {
        f"{place}, {kind.replace('_', ' ')}": row
        for place, kinds in report["pairs"].items()
        for kind, row in kinds.items()
    }
    return (
        f"## Pairs of copies\n\nBy the class of the pair's first file.\n\n{_counts(rows, 'pairs')}"
    )


def _groups(report: dict[str, Any]) -> str:
    sizes = _table(["images in the group", "groups"], report["groups"].items())
    conflicts = report["label_conflicts"]
    names = "\n".join(f"- {', '.join(f'`{name}`' for name in files)}" for files in conflicts)
    return f"""## Groups

Connected by plain and mirrored copies.

{sizes}

### Label conflicts

{len(conflicts)} groups hold files of more than one class{":" if conflicts else "."}

{names}""".rstrip()


def _levels(report: dict[str, Any]) -> str:
    head = ["threshold", "pairs", "of them tumours", "groups of several", "largest"]
    head += ["test images with a copy in Training"]
    keys = ["threshold", "pairs", "pairs_of_tumours", "groups_of_several", "largest_group"]
    keys += ["test_with_copy_in_training"]
    known = report["outlines"] is not None
    figures = [(kind, name) for kind in ("plain", "mirrored") for name in ("precision", "recall")]
    head += [f"{name}, {kind}" for kind, name in figures] if known else []
    rows = [
        [row[key] for key in keys] + ([row[k][n] for k, n in figures] if known else [])
        for row in report["sensitivity"]
    ]
    text = "Without outlines there is no known origin to compare with."
    if known:
        counts = {kind: report["outlines"][kind]["true"] for kind in ("plain", "mirrored")}
        text = (
            "Precision and recall are measured on pairs of Training images whose slice in the "
            f"public collection is known: {counts['plain']:,} plain and {counts['mirrored']:,} "
            "mirrored pairs show one slice."
        )
    return f"## Other thresholds\n\n{text}\n\n{_table(head, rows)}"


def _edges(report: dict[str, Any]) -> str:
    rows = [
        (kind, f"`{p['left']}`", f"`{p['right']}`", p["transform"], p["similarity"])
        for kind, pairs in report["borderline"].items()
        for p in pairs
    ]
    table = _table(["class", "file", "file", "transform", "similarity"], rows)
    return f"## Borderline pairs\n\nThe nearest to the threshold on both sides.\n\n{table}"


def _planted(report: dict[str, Any]) -> str:
    planted = report.get("planted")
    if not planted:
        return ""
    rows = [
        [kind, *(per[c]["recall"] for c in _COLUMNS), per["all"]["false"], per["all"]["precision"]]
        for kind, per in planted["kinds"].items()
    ]
    head = ["what was done", *(f"recall, {c}" for c in _COLUMNS), "false matches", "precision"]
    return f"""## Planted copies

Each of {planted["originals"]:,} images was changed in {len(planted["kinds"])} ways and searched
for among {planted["searched"]:,}
images that are no copies of each other. A match counts when it is the original, under the right
transform.

{_table(head, rows)}"""


def _cuts(blocks: dict[str, Any]) -> str:
    """How the blocks were made of numbers, and how sure they are."""
    if blocks["made_from"] == "patients":
        return "The outlines name patients, and these are the blocks."
    if not blocks["cuts"]:
        return "The known slices are too few to be divided."
    at, usual = blocks["similarity_at_cuts"], blocks["similarity_of_neighbours"]
    return f"""The collection's numbers run through its planes, not through its patients: a
batch holds all axial, then all coronal, then
all sagittal slices, each plane with its patients in what looks like the same order. A block
therefore joins the same share of each
of a batch's three runs. The {blocks["cuts"]} cuts lie where neighbours are least alike near the
even division: median cosine {at[2]:.2f} (largest
{at[4]:.2f}), against {usual[2]:.2f} for neighbours in general, so that hardly a cut goes through
one patient's slices of one plane. That the planes
of one patient fall into one block is likely and not certain: style runs in step along the planes
in three of the five batches
(looked at once; not among the figures), and the
patient at each of a block's ends may be divided. Only patient ids make it certain: `python -m
data.outlines` takes them from
the public files, and blocks are then patients."""


def _blocks(report: dict[str, Any]) -> str:
    blocks = report["blocks"]
    if blocks["made_from"] == "likeness":
        return "## Patient blocks\n\nMade by likeness alone: no outlines were given."
    single, like = blocks["leave_one_out"], blocks["likeness_alone"]
    placed = blocks["placed_by_nearest_slice"]
    together = (
        "none" if like["neighbours_together"] is None else f"{like['neighbours_together']:.1%}"
    )
    return f"""## Patient blocks

{_cuts(blocks)}

{blocks["blocks"]} blocks of {blocks["numbers"]:,} distinct slices.
{placed:,} tumour images have neither a number nor a copy that has
one; they go
to the block of the most similar slice of their class. Left out one at a time, numbered slices
get their own block so in
{single["same_block"]:.1%} of cases (another slice within 10 numbers is the nearest in
{single["within_10_numbers"]:.1%}).

Without outlines, blocks are grown from copies and likeness alone. Measured on the numbered
slices: {like["blocks"]:.0f} blocks, which keep
{together} of neighbouring numbers together; {like["purity"]:.1%} of their
images belong to the main block of numbers. Slices of
one patient then often stand on both sides, and cross-validation flatters."""


def _roles(report: dict[str, Any]) -> str:
    rows = {
        f"{protocol}: {role}": row
        for protocol, roles in report["roles"].items()
        for role, row in roles.items()
    }
    folds = {f"fold {fold}": row for fold, row in report["folds"].items()}
    table = _counts(rows | folds, "images")
    return f"## Roles and folds\n\n{table}\n\n{_folds_from(report['folds_from'])}".rstrip()


def _folds_from(made: dict[str, Any]) -> str:
    """Where the folds of the tumor slices come from."""
    if made["made_from"] == "blocks":
        return "The folds keep blocks whole; nothing is known of the slices' published folds."
    joined, alone = made["groups_in_two_folds"], made["leave_one_out"]
    return f"""The folds of tumor images are those that the authors of the figshare collection
publish (`data/figshare-folds.csv`), in which no
patient is in two. {made["images_with_known_slice"]:,} images have the fold of their own slice and
{made["images_by_a_copy"]:,} that of a copy; {joined} groups of
copies hold slices of two published folds. The slice of {made["images_by_nearest_slice"]:,} images
is not known: they get the fold of
the most similar slice of their class, which is the right fold for
{"-" if alone is None else f"{alone:.1%}"} of the known slices when each is left out. The folds of
`notumor` keep blocks of copies and look-alikes whole."""


def _collections(report: dict[str, Any]) -> str:
    found = report.get("other_collections")
    if not found:
        return ""
    columns = list(next(iter(found["collections"].values())))
    rows = [[name, *row.values()] for name, row in found["collections"].items()]
    kinds = {
        "copies_of_dataset_images": "pairs of a picture and its copy in the dataset",
        "copies_in_two_parts": "pairs of copies in two parts",
        "copies_of_other_people": "pairs of copies said to be of two people of one part",
    }
    counts = "\n".join(f"- {text}: {len(found[kind])}" for kind, text in kinds.items())
    names = "\n".join(
        f"- `{pair['left']}`, `{pair['right']}`, {pair['transform']}, {pair['similarity']}"
        for kind in kinds
        for pair in found[kind]
    )
    return f"""## Other collections

{_table(["collection", *columns], rows)}

Searched for copies of all images of Training and Testing, and of each other, plain, mirrored and
turned:

{counts}
- pairs of copies of one person: {found["copies_of_one_person"]}
- people in two parts: {len(found["people_in_two_parts"])}

{names}""".rstrip()
