"""Files that people and attackers send, over HTTP: each gets the right status and a sentence."""

from __future__ import annotations

import base64
import io
import re
from html import unescape

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.hostile.case import PAYLOAD, Case
from tests.hostile.files import READ, REFUSED
from tests.hostile.pictures import READ_PICTURES
from tests.scan_files import png, white_share
from tests.web.api.uploading import PREDICTIONS, SLICES, post, problem
from web.api.uploads import MAX_NAME

ANALYSE = "/analyse"


def ids(case: Case) -> str:
    return f"{case.name} {case.status}"


@pytest.mark.parametrize("case", REFUSED, ids=ids)
def test_a_bad_file_is_refused_with_a_sentence(client: FlaskClient, case: Case) -> None:
    content = case.make()
    for path in (PREDICTIONS, SLICES):
        document = problem(post(client, path, (case.filename, content)), case.status)
        assert document["type"] == f"/api#{case.kind}", path
        assert "Received" in document["detail"] or "must have an affine" in document["detail"]
        for words in case.words:
            assert words in document["detail"], path
        assert len(document["detail"]) < 500
    page = post(client, ANALYSE, (case.filename, content))
    assert page.status_code == case.status
    text = " ".join(unescape(re.sub(r"<[^>]*>", "", page.text)).split())
    for words in case.words:
        assert words in text


@pytest.mark.parametrize("case", READ, ids=ids)
def test_an_odd_file_that_is_legal_is_read(client: FlaskClient, case: Case) -> None:
    content = case.make()
    response = post(client, PREDICTIONS + "?preview=true", (case.filename, content))
    assert response.status_code == 200, response.text
    assert response.json is not None
    (entry,) = response.json["predictions"]
    if case.name in ("GIF of one frame", "one pixel"):  # flat: black to the network
        assert entry["label"] == "glioma"
    else:
        assert entry["label"] == "meningioma"
    assert post(client, SLICES, (case.filename, content)).status_code == 200
    assert post(client, ANALYSE, (case.filename, content)).status_code == 200


def test_a_phone_photo_stands_upright(client: FlaskClient) -> None:
    (case,) = [case for case in READ_PICTURES if case.name == "phone photo"]
    response = post(client, PREDICTIONS + "?preview=true", ("photo.jpg", case.make()))
    assert response.json is not None
    preview = response.json["predictions"][0]["preview"]
    assert (preview["width"], preview["height"]) == (427, 512)
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(preview["data"]))).convert("L"))
    assert seen[:, -90:].min() > 250  # the top of what lay on its side
    assert seen[:, :300].max() < 5


POLYGLOTS = ("GIF and page", "PNG and zip", "DICOM and TIFF")


@pytest.mark.parametrize("name", POLYGLOTS)
def test_nothing_of_a_file_that_is_two_comes_back_but_its_pixels(
    client: FlaskClient, name: str
) -> None:
    # Refusing them would refuse phone photos, which carry films and settings behind the picture.
    (case,) = [case for case in READ_PICTURES if case.name == name]
    content = case.make()
    assert PAYLOAD[6:20] in content or b"page.html" in content
    for path in (f"{PREDICTIONS}?preview=true", SLICES, ANALYSE):
        response = post(client, path, ("scan", content))
        assert response.status_code == 200
        pictures = re.findall(r'(?:base64,|"data": ?")([\w+/=]{40,})', response.text)
        assert pictures, path
        for picture in map(base64.b64decode, pictures):
            assert picture[:4] == b"RIFF"
            assert picture[8:12] == b"WEBP"
            assert int.from_bytes(picture[4:8], "little") + 8 == len(picture)  # nothing behind it
            assert b"script" not in picture
            assert b"PK" + b"\3\4" not in picture
        assert "polyglot" not in response.text
        assert response.headers["X-Content-Type-Options"] == "nosniff"


NAMES = [
    ("../../etc/passwd", "../../etc/passwd"),
    ("..\\..\\boot.ini", "..\\..\\boot.ini"),
    ("scan\0.png", "scan.png"),
    ("scan\r\n\x1b[31m.png", "scan[31m.png"),
    ("x" * 300 + ".png", "x" * MAX_NAME),
    ("schädel–脳🧠.png", "schädel–脳🧠.png"),
    ("scan\u202egnp.exe", "scangnp.exe"),
    ("\u2067scan\u2069.png", "scan.png"),
    ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
    ("{{7*7}}%s%n.png", "{{7*7}}%s%n.png"),
]


@pytest.mark.parametrize(("name", "shown"), NAMES)
@pytest.mark.parametrize("good", [True, False])
def test_strange_names_are_shown_and_never_used(
    client: FlaskClient, name: str, shown: str, good: bool
) -> None:
    content = png(white_share(3)) if good else b"text"
    boundary = "b0undary"
    head = (
        f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''"
        + "".join(f"%{byte:02X}" for byte in name.encode())
        + "\r\nContent-Type: image/png\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    kind = f"multipart/form-data; boundary={boundary}"
    response = client.post(PREDICTIONS, data=body, content_type=kind)
    assert response.status_code == (200 if good else 415)
    assert response.json is not None
    (entry,) = response.json["predictions" if good else "errors"]
    assert entry["filename"] == shown
    page = client.post(ANALYSE, data=body, content_type=kind)
    assert page.status_code == (200 if good else 415)
    assert "<img src=x" not in page.text
    assert "\u202e" not in page.text
    if "passwd" not in name and "[31m" not in name:
        assert shown in unescape(page.text)


def test_a_name_of_half_a_surrogate_pair_is_cut() -> None:
    from web.api.uploads import shown_name

    assert shown_name("a\ud800b.png") == "ab.png"
