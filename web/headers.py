"""Security headers, the same on every response."""

from __future__ import annotations

from flask import Flask, Response, request

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


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
        return response
