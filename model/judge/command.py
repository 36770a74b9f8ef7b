"""`python -m model judge`: a folder of pictures in class folders, or another model's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.dataset.division import load_manifest
from model.batch.command import Batch, classified, describe
from model.batch.sources import find_source, list_sources, read_source
from model.inference.classifier import DEFAULT_MODEL_PATH
from model.judge.cases import Case, case_of_row
from model.judge.copies import Known, Match, both_signatures, marked, training_files
from model.judge.folders import (
    ALLOWED,
    class_above,
    contrast_in,
    header_facts,
    parts_below,
    plane_in,
)  # fmt: skip
from model.judge.predictions import read_predictions
from model.judge.report import Judged, write_report
from model.preprocessing import ImageError, prepare
from model.reading.open_scan import read_scan


def judge(
    folder: Path | None,
    out: Path,
    *,
    predictions: Path | None = None,
    model: Path = DEFAULT_MODEL_PATH,
    workers: int | None = None,
) -> dict[str, Any]:
    """Judges the network, or another model's answers, and writes the report.

    Args:
        folder: Pictures in class folders.
        out: The page to write, ends in .html; the JSON goes beside it.
        predictions: Another model's answers; `folder` is then where its pictures lie, or None.
        model: The network that is judged otherwise.
        workers: Processes; None for one a core.

    Returns:
        The figures, of `model.judge.report.report_of`.

    Raises:
        OSError, ValueError, RuntimeError: A setting, a folder or a file is not as it should be.
    """
    if out.suffix != ".html" or not out.absolute().parent.is_dir():
        raise ValueError(f"`--out` must end in .html, in a folder that exists. Received: {out}")
    if folder is not None and not folder.is_dir():
        raise ValueError(f"`FOLDER` must be a folder with class folders. Received: {folder}")
    if predictions is not None:
        judged = judge_answers(predictions, folder)
    elif folder is not None:
        judged = judge_folder(folder, Batch([str(folder)], model, workers=workers))
    else:
        raise ValueError("`FOLDER` or `--predictions` must be given. Received: neither")
    return write_report(judged, out)


def judge_folder(folder: Path, batch: Batch) -> Judged:
    """Classifies a folder's pictures, the middle slice of volumes, and marks copies."""
    check_classes(folder)
    batch = replace(batch, middle=True, look=both_signatures)
    known, trained = Known.load(), training_files(load_manifest())
    cases: list[Case] = []
    errors: list[dict[str, str]] = []
    for _, rows in classified(batch, Counter()):
        for row in rows:
            name = "/".join((*parts_below(row["path"], str(folder)), Path(row["path"]).name))
            if row["error"] is not None:
                errors.append({"file": name, "error": row["error"]})
                continue
            case = _placed(row, name, folder)
            cases.append(marked(case, known.find(row["plain"], row["mirror"]), trained))
    if not cases:
        raise ValueError(
            f"`FOLDER` must hold at least one picture that can be read. Received: {folder}, "
            f"with {len(errors)} that cannot"
        )
    answers = f"{batch.model.stem}, SHA-256 {describe(batch)['model_sha256']}"
    return Judged(folder.resolve().name, answers, tuple(cases), tuple(errors), True, True)


def check_classes(folder: Path) -> None:
    """Refuses a folder with pictures outside class folders.

    Raises:
        ValueError: There are some, or no picture at all.
    """
    empty, strange = True, set()
    for source in list_sources([str(folder)]):
        empty = False
        parts = parts_below(source.label, str(folder))
        if class_above(parts) is None:
            strange.add("/".join(parts) or "FOLDER itself")
    if empty:
        raise ValueError(f"`FOLDER` must hold pictures in class folders. Received: {folder}, empty")
    if strange:
        shown = ", ".join(sorted(strange)[:5]) + ", ..." * (len(strange) > 5)
        raise ValueError(
            f"Every picture must lie in a class folder: {ALLOWED}. Received: pictures in {shown}"
        )


def _placed(row: dict[str, Any], name: str, folder: Path) -> Case:
    """The case of a row, with what header and folders say."""
    parts = parts_below(row["path"], str(folder))
    label = class_above(parts)
    if label is None:
        raise ValueError(f"Every picture must lie in a class folder: {ALLOWED}. Received: {name}")
    place = "/".join((folder.resolve().name, *parts))
    contrast, plane = header_facts(row["path"])
    return case_of_row(
        row, name=name, label=label, contrast=contrast or contrast_in(place),
        plane=plane or row["plane"] or plane_in(place),
    )  # fmt: skip


def judge_answers(predictions: Path, folder: Path | None) -> Judged:
    """Reads another model's answers, and marks copies by the pictures or, without, by name."""
    manifest = load_manifest()
    trained = training_files(manifest)
    cases, lines = read_predictions(predictions, str(folder or ""), manifest)
    if folder is None:
        by_name = {Path(file).name: file for file in manifest.rows}
        cases = [
            marked(case, Match(by_name[name], False) if name in by_name else None, trained)
            for case in cases
            for name in [Path(case.name).name]
        ]
    else:
        cases = list(_looked_at(cases, trained))
    errors = [
        {"file": line.get("file") or line.get("path") or "", "error": line["error"]}
        for line in lines
    ]
    return Judged(
        predictions.name, predictions.name, tuple(cases), tuple(errors), folder is not None, False
    )


def _looked_at(cases: Iterable[Case], trained: dict[str, str]) -> Iterable[Case]:
    """Cases, their pictures compared with the training images."""
    known = Known.load()
    for case in tqdm(list(cases), unit="file", disable=None):
        try:
            scan = read_scan(read_source(find_source(case.path)))
            (one,) = scan.slices(None, case.slice)
            image = prepare(one.pixels())
        except ImageError as error:
            raise ValueError(f"{case.name} cannot be read: {error}") from error
        contrast, plane = header_facts(case.path)
        seen = replace(case, contrast=contrast or case.contrast, plane=plane or case.plane)
        yield marked(seen, known.find(**both_signatures(image)), trained)
