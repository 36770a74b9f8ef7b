"""The pages' languages: which is chosen, where it shows, and that no text lacks a translation."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask.testing import FlaskClient

from web.pages.display import NOTICES

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = ROOT / "translations" / "es" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "_l": None,
    "about": None,
    "N_": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
}


def texts() -> set[str]:
    """Every text of the pages and of what the server says."""
    found: set[str] = set()
    places = (
        ("web", "**.py", "python"),
        ("model", "inference/answer_text.py", "python"),
        ("templates", "**.html", "jinja2"),
    )
    for folder, pattern, method in places:
        messages = extract_from_dir(
            ROOT / folder, method_map=[(pattern, method)], keywords=KEYWORDS
        )
        for _, _, message, _, _ in messages:
            found.add(message if isinstance(message, str) else message[0])
    return found


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("es-MX,es;q=0.9,en;q=0.5", "es"),
        ("de,en;q=0.5", "en"),
        ("fr", "en"),
        ("en;q=0.3, es;q=0.8", "es"),
    ],
)
def test_the_browser_decides_at_first(client: FlaskClient, accepted: str, language: str) -> None:
    response = client.get("/", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in response.text
    assert response.headers["Content-Language"] == language
    assert {"accept-language", "cookie"} <= {v.lower() for v in response.vary}


def test_a_choice_is_kept_and_leads_back(client: FlaskClient) -> None:
    response = client.get("/language/es?next=/samples/glioma-00?class=glioma")
    assert response.status_code == 302
    assert response.location == "/samples/glioma-00?class=glioma"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = client.get("/samples/glioma-00", headers={"Accept-Language": "en"}).text
    assert '<html lang="es">' in page
    assert "75,0 %" in page
    client.get("/language/en")
    assert '<html lang="en">' in client.get("/", headers={"Accept-Language": "es"}).text


@pytest.mark.parametrize(
    "target", ["https://example.org/", "//example.org", "/\\example.org", "", "javascript:alert(1)"]
)
def test_it_never_leads_elsewhere(client: FlaskClient, target: str) -> None:
    response = client.get("/language/es", query_string={"next": target})
    assert (response.status_code, response.location) == (302, "/")


def test_an_unknown_language_is_404(client: FlaskClient) -> None:
    assert client.get("/language/tlh").status_code == 404


def test_the_api_speaks_english_to_everybody(client: FlaskClient) -> None:
    headers = {"Accept-Language": "es"}
    answer = client.get("/api/v1/samples/nobody/prediction", headers=headers).json
    assert answer is not None
    assert answer["detail"] == "No sample has this id; /api/v1/samples lists them all."


def test_the_apis_page_speaks_the_visitors_language_and_its_document_english(
    client: FlaskClient,
) -> None:
    page = client.get("/api", headers={"Accept-Language": "es"}).text
    document = client.get("/api/openapi.json", headers={"Accept-Language": "es"}).text
    for english, spanish in (
        ("Classify images", "Clasificar imágenes"),
        ("No file can be read.", "No se puede leer ningún archivo."),
        ("Whether the picture looks like a brain MRI.", "Si la imagen parece una resonancia"),
    ):
        assert spanish in page
        assert english not in page
        assert english in document
    assert "several such as <code>16-31</code>" in client.get("/api").text


def test_the_shipped_gallerys_notice_is_translated() -> None:
    manifest = json.loads((ROOT / "data" / "samples" / "manifest.json").read_text("utf-8"))
    assert manifest["notice"] in NOTICES


def test_nothing_lacks_a_translation_and_none_is_left_over() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file)
    translated = {
        message.id if isinstance(message.id, str) else message.id[0]: message.string
        for message in catalogue
        if message.id
    }
    wanted = texts()
    assert sorted(text for text in wanted if not any(translated.get(text) or ())) == []
    singular = {text for text in wanted if text in translated}
    assert sorted(set(translated) - singular) == []


def test_placeholders_survive_translation() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file)
    found = [(message.id, [str(e) for e in message.check(catalogue)]) for message in catalogue]
    assert [entry for entry in found if entry[1]] == []


def test_the_compiled_catalogue_is_the_written_one() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file)
    buffer = io.BytesIO()
    write_mo(buffer, catalogue)
    assert buffer.getvalue() == CATALOGUE.with_suffix(".mo").read_bytes()
