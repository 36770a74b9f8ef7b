"""Uploaded studies: series by the headers of their files, and one answer for one of them.

Files are unpacked and decoded one at a time, in memory; they are neither stored nor logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, jsonify, request

from model.inference.prediction import Prediction
from model.inference.series_answer import SliceAnswer, answer_fields
from model.preprocessing import prepare
from model.reading.errors import ImageError
from model.reading.marks import is_dicom
from model.reading.open_scan import read_scan
from model.reading.scan import MAX_SLICES
from model.reading.series import Series, choose, described, group
from model.reading.slice_header import HEAD, SliceHeader
from web.api.answers import model_fields, prediction_fields
from web.api.queries import StudyQuery, load_query
from web.api.uploads import (
    MAX_UPLOAD_BYTES,
    all_failed,
    file_error,
    sent_files,
    shown_name,
)
from web.service.selection import FilterError
from web.service.state import current_state, place
from web.service.study_files import MAX_BYTES, MAX_FILES, StudyFile, study_files

blueprint = Blueprint("studies", __name__)


@blueprint.post("/api/v1/studies")
def studies() -> Response | tuple[Response, int]:
    """The series of the uploaded ``file``s, and one answer for the one that suits best."""
    query = load_query(StudyQuery(), request.args)
    request.max_form_parts = MAX_FILES + 4
    with place():
        try:
            files = list(study_files(sent_files(MAX_FILES)))
        except ImageError as error:
            entry = {"filename": "", "error": file_error(error)}
            return all_failed([entry], [error.kind])
        headers, left_out, kinds = _headers(files)
        if not headers:
            return all_failed(left_out, kinds)
        series = group(headers)
        return _answered(files, series, query, left_out)


def _headers(
    files: list[StudyFile],
) -> tuple[dict[int, SliceHeader], list[dict[str, Any]], list[str]]:
    """Headers by file, an entry for each file that has none, and the kinds of their errors."""
    headers: dict[int, SliceHeader] = {}
    left_out: list[dict[str, Any]] = []
    kinds: list[str] = []
    for number, file in enumerate(files):
        try:
            headers[number] = _header(file)
        except ImageError as error:
            kinds.append(error.kind)
            left_out.append({"filename": shown_name(file.name), "error": file_error(error)})
    return headers, left_out, kinds or ["damaged"]


def _header(file: StudyFile) -> SliceHeader:
    head = file.read(HEAD)
    if not is_dicom(head):
        raise ImageError(
            "`file` must be DICOM to be part of a study; send others to /api/v1/predictions. "
            "Received: another format",
            kind="unsupported-format",
        )
    from model.reading.dicom.place import read_slice_header  # takes long to import

    return read_slice_header(head)


def _answered(
    files: list[StudyFile],
    series: list[Series],
    query: dict[str, Any],
    left_out: list[dict[str, Any]],
) -> Response | tuple[Response, int]:
    number, why = _wanted(series, query["series"])
    answer, slices = None, []
    if query["read"] and number is not None and series[number].unfit is None:
        one = series[number]
        try:
            _check_size(one, files)
        except ImageError as error:
            entry = {"filename": shown_name(files[one.files[0]].name), "error": file_error(error)}
            return all_failed([entry], [error.kind])
        found = list(_read(one, files))
        slices = [entry for entry, _ in found]
        names = [_name(entry) for entry in slices]
        answer = answer_fields([seen for _, seen in found], one.gap, names)
    return jsonify(
        files=len(files),
        series=[described(one) | {"order": list(one.files)} for one in series],
        chosen=number,
        why=why,
        answer=answer,
        slices=slices,
        left_out=left_out,
        model=model_fields(current_state().predictions.classifier),
    )


def _wanted(series: list[Series], asked: int | None) -> tuple[int | None, str]:
    """Number of the series to answer, and why it is that one."""
    if asked is not None:
        if asked >= len(series):
            raise FilterError(f"`series` must be in 0..{len(series) - 1}. Received: {asked}.")
        return asked, "It was asked for."
    best = choose(series)
    if best is None:
        return None, "No series is a brain MRI as far as its header tells."
    return best.number, best.why


def _check_size(one: Series, files: list[StudyFile]) -> None:
    """Refuses a series that would take minutes.

    Raises:
        ImageError: As said.
    """
    size = sum(
        len(files[n].content) if (m := files[n].member) is None else m.file_size for n in one.files
    )
    if one.slices > MAX_SLICES or size > MAX_BYTES:
        raise ImageError(
            f"`file` must have at most {MAX_SLICES:,} slices and {MAX_BYTES // 2**20} MiB in a "
            f"series. Received: {one.slices:,} slices, {size:,} bytes",
            kind="too-large",
        )


def _read(
    one: Series, files: list[StudyFile]
) -> Iterator[tuple[dict[str, Any], SliceAnswer | None]]:
    """An entry for each slice, or with an error for a file, and what it counts for."""
    place = 0
    for number in one.files:
        name = shown_name(files[number].name)
        try:
            for slice_, found in _predicted(files[number]):
                about = {"filename": name, "slice": slice_, "place": place}
                yield {**prediction_fields(found), **about}, SliceAnswer.of(found)
                place += 1
        except ImageError as error:
            yield {"filename": name, "place": place, "error": file_error(error)}, None
            place += 1


def _predicted(file: StudyFile) -> Iterator[tuple[int | None, Prediction]]:
    content = file.read(MAX_UPLOAD_BYTES + 1)
    if len(content) > MAX_UPLOAD_BYTES:
        raise ImageError(
            f"`file` must have files of at most {MAX_UPLOAD_BYTES // 2**20} MiB once unpacked. "
            "Received: more",
            kind="too-large",
        )
    with current_state().reading.turn(content):
        for one in read_scan(content).slices(None, "all"):
            yield one.number, current_state().predictions.run(prepare(one.pixels()))


def _name(entry: dict[str, Any]) -> str:
    name: str = entry["filename"]
    return name if entry.get("slice") is None else f"{name} [{entry['slice']}]"
