"""One JSON object a line; for each request its id, route, method, status and milliseconds."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, has_request_context, request

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
PROBES = ("api.healthz", "api.readyz", "metrics.page")  # asked every few seconds, by machines
logger = logging.getLogger("web")


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object; ``extra={"fields": {...}}`` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context():
            line["request_id"] = request_id()
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class StderrHandler(logging.Handler):
    """Writes to what ``sys.stderr`` is now, not to what it was when the handler was made."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (OSError, ValueError, TypeError):
            self.handleError(record)


def configure_logging(level: str) -> None:
    """Sends this project's records to standard error; harmless when called again.

    Warnings are dropped: pydicom's quote a file's values. They are silenced where files are read,
    but one thread's end of silence can fall into another thread's reading.
    """
    logging.captureWarnings(True)
    dropped = logging.getLogger("py.warnings")
    dropped.propagate = False
    if not dropped.handlers:
        dropped.addHandler(logging.NullHandler())
    for name in ("web", "app", "model"):
        target = logging.getLogger(name)
        target.setLevel(level)
        if not any(isinstance(handler, StderrHandler) for handler in target.handlers):
            handler = StderrHandler()
            handler.setFormatter(JsonFormatter())
            target.addHandler(handler)
            target.propagate = False


def request_id() -> str:
    """The id of the current request: the caller's X-Request-ID where it is sane, else a new one."""
    if "request_id" not in g:
        offered = request.headers.get("X-Request-ID", "")
        g.request_id = offered if REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex
    return str(g.request_id)


def log_requests(app: Flask) -> None:
    """Logs one line for each request and returns its id in X-Request-ID."""

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def log_line(response: Response) -> Response:
        response.headers["X-Request-ID"] = request_id()
        elapsed = (time.perf_counter() - g.started) * 1000
        fields = {
            "route": request.url_rule.rule
            if request.url_rule
            else None,  # the rule: no id, no query
            "method": request.method,
            "status": response.status_code,
            "milliseconds": round(elapsed, 2),
        }
        level = logging.DEBUG if request.endpoint in PROBES else logging.INFO
        logger.log(level, "request", extra={"fields": fields})
        return response
