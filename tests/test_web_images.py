"""Images and thumbnails: the right bytes, long caching, and no way out of the gallery's folder."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

A_YEAR = 365 * 24 * 3600


def address(client: FlaskClient, kind: str) -> str:
    answer = client.get("/api/v1/samples").json
    assert answer is not None
    return str(answer["samples"][0][kind])


def test_image_is_the_file(client: FlaskClient, gallery_dir: Path) -> None:
    response = client.get(address(client, "image_url"))
    assert response.status_code == 200
    assert response.mimetype == "image/png"
    assert response.data == (gallery_dir / "glioma-00.png").read_bytes()


def test_thumbnail_is_a_small_webp(client: FlaskClient) -> None:
    response = client.get(address(client, "thumbnail_url"))
    assert response.mimetype == "image/webp"
    with Image.open(io.BytesIO(response.data)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (288, 288))
        grey = picture.convert("L")
    assert grey.getpixel((5, 144)) == 255  # the left eighth is white
    assert grey.getpixel((280, 144)) == 0


@pytest.mark.parametrize("kind", ["image_url", "thumbnail_url"])
def test_versioned_addresses_are_cached_for_good(client: FlaskClient, kind: str) -> None:
    response = client.get(address(client, kind))
    cache = response.cache_control
    assert (cache.public, bool(cache.immutable), cache.max_age) == (True, True, A_YEAR)
    etag = response.headers["ETag"]
    again = client.get(address(client, kind), headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("query", ["", "?v=000000000000"])
def test_other_addresses_are_cached_briefly(client: FlaskClient, query: str) -> None:
    cache = client.get(f"/images/glioma-00{query}").cache_control
    assert (cache.public, bool(cache.immutable), cache.max_age) == (True, False, 3600)


@pytest.mark.parametrize("route", ["/images/", "/thumbnails/", "/samples/", "/static/"])
@pytest.mark.parametrize(
    "name",
    [
        "../manifest.json",
        "..%2fmanifest.json",
        "..%5cmanifest.json",
        "%2e%2e/manifest.json",
        "%2e%2e%2fmanifest.json",
        "%252e%252e%252fmanifest.json",
        "....//manifest.json",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "file:///etc/passwd",
        "manifest.json",
        "glioma-00.png",
        "glioma-00%00",
        "%00",
        "..%c0%afmanifest.json",
        "../app.py",
        "%2e%2e%2fapp.py",
        "x" * 5000,
    ],
)
def test_nothing_outside_can_be_reached(client: FlaskClient, route: str, name: str) -> None:
    response = client.get(route + name, follow_redirects=True)
    assert response.status_code == 404
    assert "create_app" not in response.text
    assert "Drawn for a test." not in response.text
    assert "root:" not in response.text
