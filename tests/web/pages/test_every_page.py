"""What all pages have: the warning, the errors, static files named by content, percentages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.html import text_of
from web.pages.display import percent

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("path", ["/", "/samples/glioma-00", "/nowhere"])
def test_every_page_says_not_for_diagnosis(client: FlaskClient, path: str) -> None:
    assert "For learning and research. Not for diagnosis" in text_of(client.get(path).text)


@pytest.mark.parametrize("path", ["/", "/samples/glioma-00", "/nowhere"])
def test_pages_hold_nothing_the_policy_would_block(client: FlaskClient, path: str) -> None:
    page = client.get(path).text
    assert " style=" not in page
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]* src=)", page)
    assert not re.search(r"\son\w+=", page)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/samples/absent", "/samples/", "/images/absent", "/thumbnails/absent"]
)
def test_not_found_is_a_page(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert "Not Found There is no page or image at this address." in text_of(page.text)
    assert page.headers["X-Request-ID"] in page.text


def test_another_method_is_a_405_page(client: FlaskClient) -> None:
    page = client.post("/")
    assert page.status_code == 405
    assert page.mimetype == "text/html"
    assert sorted(page.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS"]


def test_an_unexpected_error_is_a_500_page(
    client: FlaskClient, classifier: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(image: object) -> None:
        raise RuntimeError("the secret of the inside")

    monkeypatch.setattr(classifier, "predict", fail)
    page = client.get("/samples/glioma-00")
    assert page.status_code == 500
    assert "Internal Server Error Something went wrong on the server." in text_of(page.text)
    assert "secret" not in page.text


def test_static_files_are_named_by_their_content(client: FlaskClient) -> None:
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/").text)
    assert len(addresses) == 7  # icon, font, two style sheets, theme, two modules of the gallery
    for address in addresses:
        with client.get(address) as response:  # closes the file it streams
            assert response.status_code == 200
            assert response.cache_control.max_age == 365 * 24 * 3600


def test_vendored_fonts_come_with_their_licences() -> None:
    folder = ROOT / "static" / "vendor" / "ibm-plex"
    assert sorted(path.name for path in folder.iterdir()) == [
        "LICENSE-mono.txt",
        "LICENSE-sans.txt",
        "ibm-plex-mono-latin-400-normal.woff2",
        "ibm-plex-sans-latin-wght-normal.woff2",
    ]
    for licence in folder.glob("LICENSE-*.txt"):
        assert "SIL OPEN FONT LICENSE Version 1.1" in licence.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "100.0 %"),
        (0.99951, ">99.9 %"),
        (0.9994, "99.9 %"),
        (0.5, "50.0 %"),
        (0.0006, "0.1 %"),
        (0.0004, "<0.1 %"),
        (0.0, "0.0 %"),
    ],
)
def test_percent_never_overstates(share: float, words: str) -> None:
    assert percent(share) == words
