"""What happens to every response: security headers, and compression of pages and JSON."""

from __future__ import annotations

import gzip

from flask import Flask, Response, request

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HTTPS_ONLY = "max-age=31536000"  # a year; of this host alone, as others may share its domain

COMPRESSION_LEVEL = 5
WORTHWHILE = 1024  # bytes
COMPRESSED = ("text/html", "application/json")


def add_headers(app: Flask) -> None:
    @app.after_request
    def ask_again(response: Response) -> Response:
        """Scripts import each other by bare names, without a version: browsers ask each time."""
        is_script = request.path.endswith(".js")
        if request.endpoint == "static" and is_script and "v" not in request.args:
            response.headers["Cache-Control"] = "no-cache"
        return response

    @app.after_request
    def secure(response: Response) -> Response:
        response.headers.update(SECURITY_HEADERS)
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = HTTPS_ONLY
        return response


def register_compression(app: Flask) -> None:
    """A page of films shrinks to an eighth, a heat map to a fifth.

    Static files are left as they are: browsers keep them for good, and their ETags are exact.
    """

    @app.after_request
    def compress(response: Response) -> Response:
        if response.mimetype not in COMPRESSED or response.is_streamed:
            return response
        response.vary.add("Accept-Encoding")
        body = response.get_data()
        if request.accept_encodings["gzip"] > 0 and len(body) >= WORTHWHILE:
            response.set_data(gzip.compress(body, COMPRESSION_LEVEL, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
        return response
