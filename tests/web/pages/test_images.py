"""Images and thumbnails: the right bytes, long caching, and no way out of the gallery's folder."""

from __future__ import annotations

import io
import re
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
        assert (picture.format, picture.size) == ("WEBP", (240, 240))
        grey = picture.convert("L")
    assert grey.getpixel((5, 120)) == 255  # the left eighth is white
    assert grey.getpixel((230, 120)) == 0


@pytest.mark.parametrize(("query", "side"), [("", 240), ("?w=240", 240), ("?w=480", 448)])
def test_a_thumbnail_is_as_wide_as_asked_but_never_enlarged(
    client: FlaskClient, query: str, side: int
) -> None:
    response = client.get(f"/thumbnails/glioma-00{query}")
    with Image.open(io.BytesIO(response.data)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (side, side))


@pytest.mark.parametrize("width", ["0", "241", "1e9", "x", "2400"])
def test_other_widths_are_refused(client: FlaskClient, width: str) -> None:
    response = client.get(f"/thumbnails/glioma-00?w={width}")
    assert response.status_code == 400
    assert f"w must be one of 240, 480. Received: &#39;{width}&#39;." in response.text


def test_the_gallery_offers_both_widths(client: FlaskClient) -> None:
    found = re.search(r'srcset="([^"]+)" sizes="auto', client.get("/").text)
    assert found
    addresses = [part.split() for part in found[1].replace("&amp;", "&").split(", ")]
    assert [width for _, width in addresses] == ["240w", "448w"]
    for url, width in addresses:
        response = client.get(url)
        assert bool(response.cache_control.immutable)
        with Image.open(io.BytesIO(response.data)) as picture:
            assert f"{picture.width}w" == width


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
