"""The gallery's images and thumbnails, cached for good where the address carries the version."""

from __future__ import annotations

import io
from functools import lru_cache

from flask import Blueprint, Response, abort, request, send_file
from PIL import Image

from web.gallery import Sample
from web.state import current_state

THUMBNAIL_SIZE = 288  # pixels a side: about twice what the gallery shows, for dense screens
A_YEAR = 365 * 24 * 3600
AN_HOUR = 3600

blueprint = Blueprint("images", __name__)


@blueprint.get("/images/<sample_id>")
def image(sample_id: str) -> Response:
    """The image file itself; 404 for an unknown id."""
    sample = _find(sample_id)
    return _send(sample, sample.path.read_bytes(), sample.media_type, sample.sha256[:32])


@blueprint.get("/thumbnails/<sample_id>")
def thumbnail(sample_id: str) -> Response:
    """The image at most THUMBNAIL_SIZE pixels wide, as WebP; 404 for an unknown id."""
    sample = _find(sample_id)
    if sample.width <= THUMBNAIL_SIZE:
        return image(sample_id)
    etag = f"{sample.sha256[:32]}-{THUMBNAIL_SIZE}"
    return _send(sample, _shrink(sample), "image/webp", etag)


def _find(sample_id: str) -> Sample:
    sample = current_state().gallery.samples.get(sample_id)
    if sample is None:
        abort(404)
    return sample


@lru_cache(maxsize=512)
def _shrink(sample: Sample) -> bytes:
    buffer = io.BytesIO()
    with Image.open(sample.path) as picture:
        small = picture.convert("L")
        small.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
        small.save(buffer, "WEBP", quality=82)
    return buffer.getvalue()


def _send(sample: Sample, body: bytes, media_type: str, etag: str) -> Response:
    versioned = request.args.get("v") == sample.version
    response = send_file(
        io.BytesIO(body), mimetype=media_type, etag=etag, max_age=A_YEAR if versioned else AN_HOUR
    )
    response.cache_control.no_cache = None
    response.cache_control.public = True
    if versioned:
        response.cache_control.immutable = True
    return response
