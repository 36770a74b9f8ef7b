"""What a host asks: readiness after a self-test, and figures for those who know the token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from tests.conftest import StubClassifier
from tests.patience import LONGEST_WAIT
from tests.scan_files import png, white_share
from tests.web.api.uploading import PREDICTIONS, post, problem
from web.service import readiness as readiness_module

MakeApp = Callable[..., Flask]
TOKEN = "0123456789abcdef"
PICTURE = ("scan.png", png(white_share(1)))


# --- readiness ---


def test_it_is_ready_once_the_shipped_network_has_read_the_phantom() -> None:
    app = create_app({"WARM_UP": "0", "LOG_LEVEL": "ERROR"})
    client = app.test_client()
    readiness = app.extensions["brain_mri"].readiness
    first = client.get("/readyz")
    assert first.status_code in (200, 503)  # it has just begun
    readiness.start().join(LONGEST_WAIT)
    done = client.get("/readyz")
    assert (done.status_code, done.json) == (200, {"status": "ready"})
    assert done.headers["Cache-Control"] == "no-store"


def test_until_then_it_says_why_and_tests_once(
    client: FlaskClient, web_app: Flask, classifier: StubClassifier
) -> None:
    admission = web_app.extensions["brain_mri"].predictions.admission
    admission.width = 1
    readiness = web_app.extensions["brain_mri"].readiness
    with admission.turn():  # the network is busy with somebody else
        for _ in range(3):
            response = client.get("/readyz")
            assert problem(response, 503)["detail"] == "The self-test has not ended yet."
            assert response.headers["Retry-After"] == "1"
        assert client.get("/healthz").status_code == 200
    readiness.start().join(LONGEST_WAIT)
    assert client.get("/readyz").status_code == 200
    assert classifier.calls == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("EXPECTED", "pituitary", "must be read as pituitary. Received: glioma."),
        ("IMAGE", Path("/nowhere.png"), "could not read the self-test image"),
    ],
)
def test_a_failed_self_test_is_never_ready(
    client: FlaskClient,
    web_app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: Any,
    says: str,
) -> None:
    monkeypatch.setattr(readiness_module, name, value)
    web_app.extensions["brain_mri"].readiness.start().join(LONGEST_WAIT)
    for _ in range(2):
        assert says in problem(client.get("/readyz"), 503)["detail"]
    assert client.get("/healthz").status_code == 200


# --- metrics ---


def test_metrics_are_for_those_who_know_the_token(
    make_app: MakeApp, gallery_dir: Path, client: FlaskClient
) -> None:
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/metrics", headers=right).status_code == 404
    known = make_app(gallery_dir, METRICS_TOKEN=TOKEN).test_client()
    for headers in ({}, {"Authorization": "Bearer no"}, {"Authorization": TOKEN}):
        assert known.get("/metrics", headers=headers).status_code == 404
    page = known.get("/metrics", headers=right)
    assert page.status_code == 200
    assert page.content_type.startswith("text/plain; version=0.0.4")


def test_metrics_count_what_happened_without_names(make_app: MakeApp, gallery_dir: Path) -> None:
    app = make_app(gallery_dir, METRICS_TOKEN=TOKEN, MAX_WAITING="1")
    client = app.test_client()
    client.get("/samples/glioma-00?class=glioma")
    client.get("/somebody/private")
    client.open("/", method="INVENTED")
    post(client, PREDICTIONS, ("private.png", PICTURE[1]))
    with app.extensions["brain_mri"].predictions.admission.place():
        post(client, PREDICTIONS, PICTURE)
        lines = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    samples = [line for line in lines.splitlines() if not line.startswith("#")]
    for line in (
        'http_requests_total{method="GET",route="/samples/<sample_id>",status="200"} 1.0',
        'http_requests_total{method="any",route="none",status="404"} 1.0',
        'http_requests_total{method="any",route="none",status="405"} 1.0',
        'http_requests_total{method="POST",route="/api/v1/predictions",status="200"} 1.0',
        'http_requests_total{method="POST",route="/api/v1/predictions",status="503"} 1.0',
        "inference_seconds_count 2.0",
        "inference_seconds_sum 0.025",
        "network_requests 1.0",
        "network_requests_limit 1.0",
        "network_refused_total 1.0",
        f'model_info{{name="stub",sha256="{"5" * 64}",version="0.0.0"}} 1.0',
    ):
        assert line in samples
    for secret in ("glioma-00", "private", "INVENTED", "127.0.0.1", TOKEN):
        assert secret not in lines
