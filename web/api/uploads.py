"""Uploaded files: predictions, and the slices of a volume to choose from.

Files are decoded in memory; they are neither stored nor logged, nor are their names.
"""

from __future__ import annotations

import base64
import io
import unicodedata
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import numpy as np
from flask import Blueprint, Request, Response, abort, jsonify, request
from numpy.typing import NDArray
from PIL import Image
from werkzeug.datastructures import FileStorage

from model.inference.answer_text import N_
from model.inference.head_mask import head_box
from model.inference.prediction import Prediction
from model.preprocessing import finite, prepare, window
from model.reading.errors import ImageError
from model.reading.open_scan import has_slices, read_scan
from model.reading.pairs import VOXELS_ALONE, is_voxels, joined
from model.reading.scan import Scan
from web.api.answers import DECIMALS, model_fields, prediction_fields
from web.api.queries import PlaneQuery, PredictionsQuery, load_query
from web.http.errors import problem
from web.service.state import current_state, place

MAX_UPLOAD_BYTES = 32 * 2**20
MAX_FILES = 16
MAX_PICTURES = 64
"""Heat maps and previews of a request, at a quarter of a megabyte each while it is answered."""
PREVIEW_SIDE = 512
THUMBNAIL_SIDE = 96
MAX_NAME = 255
MIDDLE = (0.2, 0.2, 0.8, 0.8)
"""The crop that is suggested where no head is found."""
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

ERRORS = {  # by the kind of a `model.preprocessing.ImageError`: status and title
    "damaged": (HTTPStatus.UNPROCESSABLE_ENTITY, N_("The file cannot be used")),
    "too-large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, N_("The file is too large")),
    "unsupported-format": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        N_("The file's format is not supported"),
    ),
}

blueprint = Blueprint("uploads", __name__)


