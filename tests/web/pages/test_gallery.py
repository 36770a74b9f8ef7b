"""The pages as the server draws them, without JavaScript."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from model.inference.classifier import Prediction
from model.inference.trust import RULE
from tests.conftest import StubClassifier
from web.pages.display import RULE_TEXT, percent

FILMS = re.compile(r'class="film" id="s-([a-z0-9_-]+)"')
ROOT = Path(__file__).resolve().parents[3]


def text_of(html: str) -> str:
    """The page's text on one line, tags and repeated blanks removed."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_gallery_shows_every_sample_by_class(read_client: FlaskClient) -> None:
    page = read_client.get("/")
    assert page.status_code == 200
    assert FILMS.findall(page.text) == [
        "glioma-00",
        "glioma-01",
        "meningioma-00",
        "notumor-00",
        "pituitary-00",
        "pituitary-01",
    ]
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


def test_sample_page(client: FlaskClient) -> None:
    page = client.get("/samples/glioma-01")
    assert page.status_code == 200
    text = text_of(page.text)
    for words in (
        "Wrong The network says Tumor: likely Kind: meningioma.",
        "The image's label is Glioma .",
        "Glioma label 8.3 % Meningioma label 75.0 %",
        "No tumor label 8.3 % Pituitary tumor label 8.3 %",
        "Time taken 12.5 ms",
        "It is no medical device and this is no diagnosis.",
        f"Image glioma-01 Network stub 0.0.0 Model file, SHA-256 {'5' * 64}",
        "Plane axial Contrast T1c Origin synthetic phantom Seed 1",
        "2 of 6",
    ):
        assert words in text
    assert 'class="bar-fill" width="75.00%"' in page.text
    assert 'rel="prev" data-field="prev" href="/samples/glioma-00"' in page.text
    assert 'rel="next" data-field="next" href="/samples/meningioma-00"' in page.text
    assert '<a href="/#s-glioma-01"' in page.text


@pytest.mark.parametrize(
    ("path", "before", "after", "position"),
    [
        ("/samples/glioma-00", "pituitary-01", "glioma-01", "1 of 6"),
        ("/samples/pituitary-01", "pituitary-00", "glioma-00", "6 of 6"),
        ("/samples/glioma-01?result=wrong", "pituitary-01", "pituitary-01", "1 of 2"),
        ("/samples/notumor-00?result=wrong", "glioma-01", "pituitary-01", "selection of 2"),
        ("/samples/notumor-00?class=notumor", "notumor-00", "notumor-00", "1 of 1"),
        ("/samples/glioma-00?class=notumor&result=wrong", "glioma-00", "glioma-00", "of 0"),
    ],
)
def test_previous_and_next_stay_within_the_filter(
    read_client: FlaskClient, path: str, before: str, after: str, position: str
) -> None:
    page = read_client.get(path).text
    query = path.partition("?")[2].replace("&", "&amp;")
    suffix = f"?{query}" if query else ""
    assert f'data-field="prev" href="/samples/{before}{suffix}"' in page
    assert f'data-field="next" href="/samples/{after}{suffix}"' in page
    assert position in text_of(page)


def test_random_honours_the_filters(read_client: FlaskClient) -> None:
    for _ in range(20):
        response = read_client.get("/random?class=glioma&result=wrong")
        assert response.status_code == 302
        assert response.headers["Location"] == "/samples/glioma-01?class=glioma&result=wrong"
        assert response.headers["Cache-Control"] == "no-store"
        other = read_client.get("/random?class=glioma&not=glioma-00")
        assert other.headers["Location"] == "/samples/glioma-01?class=glioma"


def test_random_reaches_every_sample(read_client: FlaskClient) -> None:
    seen = {read_client.get("/random").headers["Location"] for _ in range(300)}
    assert len(seen) == 6


def test_random_of_nothing_shows_the_empty_gallery(read_client: FlaskClient) -> None:
    response = read_client.get("/random?class=notumor&result=wrong")
    assert response.headers["Location"] == "/?class=notumor&result=wrong"


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


# the image that Browse opens with


def test_browse_opens_with_a_tumor_that_was_found(read_client: FlaskClient) -> None:
    page = read_client.get("/").text
    lead = page[page.index('id="lead"') : page.index('id="filters"')]
    assert 'data-url="/api/v1/samples/glioma-00/prediction"' in lead
    text = text_of(lead)
    assert "The network says Tumor: likely Kind: glioma. The image's label is Glioma" in text
    assert 'href="/samples/glioma-00"' in lead
    others = re.findall(r'<li><a href="/samples/([^"]+)"', lead)
    assert others == ["glioma-01", "meningioma-00", "notumor-00", "pituitary-00", "pituitary-01"]


def test_browse_opens_with_the_first_image_until_one_is_read(client: FlaskClient) -> None:
    page = client.get("/?class=pituitary").text
    lead = page[page.index('id="lead"') : page.index('id="filters"')]
    assert 'data-url="/api/v1/samples/glioma-00/prediction"' in lead
    assert "The network says Reading the image" in text_of(lead)


# abstaining


def torn(classifier: StubClassifier, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Makes the stub abstain."""
    answer = classifier.predict

    def abstaining(image: object) -> Prediction:
        return replace(answer(image), **changes)  # type: ignore[arg-type]

    monkeypatch.setattr(classifier, "predict", abstaining)


def test_a_page_says_that_it_cannot_tell(
    client: FlaskClient, classifier: StubClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn(classifier, monkeypatch, prediction_set=("notumor", "meningioma", "glioma"))
    text = text_of(client.get("/samples/glioma-01").text)
    assert "The network says Cannot tell" in text
    assert "It cannot tell whether there is a tumor; if there is one, meningioma is most" in text
    assert RULE in text


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (("glioma",), "The network says Tumor: likely Kind: glioma."),
        (("pituitary", "glioma"), "Tumor: likely More likely pituitary tumor than glioma."),
        (
            ("meningioma", "glioma", "pituitary"),
            "Tumor: likely More likely meningioma than glioma or pituitary tumor.",
        ),
    ],
)
def test_a_tumor_is_said_to_be_one_whether_its_kind_is_clear_or_not(
    client: FlaskClient,
    classifier: StubClassifier,
    monkeypatch: pytest.MonkeyPatch,
    members: tuple[str, ...],
    words: str,
) -> None:
    torn(classifier, monkeypatch, prediction_set=members)
    page = client.get("/samples/glioma-01").text
    assert words in text_of(page)
    assert re.search(r'data-field="doubt" hidden', page)


def test_a_healthy_head_is_said_to_be_one(client: FlaskClient) -> None:
    assert "The network says Probably no tumor" in text_of(client.get("/samples/notumor-00").text)


def test_a_page_says_that_a_picture_is_no_brain_mri(
    client: FlaskClient, classifier: StubClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn(classifier, monkeypatch, in_distribution=False)
    text = text_of(client.get("/samples/glioma-01").text)
    assert "This does not look like a brain MRI to the network" in text
    assert "The network says Not a brain MRI" in text
    assert "Kind:" not in text
    answer = client.get("/api/v1/samples/glioma-01/prediction").json
    assert answer is not None
    assert answer["prediction"]["abstained"] is True
    assert answer["prediction"]["reason"].startswith("This does not look like a brain MRI")


def test_a_page_that_answers_has_no_doubt(client: FlaskClient) -> None:
    assert re.search(r'data-field="doubt" hidden', client.get("/samples/glioma-00").text)


def test_the_abstaining_rule_is_the_one_that_is_applied(web_app: Flask) -> None:
    with web_app.test_request_context():
        assert str(RULE_TEXT) == RULE
