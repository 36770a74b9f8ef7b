"""The log: one JSON object a line, a request id in and out, tracebacks in the log alone."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.scan_files import nifti, png, white_share
from web.http.request_log import JsonFormatter, configure_logging

PICTURE = png(white_share(1))
VOLUME = nifti(np.stack([white_share(1)] * 3, axis=2).astype(np.int16))


class Lines(logging.Handler):
    """Keeps what JsonFormatter would print."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.lines: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines(client: FlaskClient) -> Iterator[list[dict[str, Any]]]:
    handler = Lines()
    logger = logging.getLogger("web")
    logger.addHandler(handler)
    yield handler.lines
    logger.removeHandler(handler)


def test_warnings_which_can_quote_a_file_are_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_: shown.append(message))
    monkeypatch.setattr(logging, "_warnings_showwarning", None)  # as in a fresh process
    warnings.showwarning("before", UserWarning, "pydicom/values.py", 1)
    for _ in range(2):
        configure_logging("INFO")
    warnings.showwarning("Invalid value for VR UI: 'DOE^JANE'", UserWarning, "values.py", 1)
    assert shown == ["before"]
    assert "".join(capsys.readouterr()) == ""


def test_a_request_is_one_line(client: FlaskClient, lines: list[dict[str, Any]]) -> None:
    response = client.get("/samples/glioma-00?class=glioma")
    (line,) = lines
    assert list(line) == [
        "timestamp",
        "level",
        "logger",
        "message",
        "request_id",
        "route",
        "method",
        "status",
        "milliseconds",
    ]
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None
    assert line["level"] == "INFO"
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert (line["route"], line["method"], line["status"]) == ("/samples/<sample_id>", "GET", 200)
    assert line["milliseconds"] >= 0
    assert "glioma-00" not in json.dumps(line)


def test_a_sane_request_id_is_kept(client: FlaskClient) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": "trace-0123.abc_DEF"})
    assert response.headers["X-Request-ID"] == "trace-0123.abc_DEF"


@pytest.mark.parametrize(
    "offered", ["", "short", "x" * 65, 'a"b{c}d"e', "with blanks inside", "ü" * 9]
)
def test_another_request_id_is_replaced(client: FlaskClient, offered: str) -> None:
    response = client.get("/healthz", headers={"X-Request-ID": offered})
    assert len(response.headers["X-Request-ID"]) == 32
    assert int(response.headers["X-Request-ID"], 16) > 0


def test_unknown_addresses_are_logged_without_the_address(
    client: FlaskClient, lines: list[dict[str, Any]]
) -> None:
    client.get("/somebody/private")
    (line,) = lines
    assert (line["route"], line["status"]) == (None, 404)
    assert "private" not in json.dumps(line)


@pytest.mark.parametrize(
    "content",
    [PICTURE, PICTURE[:60], b"secret-bytes", b"", VOLUME],
    ids=["picture", "cut", "text", "empty", "volume"],
)
@pytest.mark.parametrize("path", ["/api/v1/predictions", "/api/v1/slices", "/analyse"])
def test_nothing_of_an_upload_is_logged(
    client: FlaskClient,
    lines: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    path: str,
) -> None:
    with caplog.at_level(logging.DEBUG):
        for query in ("explain_class=pituitary&secret-query=1", "plane=coronal"):
            file = (io.BytesIO(content), "secret-name.png")
            client.post(f"{path}?{query}", data={"file": file})
    ours = ("web", "app", "model")  # of other loggers only warnings are written anywhere
    records = [
        record
        for record in caplog.records
        if record.name.split(".")[0] in ours or record.levelno >= logging.WARNING
    ]
    logged = capsys.readouterr().err + "".join(JsonFormatter().format(r) for r in records)
    assert len(lines) == 2
    assert logged.count("milliseconds") >= 2
    for secret in ("secret", "coronal", "pituitary", "IHDR", repr(content[8:30])[2:-1] or "secret"):
        assert secret not in logged


def test_a_500_logs_its_traceback_with_the_request_id(
    client: FlaskClient,
    classifier: object,
    lines: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(image: object) -> None:
        raise RuntimeError("the secret of the inside")

    monkeypatch.setattr(classifier, "predict", fail)
    response = client.get("/api/v1/samples/glioma-00/prediction")
    error, request = lines
    assert (error["level"], error["message"]) == ("ERROR", "unhandled exception")
    assert "RuntimeError: the secret of the inside" in error["traceback"]
    assert error["request_id"] == request["request_id"] == response.headers["X-Request-ID"]
    assert request["status"] == 500
