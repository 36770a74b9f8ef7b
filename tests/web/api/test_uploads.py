"""Uploads over HTTP: the contract's fields, errors for each file, limits, nothing on the disk."""

from __future__ import annotations

import base64
import io
import tempfile

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.scan_files import dicom, nifti, png, white_share
from tests.web.api.uploading import PREDICTIONS, SLICES, post, problem, valid
from web.api import schemas
from web.api.uploads import MAX_FILES, MAX_UPLOAD_BYTES

RAMP = np.arange(64).reshape(8, 8)
GLIOMA, NO_TUMOR = png(white_share(1)), png(white_share(5))
NOISE = np.random.default_rng(0).integers(0, 255, (1200, 1200), dtype=np.uint8)
CUT = png(NOISE)[:2000]


def test_a_picture_is_answered_in_the_contracts_form(client: FlaskClient) -> None:
    response = post(client, PREDICTIONS, ("scan.png", GLIOMA))
    assert response.status_code == 200
    assert response.json is not None
    assert list(response.json) == ["predictions", "model"]
    assert response.json["model"] == {"name": "stub", "version": "0.0.0", "sha256": "5" * 64}
    valid(schemas.ModelSchema(), response.json["model"])
    (entry,) = response.json["predictions"]
    valid(schemas.UploadedAnswerSchema(), entry)
    assert "preview" not in entry
    expected = {
        "verdict": "Tumor: likely. Kind: glioma.", "finding": "tumor", "likelihood": "likely",
        "tumor_probability": 1 - 0.0833, "kind": "glioma",
        "filename": "scan.png", "label": "glioma", "confidence": 0.75, "abstained": False,
        "reason": None, "explanation": None, "plane": None, "slice": None, "slices": 1,
        "doubt": None, "crop": None, "contrast": None,
        "milliseconds": 12.5, "prediction_set": ["glioma"], "in_distribution": True,
    }  # fmt: skip
    assert {name: entry[name] for name in expected} == expected


def test_a_picture_of_two_heads_comes_with_a_box_around_one(client: FlaskClient) -> None:
    panels = np.zeros((200, 400), np.uint8)
    panels[40:160, 40:160] = panels[60:140, 260:340] = 255
    response = post(
        client, PREDICTIONS, ("panels.png", png(panels)), ("cut.png", png(panels[:, :200]))
    )
    assert response.json is not None
    entry, cut = response.json["predictions"]
    valid(schemas.UploadedAnswerSchema(), entry)
    assert (entry["doubt"], entry["in_distribution"]) == ("shape", False)
    assert entry["crop"] == pytest.approx([0.088, 0.176, 0.412, 0.824], abs=0.02)
    assert (cut["doubt"], cut["crop"], cut["in_distribution"]) == (None, None, True)


def test_a_heat_map_and_a_preview_come_when_asked_for(client: FlaskClient) -> None:
    query = "?explain=true&explain_class=pituitary&preview=true"
    response = post(client, PREDICTIONS + query, ("scan.png", GLIOMA))
    assert response.json is not None
    (entry,) = response.json["predictions"]
    valid(schemas.UploadedAnswerSchema(), entry)
    assert entry["explanation"]["class"] == "pituitary"
    assert (entry["explanation"]["width"], entry["explanation"]["height"]) == (112, 112)
    assert entry["explanation"]["values"][28][84] == 1.0
    preview = entry["preview"]
    picture = Image.open(io.BytesIO(base64.b64decode(preview["data"])))
    assert (picture.format, picture.size) == ("WEBP", (64, 64))
    assert (preview["media_type"], preview["width"], preview["height"]) == ("image/webp", 64, 64)
    assert np.asarray(picture.convert("L"))[:, :6].mean() > 240


def test_files_are_answered_in_order(client: FlaskClient) -> None:
    response = post(client, PREDICTIONS, ("a", NO_TUMOR), ("b", GLIOMA), ("c", dicom(RAMP)))
    assert response.json is not None
    entries = response.json["predictions"]
    assert [(e["filename"], e["slices"]) for e in entries] == [("a", 1), ("b", 1), ("c", 1)]
    assert [e["label"] for e in entries[:2]] == ["notumor", "glioma"]


