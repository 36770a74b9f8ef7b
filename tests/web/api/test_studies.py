"""Studies over HTTP: series by their headers, one answer, and archives that are none."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import StubClassifier
from tests.scan_files import dicom, png, white_share
from tests.web.api.uploading import post, problem
from web.api.openapi import describe
from web.api.uploads import MAX_FILES as MAX_UPLOADS
from web.service import study_files
from web.service.study_files import MAX_INDEX_BYTES

STUDIES = "/api/v1/studies"
AXIAL = [1, 0, 0, 0, 1, 0]
GLIOMA, NO_TUMOR = 1, 5  # white eighths


def slice_of(place: int, eighths: int = NO_TUMOR, **about: Any) -> bytes:
    tags: dict[str, Any] = {
        "SeriesInstanceUID": "1.2", "SeriesNumber": 1, "ImageOrientationPatient": AXIAL,
        "ImagePositionPatient": [0, 0, 6 * place], "SeriesDescription": "AX T1 GD",
    }  # fmt: skip
    return dicom(white_share(eighths).astype(np.uint16), **(tags | about))


def packed(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


SCOUT = slice_of(0, SeriesInstanceUID="1.3", SeriesNumber=0, SeriesDescription="Localizer")
STUDY = [
    ("c/3", slice_of(3, GLIOMA)), ("c/0", slice_of(0)), ("c/1", slice_of(1, GLIOMA)),
    ("c/2", slice_of(2, GLIOMA)), ("scout", SCOUT), ("report.pdf", b"%PDF-1.4"),
]  # fmt: skip


def answer(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    study = describe("0")["components"]["schemas"]["Study"]
    assert set(found) == set(study["required"])
    return found


@pytest.mark.parametrize("files", [STUDY, [("study.zip", packed(*STUDY))]])
def test_a_study_is_sorted_out_and_answered(
    client: FlaskClient, files: list[tuple[str, bytes]]
) -> None:
    found = answer(post(client, STUDIES, *files))
    assert found["files"] == 6
    assert [(s["description"], s["slices"], s["not_answered"]) for s in found["series"]] == [
        ("Localizer", 1, "localizer"), ("AX T1 GD", 4, None),
    ]  # fmt: skip
    assert [s["order"] for s in found["series"]] == [[4], [1, 2, 3, 0]]
    assert found["chosen"] == 1
    assert found["why"].endswith("as far as its header tells: 4 slices.")
    assert found["answer"] == {
        "finding": "tumor", "neighbors": 3, "neighbors_needed": 3, "first_neighbor": "c/1",
        "last_neighbor": "c/3", "slices_with_tumor": 3, "slices_like_brain_mri": 4,
        "highest_tumor_probability": pytest.approx(1 - 0.0833), "highest_slice": "c/1",
        "slices_not_readable": 0,
    }  # fmt: skip
    assert [(s["filename"], s["place"], s["label"]) for s in found["slices"]] == [
        ("c/0", 0, "notumor"), ("c/1", 1, "glioma"), ("c/2", 2, "glioma"), ("c/3", 3, "glioma"),
    ]  # fmt: skip
    (left,) = found["left_out"]
    assert (left["filename"], left["error"]["type"]) == ("report.pdf", "/api#unsupported-format")


def test_heads_are_enough_to_list_series(client: FlaskClient, classifier: StubClassifier) -> None:
    before = classifier.calls
    heads = [(name, content[:1000]) for name, content in STUDY]
    found = answer(post(client, f"{STUDIES}?read=false", *heads))
    assert [s["slices"] for s in found["series"]] == [1, 4]
    assert (found["chosen"], found["answer"], found["slices"]) == (1, None, [])
    assert classifier.calls == before


def test_what_is_no_brain_mri_is_not_answered_where_it_is_asked_for(client: FlaskClient) -> None:
    found = answer(post(client, f"{STUDIES}?series=0", *STUDY))
    assert (found["chosen"], found["why"], found["answer"]) == (0, "It was asked for.", None)
    assert found["series"][0]["not_answered"] == "localizer"


def test_none_is_chosen_where_none_is_a_brain_mri(client: FlaskClient) -> None:
    found = answer(post(client, STUDIES, ("scout", SCOUT)))
    assert (found["chosen"], found["answer"]) == (None, None)
    assert found["why"] == "No series is a brain MRI as far as its header tells."


def test_a_slice_that_cannot_be_read_has_an_error(client: FlaskClient) -> None:
    found = answer(post(client, STUDIES, ("0", slice_of(0)), ("1", slice_of(1)[:1500])))
    assert found["answer"]["slices_not_readable"] == 1
    assert found["answer"]["finding"] == "notumor"
    assert found["slices"][1]["error"]["type"] == "/api#damaged"
    assert found["slices"][1]["place"] == 1


def test_frames_are_slices(client: FlaskClient) -> None:
    frames = np.stack([white_share(GLIOMA), white_share(NO_TUMOR)]).astype(np.uint16)
    found = answer(post(client, STUDIES, ("f", dicom(frames, SeriesInstanceUID="1.4"))))
    assert [(s["slice"], s["label"]) for s in found["slices"]] == [(0, "glioma"), (1, "notumor")]
    assert found["answer"]["highest_slice"] == "f [0]"


def test_more_files_than_predictions_take_are_a_study(client: FlaskClient) -> None:
    files = [(str(place), slice_of(place)) for place in range(MAX_UPLOADS + 14)]
    assert answer(post(client, STUDIES, *files))["series"][0]["slices"] == MAX_UPLOADS + 14


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("series=2", "`series` must be in 0..1. Received: 2"),
        ("series=-1", "`series`"),
        ("series=x", "`series` must be a whole number from 0"),
        ("read=2", "`read` must be true or false"),
    ],
)
def test_a_wrong_parameter_is_400(client: FlaskClient, query: str, text: str) -> None:
    assert text in problem(post(client, f"{STUDIES}?{query}", *STUDY), 400)["detail"]


def test_no_file_is_400(client: FlaskClient) -> None:
    assert "`file` must be" in problem(post(client, STUDIES), 400)["detail"]


def test_without_a_dicom_file_each_is_named(client: FlaskClient) -> None:
    document = problem(post(client, STUDIES, ("a.png", png(white_share(1)))), 415)
    assert "send others to /api/v1/predictions" in document["detail"]
    assert document["errors"][0]["filename"] == "a.png"


def index_of(size: int) -> bytes:
    return b"PK\3\4" + struct.pack("<4s8xLL2x", b"PK\5\6", size, 0)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"PK\3\4 and nothing", 422),
        (index_of(10), 422),
        (index_of(MAX_INDEX_BYTES + 1), 413),
        (b"PK\3\4" + b"PK\6\7" + bytes(16) + index_of(0)[4:], 413),
        (packed(), 422),
        (packed(("a/", b""), ("__MACOSX/x", b"1"), (".x", b"1"), ("DICOMDIR", b"1")), 422),
    ],
)
def test_an_archive_that_is_none_is_refused(
    client: FlaskClient, content: bytes, status: int
) -> None:
    assert problem(post(client, STUDIES, ("a.zip", content)), status)["type"].startswith("/api#")


def test_too_many_files_are_413(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_files, "MAX_FILES", 5)
    document = problem(post(client, STUDIES, ("a.zip", packed(*STUDY))), 413)
    assert "at most 5 files" in document["detail"]


def test_a_series_that_unpacks_to_too_much_is_413(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.api.studies.MAX_BYTES", 10_000)
    document = problem(post(client, STUDIES, ("a.zip", packed(*STUDY))), 413)
    assert "Received: 4 slices" in document["detail"]


def test_a_locked_member_is_named(client: FlaskClient) -> None:
    content = bytearray(packed(("0", slice_of(0)), ("1", slice_of(1))))
    place = content.rfind(b"PK\1\2")
    content[place + 8] |= 1  # says that it is encrypted
    found = answer(post(client, STUDIES, ("a.zip", bytes(content))))
    assert [left["filename"] for left in found["left_out"]] == ["1"]
    assert found["series"][0]["slices"] == 1
