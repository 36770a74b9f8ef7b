"""The gallery's images and thumbnails, cached for good where the address carries the version."""

from __future__ import annotations

import io
from functools import lru_cache

from flask import Blueprint, Response, abort, request, send_file, url_for
from PIL import Image

from web.service.samples import Sample
from web.service.selection import FilterError
from web.service.state import current_state

THUMBNAIL_WIDTHS = (240, 480)  # pixels: what the gallery shows, and twice that for dense screens
QUALITY = 90  # of WebP: below it a scan looks smoother than it is
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
    """The image as WebP, ``w`` pixels wide (the smallest width by default), but never wider than
    the image itself; 404 for an unknown id, 400 for another width.
    """
    sample = _find(sample_id)
    width = min(_width(request.args.get("w", "")), sample.width)
    etag = f"{sample.sha256[:32]}-{width}"
    return _send(sample, _shrink(sample, width), "image/webp", etag)


def thumbnail_url(sample: Sample, width: int = THUMBNAIL_WIDTHS[0]) -> str:
    """The address of a thumbnail, which changes with the file."""
    return url_for("images.thumbnail", sample_id=sample.id, w=width, v=sample.version)


def thumbnail_set(sample: Sample) -> str:
    """The addresses of all thumbnails with their widths, for ``srcset``."""
    widths = {min(width, sample.width): width for width in reversed(THUMBNAIL_WIDTHS)}
    return ", ".join(f"{thumbnail_url(sample, w)} {real}w" for real, w in sorted(widths.items()))


def _width(text: str) -> int:
    if text == "":
        return THUMBNAIL_WIDTHS[0]
    for width in THUMBNAIL_WIDTHS:
        if text == str(width):
            return width
    allowed = ", ".join(str(width) for width in THUMBNAIL_WIDTHS)
    raise FilterError(f"`w` must be one of {allowed}. Received: {text[:80]!r}.")


def _find(sample_id: str) -> Sample:
    sample = current_state().gallery.samples.get(sample_id)
    if sample is None:
        abort(404)
    return sample


@lru_cache(maxsize=512)
def _shrink(sample: Sample, width: int) -> bytes:
    buffer = io.BytesIO()
    with Image.open(sample.path) as picture:
        small = picture.convert("L")
        height = max(1, round(picture.height * width / picture.width))
        small = small.resize((width, height), Image.Resampling.LANCZOS)
        small.save(buffer, "WEBP", quality=QUALITY)
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
