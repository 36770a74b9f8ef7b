"""What every route has in common: headers, hosts, proxies, cookies, rates."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import StartupError, create_app
from tests.conftest import StubClassifier
from tests.patience import LONGEST_WAIT
from tests.web.api.uploading import PREDICTIONS, problem
from web.settings import ROOT, ConfigError, settings_from

MakeApp = Callable[..., Flask]
TOKEN = "0123456789abcdef"
VALUES = {"sample_id": "glioma-00", "code": "es", "filename": "send.js"}
HEADERS = {
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
}


def every_request(app: Flask) -> list[tuple[str, str]]:
    """Each method and path of the url map, and the ways to go wrong."""
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: VALUES[match[1]], rule.rule)
        found += [(method, path) for method in sorted(rule.methods or ())]
    assert {path for _, path in found} >= {"/", "/metrics", "/healthz", "/readyz", PREDICTIONS}
    wrong = ["/nowhere", "/api/nowhere", "/static/none.js", "/images/none", "/?class=none"]
    return [*found, *(("GET", path) for path in wrong), ("PUT", "/"), ("DELETE", PREDICTIONS)]


def ask(client: FlaskClient, method: str, path: str, **options: Any) -> TestResponse:
    with client.open(path, method=method, **options) as response:
        response.get_data()
        return response


def test_every_route_has_every_header_errors_included(make_app: MakeApp, gallery_dir: Path) -> None:
    app = make_app(gallery_dir, METRICS_TOKEN=TOKEN)
    statuses = set()
    for method, path in every_request(app):
        response = ask(app.test_client(), method, path)
        statuses.add(response.status_code)
        for name, value in HEADERS.items():
            assert response.headers[name] == value, (method, path)
        assert "camera=()" in response.headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in response.headers
        secure = ask(app.test_client(), method, path, base_url="https://localhost")
        assert secure.headers["Strict-Transport-Security"] == "max-age=31536000", (method, path)
    assert {200, 302, 400, 404, 405} <= statuses


def test_a_500_has_them_too(
    client: FlaskClient, classifier: StubClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(image: object, **_: object) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(classifier, "predict", fail)
    response = client.get("/samples/glioma-00")
    assert response.status_code == 500
    assert {name: response.headers[name] for name in HEADERS} == HEADERS


def test_the_choice_of_a_language_is_the_only_cookie_and_a_safe_one(
    make_app: MakeApp, gallery_dir: Path
) -> None:
    app = make_app(gallery_dir)
    for base in ("http://localhost", "https://localhost"):
        for method, path in every_request(app):
            response = ask(app.test_client(), method, path, base_url=base)
            cookies = response.headers.getlist("Set-Cookie")
            if not path.startswith("/language/") or method == "OPTIONS":
                assert cookies == [], (method, path)
                continue
            (cookie,) = cookies
            parts = {part.strip() for part in cookie.split(";")}
            assert {"language=es", "HttpOnly", "SameSite=Lax", "Path=/"} <= parts
            assert ("Secure" in parts) is base.startswith("https")


# --- hosts and proxies ---


def test_only_named_hosts_are_served_but_for_the_probes(
    make_app: MakeApp, gallery_dir: Path
) -> None:
    app = make_app(
        gallery_dir,
        TRUSTED_HOSTS="example.org, .example.net",
        RENDER_EXTERNAL_HOSTNAME="brain.onrender.com",
    )
    client = app.test_client()
    for host in ("example.org", "example.org:8080", "a.example.net", "brain.onrender.com"):
        assert client.get("/", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "example.org.evil.example", "10.0.0.1:10000", "a b", ""):
        page = client.get("/", headers={"Host": host})
        assert (page.status_code, page.mimetype) == (400, "text/html"), host
        assert "Host must be a name of this site" in page.text
        problem(client.get("/api/v1/samples", headers={"Host": host}), 400)
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
        app.extensions["brain_mri"].readiness.start().join(LONGEST_WAIT)
        assert client.get("/readyz", headers={"Host": host}).status_code == 200


def test_without_a_list_any_host_is_served(client: FlaskClient) -> None:
    assert client.get("/", headers={"Host": "anything.example"}).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        ("0", "1.1.1.1", "127.0.0.1"),
        ("2", "9.9.9.9, 1.1.1.1, 2.2.2.2", "1.1.1.1"),  # the first is what the client made up
        ("2", "1.1.1.1", "127.0.0.1"),
    ],
)
def test_only_proxies_that_are_counted_are_believed(
    make_app: MakeApp, gallery_dir: Path, proxies: str, forwarded: str, address: str
) -> None:
    app = make_app(gallery_dir, TRUSTED_PROXIES=proxies)
    seen: list[str | None] = []

    @app.before_request
    def look() -> None:
        from flask import request

        seen.append(request.remote_addr)

    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    response = app.test_client().get("/healthz", headers=headers)
    assert seen == [address]
    assert ("Strict-Transport-Security" in response.headers) is (proxies == "2")


# --- rates ---


def test_past_its_rate_an_address_gets_429_and_others_do_not(
    make_app: MakeApp, gallery_dir: Path
) -> None:
    app = make_app(gallery_dir, RATE_LIMIT="2 per hour", TRUSTED_PROXIES="1")
    client = app.test_client()
    first = {"X-Forwarded-For": "1.1.1.1"}
    assert client.get("/samples/glioma-00", headers=first).status_code == 200
    assert client.post("/analyse", headers=first).status_code == 400
    answer = client.post(PREDICTIONS, headers=first)
    assert 3500 < int(answer.headers["Retry-After"]) <= 3601  # rounded up
    assert "2 per 1 hour" in problem(answer, 429)["detail"]
    page = client.post("/analyse", headers=first)
    assert (page.status_code, page.mimetype) == (429, "text/html")
    assert "asked for a lot lately" in page.text
    assert int(page.headers["Retry-After"]) > 0
    problem(client.get("/api/v1/samples/glioma-00/prediction?explain=true", headers=first), 429)
    for path in ("/", "/samples/glioma-00", "/api/v1/samples/glioma-00/prediction", "/analyse",
                 "/healthz", "/images/glioma-00", "/samples/nobody"):  # fmt: skip
        assert client.get(path, headers=first).status_code in (200, 404), path
    other = {"X-Forwarded-For": "1.1.1.2"}
    assert client.post(PREDICTIONS, headers=other).status_code == 400


def test_neighbours_of_one_ipv6_customer_count_together(
    make_app: MakeApp, gallery_dir: Path
) -> None:
    app = make_app(gallery_dir, RATE_LIMIT="1 per hour", TRUSTED_PROXIES="1")
    statuses = [
        app.test_client().post(PREDICTIONS, headers={"X-Forwarded-For": address}).status_code
        for address in ("2001:db8::1", "2001:db8::2:3:4", "2001:db8:0:1::1")
    ]
    assert statuses == [400, 429, 400]


@pytest.mark.parametrize("off", ["0", "off", "OFF"])
def test_the_rate_can_be_turned_off(make_app: MakeApp, gallery_dir: Path, off: str) -> None:
    client = make_app(gallery_dir, RATE_LIMIT=off).test_client()
    assert settings_from({"RATE_LIMIT": off}).rate_limit is None
    assert {client.post(PREDICTIONS).status_code for _ in range(300)} == {400}


def test_the_host_has_a_rate_and_one_s_own_machine_none(
    gallery_dir: Path, classifier: StubClassifier
) -> None:
    assert settings_from({}).rate_limit is None
    lines = (ROOT / "render.yaml").read_text(encoding="utf-8").splitlines()
    place = next(n for n, line in enumerate(lines) if line.strip() == "- key: RATE_LIMIT")
    rate = lines[place + 1].partition("value:")[2].partition("#")[0].strip()
    settings = {"GALLERY_DIR": str(gallery_dir), "WARM_UP": "0", "RATE_LIMIT": rate}
    client = create_app(settings, classifier).test_client()
    statuses = [client.post(PREDICTIONS).status_code for _ in range(65)]
    assert 429 in statuses[60:]
    assert set(statuses[:60]) == {400}


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("RATE_LIMIT", "lots", "RATE_LIMIT must be off, or rates such as"),
        ("RATE_LIMIT", "5 per fortnight", "RATE_LIMIT must be off, or rates such as"),
        ("MAX_WAITING", "0", "MAX_WAITING must be a whole number from 1 to 256"),
        ("TRUSTED_PROXIES", "all", "TRUSTED_PROXIES must be a whole number from 0 to 10"),
        ("TRUSTED_HOSTS", "https://example.org", "TRUSTED_HOSTS must be host names"),
        ("TRUSTED_HOSTS", "example.org:80", "TRUSTED_HOSTS must be host names"),
        ("METRICS_TOKEN", "short", "METRICS_TOKEN must be 16 or more printable"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, legal: str) -> None:
    with pytest.raises(ConfigError, match="Received: ") as caught:
        settings_from({name: value})
    assert str(caught.value).startswith(legal)
    assert name != "METRICS_TOKEN" or value not in str(caught.value)
    with pytest.raises(StartupError):
        create_app({name: value})
