"""Errors: application/problem+json (RFC 9457) under /api/, a page elsewhere, never a traceback."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response as WerkzeugResponse

from web.logging import request_id
from web.selection import FilterError

logger = logging.getLogger("web.errors")

WHAT_NOW = {
    400: "The address asks for something this page does not offer.",
    404: "There is no page or image at this address.",
    405: "This address does not accept that kind of request.",
    500: "Something went wrong on the server. It has been logged; trying again may help.",
}


def register_errors(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> WerkzeugResponse:
        return _answer(error, error.description or "")

    @app.errorhandler(FilterError)
    def filter_error(error: FilterError) -> WerkzeugResponse:
        bad_request = HTTPException(str(error))
        bad_request.code = 400
        return _answer(bad_request, str(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> WerkzeugResponse:
        logger.error("unhandled exception", exc_info=error)
        return _answer(InternalServerError(), WHAT_NOW[500])


def _answer(error: HTTPException, detail: str) -> WerkzeugResponse:
    status = error.code or 500
    title = HTTPStatus(status).phrase
    if request.path == "/api" or request.path.startswith("/api/"):
        problem = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "instance": request.path,
        }
        response = Response(
            json.dumps(problem) + "\n", status, content_type="application/problem+json"
        )
    else:
        # a 400 explains which values are allowed; other texts are written for API users
        text = detail.replace("`", "") if status == 400 else WHAT_NOW.get(status, detail)
        page = render_template(
            "error.html", status=status, title=title, text=text, request_id=request_id()
        )
        response = make_response(page, status)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    response.headers["Cache-Control"] = "no-store"
    return response