class InMemoryRequest(Request):
    """A request whose uploaded files never touch the disk."""

    max_content_length = MAX_UPLOAD_BYTES
    # Of a field that is no file. Werkzeug also holds its read-ahead against it, files' too: pieces
    # of 64 KiB and what it kept of the last one, so a limit as low as that refuses large files.
    max_form_memory_size = 2**20
    max_form_parts = MAX_FILES + 4

    def _get_file_stream(  # werkzeug's own hook; its default spools to a temporary file
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> io.BytesIO:
        return io.BytesIO()


@blueprint.post("/api/v1/predictions")
def predictions() -> Response | tuple[Response, int]:
    """Classifies each uploaded ``file``; 4xx where none of them can be read."""
    query = load_query(PredictionsQuery(), request.args)
    with place():
        entries, kinds = answer_files(query)
    if len(kinds) == len(entries):
        return all_failed(entries, kinds)
    return jsonify(predictions=entries, model=model_fields(current_state().predictions.classifier))


@blueprint.post("/api/v1/slices")
def slices() -> Response | tuple[Response, int]:
    """Small pictures of every slice of the one uploaded ``file``, in one plane."""
    query = load_query(PlaneQuery(), request.args)
    with place():  # without the network, yet with as much memory as a request that uses it
        name, content = next(sent_files(at_most=1))
        with current_state().reading.turn(content):
            return _slices(name, content, query)


def _slices(name: str, content: bytes, query: dict[str, Any]) -> Response | tuple[Response, int]:
    try:
        scan = read_scan(content)
        chosen = scan.slices(query["plane"], "all")
        found = [
            {"slice": one.index, "preview": _preview(one.pixels(), THUMBNAIL_SIDE, quality=70)}
            for one in chosen
        ]
    except ImageError as error:
        return all_failed([{"filename": name, "error": file_error(error)}], [error.kind])
    return jsonify(
        filename=name, kind=scan.kind, planes=dict(scan.planes), plane=chosen[0].plane, slices=found
    )


def answer_files(query: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Answers the request's files, each for itself.

    Args:
        query: As `web.api.queries.PredictionsQuery` loads it.

    Returns:
        An entry for each file, or for each of its slices: an answer, or an ``error``; and the
        kinds of the errors.
    """
    entries: list[dict[str, Any]] = []
    kinds: list[str] = []
    for name, content in joined(sent_files()):
        try:
            entries += _answers(name, content, query)
        except ImageError as error:
            if is_voxels(name) and error.kind == "unsupported-format":
                error = VOXELS_ALONE
            kinds.append(error.kind)
            entries.append({"filename": name, "error": file_error(error)})
    return entries, kinds


def sent_files(at_most: int = MAX_FILES) -> Iterator[tuple[str, bytes]]:
    files: list[FileStorage] = request.files.getlist("file")
    if not 1 <= len(files) <= at_most:
        allowed = "exactly one file" if at_most == 1 else f"1 to {at_most} files"
        abort(400, f"`file` must be {allowed}, as multipart/form-data. Received: {len(files)}.")
    for file in files:
        assert isinstance(file.stream, io.BytesIO)  # as `InMemoryRequest` made it
        yield shown_name(file.filename or ""), file.stream.getvalue()  # `read` would copy it


def shown_name(name: str) -> str:
    """A file's name as it is sent back: cut, and without characters that show it as another.

    Those are controls, NUL among them, halves of surrogate pairs, and marks that turn the
    direction of writing, so that ``exe.jpg`` is seen where ``gpj.exe`` was meant.
    """
    kept = (c for c in name if unicodedata.category(c) not in ("Cc", "Cs") and c not in _TURNING)
    return "".join(kept)[:MAX_NAME]


def _answers(name: str, content: bytes, query: dict[str, Any]) -> list[dict[str, Any]]:
    """An entry for the chosen slice of a file, or for each of them."""
    run = current_state().predictions.run

    def entry(
        image: NDArray[np.float32], about: dict[str, Any], doubt: str | None
    ) -> dict[str, Any]:
        found = run(image, explain=query["explain"], explain_class=query["explain_class"])
        found = found.doubted(doubt)
        about |= {"doubt": found.doubt, "crop": _crop(image, found, about["slices"])}
        return {"filename": name, **prediction_fields(found), **about}

    with current_state().reading.turn(content):
        if has_slices(content):
            scan = read_scan(content)
            return [entry(*slice_, scan.doubt) for slice_ in _prepared(scan, query)]
        # Of a picture no more is kept, while it waits for the network, than the network needs.
        scan = read_scan(content)
        ((image, about),), doubt = _prepared(scan, query), scan.doubt
        del scan
    return [entry(image, about, doubt)]


def _crop(image: NDArray[np.float32], found: Prediction, slices: int) -> list[float] | None:
    """Where one head may be in a single picture that does not look like one."""
    if found.in_distribution or slices > 1 or found.doubt not in (None, "shape", "panels"):
        return None
    return [round(share, DECIMALS) for share in head_box(image) or MIDDLE]


def _prepared(
    scan: Scan, query: dict[str, Any]
) -> Iterator[tuple[NDArray[np.float32], dict[str, Any]]]:
    """The chosen slices as the network sees them, each with the answer's fields about it."""
    chosen = scan.slices(query["plane"], query["slice"])
    _check_pictures(len(chosen), query)
    for one in chosen:
        pixels = one.pixels()
        about: dict[str, Any] = {"plane": one.plane, "slices": one.count, "slice": one.number}
        about["contrast"] = scan.contrast
        if query["preview"]:
            about["preview"] = _preview(pixels, PREVIEW_SIDE, quality=88)
        yield prepare(pixels), about


def _check_pictures(slices: int, query: dict[str, Any]) -> None:
    """Refuses what would not fit into memory: a heat map or a preview of a thousand slices.

    Raises:
        ImageError: So many are wanted of one file.
    """
    most = MAX_PICTURES // len(request.files.getlist("file"))
    for costly in ("explain", "preview"):
        if query[costly] and slices > most:
            raise ImageError(
                f"`slice` must name at most {most} slices of each file with `{costly}=true`; ask "
                f"for more of them in parts, such as `slice=0-{most - 1}`. Received: {slices}",
                kind="too-large",
            )


def _preview(pixels: NDArray[np.float32], side: int, *, quality: int) -> dict[str, Any]:
    """The slice as a WebP of at most `side` pixels, in the window that the network sees.

    Raises:
        ImageError: A value is not finite.
    """
    pixels = finite(pixels)
    low, high = (float(value) for value in window(pixels))
    scaled = pixels - low  # float32, as the pixels; worked on in place, for large ones
    scaled *= np.float32(255 / max(high - low, 1e-12))
    np.rint(np.clip(scaled, 0, 255, out=scaled), out=scaled)
    picture = Image.fromarray(scaled.astype(np.uint8))
    del scaled
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=1)  # a third of the time, as small
    return {
        "media_type": "image/webp",
        "width": picture.width,
        "height": picture.height,
        "data": base64.b64encode(buffer.getvalue()).decode("ascii"),
    }


def file_error(error: ImageError) -> dict[str, str]:
    return {"type": f"/api#{error.kind}", "title": ERRORS[error.kind][1], "detail": str(error)}


def all_failed(entries: list[dict[str, Any]], kinds: list[str]) -> tuple[Response, int]:
    kind = kinds[0] if len(set(kinds)) == 1 else "damaged"
    status, title = ERRORS[kind]
    detail = " ".join(entry["error"]["detail"] for entry in entries)
    return problem(status, title, detail, kind=f"/api#{kind}", errors=entries)
