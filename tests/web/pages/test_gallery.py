"""The gallery and Browse as the server draws them, without JavaScript."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from tests.conftest import GALLERY
from tests.web.html import text_of

FILMS = re.compile(r'class="film" id="s-([a-z0-9_-]+)"')


def test_gallery_shows_every_sample_by_class(read_client: FlaskClient) -> None:
    page = read_client.get("/")
    assert page.status_code == 200
    assert FILMS.findall(page.text) == [sample_id for sample_id, *_ in GALLERY]
    headings = re.findall(r'<h2 id="class-(\w+)">', page.text)
    assert headings == ["glioma", "meningioma", "notumor", "pituitary"]
    text = text_of(page.text)
    assert "4 of 6 read right" in text
    assert "Right: the network says Glioma 75.0 %" in text
    assert "Wrong: the network says Meningioma 75.0 %" in text
    assert "Not read yet" not in text


def test_gallery_says_what_is_not_read_yet(client: FlaskClient, classifier: object) -> None:
    text = text_of(client.get("/").text)
    assert "0 of 0 read right" in text
    assert "The network has yet to read 6 of 6 images." in text
    assert text.count("Not read yet") == 6
    assert getattr(classifier, "calls", None) == 0


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("class=glioma", ["glioma-00", "glioma-01"]),
        ("result=wrong", ["glioma-01", "pituitary-01"]),
        ("result=right", ["glioma-00", "meningioma-00", "notumor-00", "pituitary-00"]),
        ("class=pituitary&result=wrong", ["pituitary-01"]),
        ("class=notumor&result=wrong", []),
        ("class=&result=", None),
        ("sure=unsure", []),
        ("sure=sure&class=notumor", ["notumor-00"]),
        ("class=glioma&predicted=meningioma", ["glioma-01"]),
        ("q=TARY-0", ["pituitary-00", "pituitary-01"]),
        ("q=&predicted=&sort=&sure=", None),
        ("sort=-confidence&q=-01", ["glioma-01", "pituitary-01"]),
    ],
)
def test_gallery_filters(read_client: FlaskClient, query: str, ids: list[str] | None) -> None:
    page = read_client.get(f"/?{query}")
    assert page.status_code == 200
    found = FILMS.findall(page.text)
    assert found == ids if ids is not None else len(found) == 6
    if ids == []:
        assert "No image passes these filters." in text_of(page.text)


def test_every_filter_is_kept_in_every_link(read_client: FlaskClient) -> None:
    query = "class=glioma&result=right&sure=sure&predicted=glioma&q=gli&sort=confidence"
    page = read_client.get(f"/?{query}").text.replace("&amp;", "&")
    assert f'href="/samples/glioma-00?{query}"' in page
    assert f'href="/random?{query}"' in page
    assert f'href="/?{query.replace("right", "wrong")}"' in page
    assert f'href="/?{query.replace("&sure=sure", "")}"' in page
    for name, value in (("class", "glioma"), ("result", "right"), ("sure", "sure")):
        assert f'<input type="hidden" name="{name}" value="{value}">' in page
    assert 'name="q" value="gli"' in page
    assert '<option value="confidence" selected>' in page
    assert "1 image / Glioma / right / sure / taken for Glioma / “gli”" in text_of(page)
    opened = read_client.get(f"/samples/glioma-00?{query}").text.replace("&amp;", "&")
    assert f'data-field="next" href="/samples/glioma-00?{query}"' in opened
    assert f'href="/?{query}#s-glioma-00"' in opened
    assert f'data-samples-url="/api/v1/samples?{query}"' in opened


def test_sorted_samples_hang_on_one_sheet(read_client: FlaskClient) -> None:
    page = read_client.get("/?sort=confidence").text
    assert re.findall(r'<h2 id="class-(\w+)">', page) == ["all"]
    assert "Least sure first" in text_of(page)
    assert "Most sure first" in text_of(read_client.get("/?sort=-confidence").text)


def test_a_search_is_shown_as_it_was_written(client: FlaskClient) -> None:
    page = client.get('/?q="><script>').text
    assert 'value="&#34;&gt;&lt;script&gt;"' in page
    assert "<script>" not in page


def test_filter_links_carry_counts_and_mark_the_choice(read_client: FlaskClient) -> None:
    page = read_client.get("/?class=glioma").text
    assert re.search(r'href="/\?class=glioma" data-filter[^>]* aria-current="true"', page)
    assert 'href="/?class=glioma&amp;result=wrong" data-filter="result" data-value="wrong">' in page
    assert "Right 1 Wrong 1" in text_of(page)
    assert 'href="/samples/glioma-00?class=glioma"' in page


@pytest.mark.parametrize("path", ["/", "/samples/glioma-00", "/random"])
def test_a_bad_filter_says_what_is_allowed(client: FlaskClient, path: str) -> None:
    page = client.get(f"{path}?class=%3Cscript%3E")
    assert page.status_code == 400
    assert page.mimetype == "text/html"
    assert (
        "class must be one of glioma, meningioma, notumor, pituitary. "
        "Received: &#39;&lt;script&gt;&#39;."
    ) in page.text
    spanish = client.get(f"{path}?class=x", headers={"Accept-Language": "es"}).text
    assert "La dirección pide algo que esta página no ofrece." in spanish
    assert '<p lang="en">class must be one of' in spanish


def test_a_synthetic_gallery_says_so(client: FlaskClient) -> None:
    for path in ("/", "/samples/glioma-00"):
        text = text_of(client.get(path).text)
        assert "Synthetic phantoms, not patients. This project drew these images" in text
        assert "Drawn for a test." in text
        assert "CC0" not in text


def test_a_real_gallery_says_so(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    Image.new("L", (224, 224), 30).save(tmp_path / "a.jpg")
    entry = {
        "id": "te-gl-0001",
        "file": "a.jpg",
        "true_label": "glioma",
        "origin": "dataset",
        "width": 224,
        "height": 224,
        "sha256": hashlib.sha256((tmp_path / "a.jpg").read_bytes()).hexdigest(),
    }
    manifest = {"origin": "dataset", "notice": "Chosen with seed 0.", "seed": 0, "samples": [entry]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    client = make_app(tmp_path).test_client()
    for path in ("/", "/samples/te-gl-0001"):
        text = text_of(client.get(path).text)
        assert "Test images from the Brain Tumor MRI Dataset , published as CC0." in text
        assert "These 1 were picked at random from its testing part, without a look" in text
        assert "Seed 0." in text
        assert "Chosen with seed 0." in text
        assert "phantom" not in text
    text = text_of(client.get("/samples/te-gl-0001").text)
    assert "Plane not stated Contrast not stated Origin dataset, testing part Seed none" in text
    srcset = re.search(r'srcset="([^"]+)"', client.get("/").text)
    assert srcset
    assert srcset[1].endswith(" 224w")  # one is enough for a small image
    assert ", " not in srcset[1]


# the image that Browse opens with


def test_browse_opens_with_a_tumor_that_was_found(read_client: FlaskClient) -> None:
    page = read_client.get("/").text
    lead = page[page.index('id="lead"') : page.index('id="filters"')]
    assert 'data-url="/api/v1/samples/glioma-00/prediction"' in lead
    assert "The network says Tumor: likely Kind: glioma. The image's label is Glioma" in text_of(
        lead
    )
    assert 'href="/samples/glioma-00"' in lead
    others = re.findall(r'<li><a href="/samples/([^"]+)"', lead)
    assert others == ["glioma-01", "meningioma-00", "notumor-00", "pituitary-00", "pituitary-01"]


def test_browse_opens_with_the_first_image_until_one_is_read(client: FlaskClient) -> None:
    page = client.get("/?class=pituitary").text
    lead = page[page.index('id="lead"') : page.index('id="filters"')]
    assert 'data-url="/api/v1/samples/glioma-00/prediction"' in lead
    assert "The network says Reading the image" in text_of(lead)
