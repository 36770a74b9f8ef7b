"""Another model's answers, from a CSV file, as cases.

Data contract, a column each:

- `file` (or `path`): the picture. Below the folder that is judged, where one is given.
- `true`: its class. Without, the class folder in `file` says it, or, for a file of the dataset,
  the dataset's division.
- Either `glioma`, `meningioma`, `notumor` and `pituitary` (each also with `probability_` before
  it), probabilities that sum to 1; or `tumor`, the probability of any tumor; or `label`, the answer
  without a probability.

An output of `python -m model classify` in CSV is such a file. Other columns are passed over.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from data.dataset.division import Manifest
from model.batch.rows import PROBABILITY
from model.config import CLASS_NAMES, NO_TUMOUR
from model.judge.cases import Case, said_of
from model.judge.folders import (
    ALLOWED,
    TUMOR,
    class_above,
    contrast_in,
    label_of,
    parts_below,
    plane_in,
)  # fmt: skip

SUM_SLACK = 0.02
"""By how much probabilities that were rounded may miss 1."""

Line = Mapping[str, str]


def read_predictions(path: Path, folder: str, manifest: Manifest) -> tuple[list[Case], list[Line]]:
    """Reads a file of answers.

    Args:
        path: The file.
        folder: Where the pictures lie; "" where only their names are known.
        manifest: Of the dataset, which knows the classes of its files.

    Returns:
        Cases, and the lines whose column `error` says that there is no answer.

    Raises:
        OSError: It cannot be read.
        ValueError: A column is missing, or a line is not as it should be.
    """
    classes = {Path(file).name: file.split("/")[1] for file in manifest.rows}
    cases: list[Case] = []
    errors: list[Line] = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or ()
        _check_columns(path, columns)
        for line in reader:
            if line.get("error"):
                errors.append(line)
                continue
            try:
                cases.append(_case(line, folder, classes))
            except ValueError as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    if not cases:
        raise ValueError(f"`--predictions` must hold at least one answer. Received: {path}")
    return cases, errors


def _check_columns(path: Path, columns: object) -> None:
    names = set(columns if isinstance(columns, list | tuple) else ())
    shares = [f"{PROBABILITY}{name}" for name in CLASS_NAMES]
    answers = names >= set(CLASS_NAMES) or names >= set(shares) or names & {"tumor", "label"}
    if not names & {"file", "path"} or not answers:
        raise ValueError(
            "`--predictions` must have a column `file` (or `path`), and either "
            f"{', '.join(CLASS_NAMES)}, or `tumor`, or `label`. "
            f"Received: {path} with {', '.join(sorted(names)) or 'no column'}"
        )


def _case(line: Line, folder: str, classes: Mapping[str, str]) -> Case:
    name = line.get("file") or line.get("path") or ""
    parts = parts_below(name, folder)
    place = "/".join(parts)
    probabilities, tumor, said = _answer(line)
    return Case(
        path=str(Path(folder) / name), name=name, label=_true(line, name, parts, classes),
        said=said, probabilities=probabilities, tumor=tumor, contrast=contrast_in(place),
        plane=line.get("plane") or plane_in(place),
        slice=int(line["slice"]) if line.get("slice") else None,
        refused=_flag(line, "in_distribution", on="false"),
        answered=_flag(line, "abstained", on="false"),
    )  # fmt: skip


def _true(line: Line, name: str, parts: tuple[str, ...], classes: Mapping[str, str]) -> int:
    named = line.get("true") or classes.get(Path(name).name)
    label = class_above(parts) if not line.get("true") else label_of(line["true"])
    if label is None and named:
        label = label_of(named)
    if label is None:
        raise ValueError(
            f"`true`, or a folder in `file`, must name a class: {ALLOWED}. "
            f"Received: {named or name!r}"
        )
    return label


def _answer(line: Line) -> tuple[tuple[float, ...] | None, float | None, int]:
    """Probabilities of the classes, probability of a tumor, and the answer."""
    for before in ("", PROBABILITY):
        if all(line.get(before + name) for name in CLASS_NAMES):
            shares = tuple(_number(line, before + name) for name in CLASS_NAMES)
            total = sum(shares)
            if abs(total - 1) > SUM_SLACK:
                raise ValueError(f"the probabilities must sum to 1. Received: a sum of {total:.4g}")
            shares = tuple(value / total for value in shares)
            said, tumor = said_of(shares)
            return shares, tumor, said
    if line.get("tumor"):
        tumor = _number(line, "tumor")
        return None, tumor, TUMOR if tumor > 0.5 else NO_TUMOUR
    label = label_of(line.get("label") or "")
    if label is None:
        raise ValueError(f"`label` must name a class: {ALLOWED}. Received: {line.get('label')!r}")
    return None, None, label


def _number(line: Line, name: str) -> float:
    try:
        value = float(line[name])
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"`{name}` must be a probability in 0..1. Received: {line[name]!r}")
    return value


def _flag(line: Line, name: str, *, on: str) -> bool | None:
    text = (line.get(name) or "").lower()
    if text not in ("true", "false", ""):
        raise ValueError(f"`{name}` must be true, false or empty. Received: {line[name]!r}")
    return text == on if text else None
