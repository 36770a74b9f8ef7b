"""Errors: application/problem+json (RFC 9457) under /api/, a page elsewhere, never a traceback."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, make_response, render_template, request
from flask_babel import LazyString
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge
from werkzeug.wrappers import Response as WerkzeugResponse

from web.http.request_log import request_id
from web.service.selection import FilterError

logger = logging.getLogger("web.http.errors")

WHAT_NOW: dict[int, LazyString] = {
    400: _l("The address asks for something this page does not offer."),
    404: _l("There is no page or image at this address."),
    405: _l("This address does not accept that kind of request."),
    413: _l("What was sent is too large."),
    429: _l("This address has asked for a lot lately. Please try again in a minute."),
    503: _l("The server is busy with other images. Please try again in a few seconds."),
    500: _l("Something went wrong on the server. It has been logged; trying again may help."),
}
TITLES: dict[int, LazyString] = {
    400: _l("Bad Request"),
    404: _l("Not Found"),
    405: _l("Method Not Allowed"),
    413: _l("Request Entity Too Large"),
    429: _l("Too Many Requests"),
    503: _l("Service Unavailable"),
    500: _l("Internal Server Error"),
}
"""Of the statuses that people meet, by HTTP's own names."""


def register_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> WerkzeugResponse:
        detail = error.description or ""
        if isinstance(error, RequestEntityTooLarge):
            detail = (
                f"A request must have at most {request.max_content_length:,} bytes and "
                f"{request.max_form_parts} parts. Received: more."
            )
        return answer(error, detail)

    @app.errorhandler(FilterError)
    def filter_error(error: FilterError) -> WerkzeugResponse:
        bad_request = HTTPException(str(error))
        bad_request.code = 400
        return answer(bad_request, str(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> WerkzeugResponse:
        logger.error("unhandled exception", exc_info=error)
        return answer(InternalServerError(), str(WHAT_NOW[500]))


def problem(
    status: int, title: str, detail: str, *, kind: str = "about:blank", **more: Any
) -> tuple[Response, int]:
    """A problem document; ``more`` are members of its own that it carries besides."""
    document = {
        "type": kind,
        "title": title,
        "status": int(status),
        "detail": detail,
        "instance": request.path,
        **more,
    }
    body = json.dumps(document) + "\n"
    return Response(body, int(status), content_type="application/problem+json"), int(status)


def answer(error: HTTPException, detail: str) -> WerkzeugResponse:
    """The error as a problem document or as a page, by what was asked for."""
    status = error.code or 500
    title = HTTPStatus(status).phrase
    if request.path == "/api" or request.path.startswith("/api/"):
        response, _ = problem(status, title, detail)
    else:
        # a 400 explains which values are allowed, in English; other texts are for API users
        known = status in WHAT_NOW
        page = render_template(
            "error.html",
            status=status,
            title=TITLES.get(status, title),
            text=WHAT_NOW[status] if known else detail,
            detail=detail.replace("`", "") if status == 400 else "",
            request_id=request_id(),
        )
        response = make_response(page, status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response
