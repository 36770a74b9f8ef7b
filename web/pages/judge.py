"""The page that judges the network on a visitor's labelled pictures.

The browser sends the pictures a few at a time, keeps what comes back, a case for each, and sends
the cases for the report. The server keeps nothing between the two; no picture is stored or logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from flask import Blueprint, Response, abort, jsonify, render_template, request
from marshmallow import Schema, ValidationError, fields, post_load, validate

from data.dataset.division import load_manifest
from model.batch.page import picture_of
from model.config import CLASS_NAMES
from model.judge.cases import Case, said_of
from model.judge.copies import Known, both_signatures, marked, training_files
from model.judge.folders import ALLOWED, LABELS, SPELLINGS, class_above, facts_in
from model.judge.report import Judged, render, report_of
from model.preprocessing import prepare
from model.reading.contrast import NAMES
from model.reading.errors import ImageError
from model.reading.open_scan import read_scan
from model.reading.pairs import joined
from model.reading.series import PLANES
from web.api.uploads import MAX_FILES, MAX_NAME, MAX_UPLOAD_BYTES, sent_files
from web.service.state import current_state, place

MAX_CASES = 500
"""Pictures of one report: their cases, with a small picture of each, fit into one request."""
MAX_PICTURE = 30_000  # characters

blueprint = Blueprint("judge", __name__)


@blueprint.get("/judge")
def page() -> str:
    """The page."""
    return render_template(
        "judge.html", spellings=SPELLINGS, max_cases=MAX_CASES, max_files=MAX_FILES,
        max_bytes=MAX_UPLOAD_BYTES,
    )  # fmt: skip


@blueprint.post("/judge/cases")
def cases() -> Response:
    """A case for each uploaded ``file``, or why there is none.

    A file's name is its path with its class folder, such as ``scans/glioma/1.png``.
    """
    with place():
        entries = [_entry(name, content) for name, content in joined(sent_files())]
    return jsonify(cases=entries)


@blueprint.post("/judge/report")
def report() -> Response:
    """The report on cases that `cases` gave: its ``figures``, and the ``page`` to keep."""
    sent = request.get_json(silent=True)
    try:
        loaded = _ReportSchema().load(sent if isinstance(sent, Mapping) else {})
    except ValidationError as error:
        name, messages = next(iter(error.normalized_messages().items()))
        abort(400, f"`{name}` must be as the page sends it. Received: {messages}")
    network = current_state().predictions.classifier
    answers = f"{network.name}, SHA-256 {network.sha256}"
    judged = Judged(
        loaded["name"], answers, tuple(loaded["cases"]), tuple(loaded["errors"]), True, True
    )
    figures = report_of(judged)
    return jsonify(figures=figures, page=render(judged, figures))


def _entry(name: str, content: bytes) -> dict[str, Any]:
    label = class_above(PurePosixPath(name).parts[:-1])
    if label is None:
        error = f"A picture must lie in a class folder: {ALLOWED}. Received: none above it"
        return {"file": name, "error": error}
    try:
        return asdict(_case(name, label, content))
    except ImageError as error:
        return {"file": name, "error": str(error)}


def _case(name: str, label: int, content: bytes) -> Case:
    """The case of a file, of a volume that of its middle slice.

    Raises:
        ImageError: It cannot be read.
    """
    with current_state().reading.turn(content):
        scan = read_scan(content)
        (one,) = scan.slices(None, None)
        image = prepare(one.pixels())
        found = current_state().predictions.run(image).doubted(scan.doubt)
        contrast, plane = facts_in(content)
    probabilities = tuple(found.probabilities[each] for each in CLASS_NAMES)
    said, tumor = said_of(probabilities)
    case = Case(
        path="", name=name, label=label, said=said, probabilities=probabilities, tumor=tumor,
        contrast=contrast, plane=plane or one.plane, slice=one.number,
        refused=not found.in_distribution, answered=not found.abstained, picture=picture_of(image),
    )  # fmt: skip
    known, trained = _known()
    return marked(case, known.find(**both_signatures(image)), trained)


@lru_cache(maxsize=1)
def _known() -> tuple[Known, dict[str, str]]:
    return Known.load(), training_files(load_manifest())


class _CaseSchema(Schema):
    """A `Case`, as `cases` sent it."""

    path = fields.Constant("")
    name = fields.String(required=True, validate=validate.Length(max=MAX_NAME))
    label = fields.Integer(required=True, validate=validate.Range(0, len(LABELS) - 1))
    said = fields.Integer(required=True, validate=validate.Range(0, len(CLASS_NAMES) - 1))
    probabilities = fields.Tuple(
        [fields.Float(validate=validate.Range(0, 1))] * len(CLASS_NAMES), required=True
    )
    tumor = fields.Float(required=True, validate=validate.Range(0, 1))
    contrast = fields.String(required=True, allow_none=True, validate=validate.OneOf(NAMES))
    plane = fields.String(required=True, allow_none=True, validate=validate.OneOf(PLANES))
    slice = fields.Integer(required=True, allow_none=True, validate=validate.Range(0))
    refused = fields.Boolean(required=True)
    answered = fields.Boolean(required=True)
    copy_of = fields.String(required=True, allow_none=True, validate=validate.Length(max=MAX_NAME))
    mirrored = fields.Boolean(required=True)
    picture = fields.String(
        required=True,
        validate=[
            validate.Length(max=MAX_PICTURE),
            validate.Regexp(r"data:image/webp;base64,[A-Za-z0-9+/]+=*\Z"),
        ],
    )

    @post_load
    def made(self, values: dict[str, Any], **_: Any) -> Case:
        return Case(**values)


class _ErrorSchema(Schema):
    """Why there is no case of a file."""

    file = fields.String(required=True, validate=validate.Length(max=MAX_NAME))
    error = fields.String(required=True, validate=validate.Length(max=1000))


class _ReportSchema(Schema):
    """What is judged, and under which name."""

    name = fields.String(required=True, validate=validate.Length(1, MAX_NAME))
    cases = fields.List(
        fields.Nested(_CaseSchema), required=True, validate=validate.Length(1, MAX_CASES)
    )
    errors = fields.List(
        fields.Nested(_ErrorSchema), required=True, validate=validate.Length(max=MAX_CASES)
    )
