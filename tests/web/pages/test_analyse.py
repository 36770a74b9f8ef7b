"""The page for one's own images as the server draws it, and its form without scripts."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from model.config import CLASS_NAMES
from model.reading.pictures.guards import MAX_PIXELS, MAX_PIXELS_OF
from model.reading.pictures.picture import FORMATS
from model.reading.scan import MAX_SLICES
from tests.scan_files import nifti, png, white_share
from tests.web.html import text_of
from web.api.uploads import MAX_FILES, MAX_UPLOAD_BYTES


def post(client: FlaskClient, *files: tuple[str, bytes], **options: object) -> TestResponse:
    data = {"file": [(io.BytesIO(content), name) for name, content in files]}
    return client.post("/analyse", data=data, content_type="multipart/form-data", **options)


def results(page: TestResponse) -> str:
    """The cards that the server drew, as text."""
    return text_of(page.text.split('id="cards"')[1].split("<noscript>")[0])


def test_the_page_is_in_the_menu(client: FlaskClient) -> None:
    page = client.get("/analyse")
    assert page.status_code == 200
    assert '<a href="/analyse" aria-current="page">Analyse</a>' in page.text
    assert 'href="/analyse"' in client.get("/").text


def test_the_limits_are_those_that_the_server_checks(client: FlaskClient) -> None:
    page = client.get("/analyse")
    text = text_of(page.text)
    pictures = ", ".join("WebP" if name == "WEBP" else name for name in FORMATS)
    assert f"{pictures}; DICOM (.dcm, or without an ending); NIfTI (.nii, .nii.gz)." in text
    assert (
        f"Up to {MAX_UPLOAD_BYTES // 2**20} MiB a file, {MAX_PIXELS:,} pixels a picture "
        f"(JPEG {MAX_PIXELS_OF['JPEG']:,}, TIFF {MAX_PIXELS_OF['TIFF']:,}, "
        f"WebP {MAX_PIXELS_OF['WEBP']:,}) and {MAX_SLICES:,} slices a volume." in text
    )
    assert f"At most {MAX_FILES} files at a time." in text
    assert f'data-max-bytes="{MAX_UPLOAD_BYTES}"' in page.text


def test_nothing_is_inline_and_privacy_is_stated(client: FlaskClient) -> None:
    page = client.get("/analyse")
    assert " style=" not in page.text
    assert not re.search(r"<script(?![^>]*\ssrc=)", page.text)
    assert not re.search(r"\son[a-z]+=", page.text)
    assert "decoded in the server's memory" in text_of(page.text)
    assert "not stored, not logged, nor is its name" in text_of(page.text)


def test_the_pages_numbers_are_the_visitors(client: FlaskClient) -> None:
    page = client.get("/analyse", headers={"Accept-Language": "es"})
    assert f"{MAX_PIXELS:,}".replace(",", ".") in text_of(page.text)


def test_without_scripts_the_form_answers(client: FlaskClient) -> None:
    page = post(client, ("scan.png", png(white_share(3))), ("bad.png", b"text"))
    assert page.status_code == 200
    text = results(page)
    assert "scan.png The network says Tumor: likely. Kind: meningioma." in text
    assert "75.0 %" in text
    assert "bad.png This file could not be read. Choose a picture, a DICOM file or" in text
    assert "`" not in text
    assert 'src="data:image/webp;base64,' in page.text
    assert not re.search(r'id="results"[^>]*hidden', page.text)


def test_without_scripts_a_volume_gives_its_middle_slice(client: FlaskClient) -> None:
    voxels = np.zeros((16, 16, 5), np.int16)
    voxels[:2] = 255  # an eighth of each slice
    text = results(post(client, ("head.nii", nifti(voxels))))
    assert "Glioma" in text
    assert "Slice 2 of 5, counted from 0." in text


@pytest.mark.parametrize(("content", "status"), [(b"text", 415), (b"\x89PNG\r\n\x1a\n", 415)])
def test_without_scripts_a_bad_file_keeps_its_status(
    client: FlaskClient, content: bytes, status: int
) -> None:
    page = post(client, ("<b>.png", content))
    assert page.status_code == status
    assert "&lt;b&gt;.png" in page.text


def test_without_a_file_the_form_asks_for_one(client: FlaskClient) -> None:
    page = post(client, ("", b""))
    assert page.status_code == 400
    assert "Choose a file first." in text_of(page.text)


def test_a_form_that_is_too_large_is_413(client: FlaskClient) -> None:
    page = client.post(
        "/analyse",
        data=bytes(MAX_UPLOAD_BYTES + 1),
        content_type="multipart/form-data; boundary=b",
    )
    assert page.status_code == 413
    assert page.mimetype == "text/html"


def test_the_report_says_what_the_model_is_not(client: FlaskClient) -> None:
    page = client.get("/analyse")
    sheet = text_of(page.text.split('id="sheet"')[1])
    assert "3,763,940 parameters" in sheet
    assert "No medical device and no diagnosis." in sheet
    assert page.text.split('id="sheet"')[1].count('data-class="') == len(CLASS_NAMES)


def test_scripts_that_scripts_import_are_asked_for_anew(client: FlaskClient) -> None:
    with client.get("/static/shared/translate.js") as plain:
        assert plain.headers["Cache-Control"] == "no-cache"
        etag = plain.headers["ETag"]
    with client.get("/static/shared/translate.js", headers={"If-None-Match": etag}) as again:
        assert again.status_code == 304
    address = re.search(
        r'src="(/static/analyse/analyse\.js\?v=[^"]+)"', client.get("/analyse").text
    )
    assert address is not None
    with client.get(address[1]) as versioned:
        assert "max-age=31536000" in versioned.headers["Cache-Control"]
