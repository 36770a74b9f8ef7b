"""The page for one's own images: the form, and its answer where the browser runs no scripts.

With scripts the page talks to the API file by file, and this module only draws it.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request

from model.config import PARAMETER_COUNT
from model.reading.pictures.guards import MAX_PIXELS, MAX_PIXELS_OF
from model.reading.pictures.picture import FORMATS
from model.reading.scan import MAX_SLICES
from web.api.queries import PredictionsQuery, load_query
from web.api.uploads import ERRORS, MAX_FILES, MAX_UPLOAD_BYTES, answer_files
from web.pages.script_words import ADVICE
from web.service.state import place

FORMAT_NAMES = {"WEBP": "WebP"}  # those that Pillow writes in capitals and others do not

blueprint = Blueprint("analyse", __name__)


@blueprint.route("/analyse", methods=["GET", "POST"])
def page() -> tuple[str, int]:
    """The page; a POST is its form without scripts, with a file's middle slice read.

    400 where no file was chosen, otherwise as the API where none could be read.
    """
    entries: list[dict[str, Any]] = []
    status = 200
    missing = False
    if request.method == "POST":
        with place():
            missing = not any(file.filename for file in request.files.getlist("file"))
            if missing:
                status = 400
            else:
                entries, kinds = answer_files(load_query(PredictionsQuery(), {"preview": "true"}))
                if len(kinds) == len(entries):
                    status = ERRORS[kinds[0]][0]
    return render_template(
        "analyse.html", entries=entries, missing=missing, limits=limits(), advice=ADVICE
    ), status


def limits() -> dict[str, Any]:
    """What the server accepts, from the constants that it checks."""
    return {
        "pictures": [FORMAT_NAMES.get(name, name) for name in FORMATS],
        "bytes": MAX_UPLOAD_BYTES,
        "mebibytes": MAX_UPLOAD_BYTES // 2**20,
        "files": MAX_FILES,
        "pixels": MAX_PIXELS,
        "jpeg_pixels": MAX_PIXELS_OF["JPEG"],
        "tiff_pixels": MAX_PIXELS_OF["TIFF"],
        "webp_pixels": MAX_PIXELS_OF["WEBP"],
        "slices": MAX_SLICES,
        "parameters": PARAMETER_COUNT,
    }