def test_one_bad_file_does_not_spoil_the_others(client: FlaskClient) -> None:
    response = post(client, PREDICTIONS, ("bad.png", CUT), ("good.png", GLIOMA))
    assert response.status_code == 200
    assert response.json is not None
    bad, good = response.json["predictions"]
    valid(schemas.FailedFileSchema(), bad)
    assert bad["filename"] == "bad.png"
    assert bad["error"]["type"] == "/api#damaged"
    assert bad["error"]["title"] == "The file cannot be used"
    assert good["label"] == "glioma"


@pytest.mark.parametrize(
    ("files", "status", "kind"),
    [
        ([("a", b"text")], 415, "unsupported-format"),
        ([("a", b"")], 422, "damaged"),
        ([("a", CUT), ("b", CUT[:999])], 422, "damaged"),
        ([("a", b"text"), ("b", CUT[:999])], 422, "damaged"),
        ([("a", dicom(RAMP, Rows=9999))], 413, "too-large"),
        ([("a", nifti(np.full((4, 4, 4), np.nan, np.float32)))], 422, "damaged"),
    ],
)
def test_where_no_file_can_be_read_the_answer_is_a_problem(
    client: FlaskClient, files: list[tuple[str, bytes]], status: int, kind: str
) -> None:
    document = problem(post(client, PREDICTIONS, *files), status)
    assert document["type"] == f"/api#{kind}"
    assert [entry["filename"] for entry in document["errors"]] == [name for name, _ in files]
    assert "Received" in document["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "slice=-1",
        "slice=two",
        "slice=3-1",
        "slice=1-",
        "plane=oblique",
        "explain=maybe",
        "explain_class=x",
        "size=3",
    ],
)
def test_parameters_are_checked(client: FlaskClient, query: str) -> None:
    document = problem(post(client, f"{PREDICTIONS}?{query}", ("a", GLIOMA)), 400)
    assert f"`{query.split('=')[0]}`" in document["detail"]


@pytest.mark.parametrize(("path", "most"), [(PREDICTIONS, MAX_FILES), (SLICES, 1)])
def test_too_many_files_or_none(client: FlaskClient, path: str, most: int) -> None:
    too_many = [(f"{k}.png", GLIOMA) for k in range(most + 1)]
    for files in ([], too_many):
        document = problem(post(client, path, *files), 400)
        assert f"Received: {len(files)}." in document["detail"]
        assert "multipart/form-data" in document["detail"]


@pytest.mark.parametrize("path", [PREDICTIONS, SLICES])
def test_a_request_that_is_too_large_is_413(client: FlaskClient, path: str) -> None:
    document = problem(post(client, path, ("big", bytes(MAX_UPLOAD_BYTES + 1))), 413)
    assert f"{MAX_UPLOAD_BYTES:,} bytes" in document["detail"]


def test_no_upload_touches_the_disk(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was opened")

    names = ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp", "mkdtemp")
    for name in names:
        monkeypatch.setattr(tempfile, name, fail)
    content = png(NOISE)
    assert len(content) > 1_000_000  # werkzeug's own would have spooled from 500 kB on
    assert post(client, PREDICTIONS, ("noise.png", content)).status_code == 200
    assert post(client, SLICES, ("noise.png", content)).status_code == 200


def test_files_just_below_the_limit_arrive(client: FlaskClient) -> None:
    content = np.random.default_rng(1).bytes(MAX_UPLOAD_BYTES - 1024)
    document = problem(post(client, PREDICTIONS, ("noise", content)), 415)
    assert f"Received: {len(content):,} bytes" in document["detail"]


def test_long_names_are_cut_and_strange_ones_sent_back(client: FlaskClient) -> None:
    for name, expected in (("x" * 400, "x" * 255), ("../../schädel <b>.png", None)):
        response = post(client, PREDICTIONS, (name, GLIOMA))
        assert response.json is not None
        assert response.json["predictions"][0]["filename"] == (expected or name)
