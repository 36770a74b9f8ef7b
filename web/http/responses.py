"""Security headers, the same on every response."""

from __future__ import annotations

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
