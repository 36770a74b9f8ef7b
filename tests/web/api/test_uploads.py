"""Uploads over HTTP: the contract's fields, errors for each file, and nothing on the disk."""

from __future__ import annotations

import base64
import io
import tempfile
from typing import Any

import nibabel
import numpy as np
import pytest
from flask.testing import FlaskClient
from marshmallow import Schema
from PIL import Image
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests.scan_files import dicom, nifti, png, white_share
from web.api import schemas
from web.api.uploads import MAX_FILES, MAX_PICTURES, MAX_UPLOAD_BYTES, THUMBNAIL_SIDE

PREDICTIONS = "/api/v1/predictions"
SLICES = "/api/v1/slices"
GLIOMA, NO_TUMOR = png(white_share(1)), png(white_share(5))
NOISE = np.random.default_rng(0).integers(0, 255, (1200, 1200), dtype=np.uint8)
CUT = png(NOISE)[:2000]


def post(client: FlaskClient, path: str, *files: tuple[str, bytes]) -> TestResponse:
    # Encoded here: the test client would write large bodies to temporary files.
    storages = [FileStorage(io.BytesIO(content), name) for name, content in files]
    boundary, body = encode_multipart({"file": storages})
    return client.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def valid(schema: Schema, answer: Any) -> dict[str, Any]:
    """The answer, which has exactly the fields that the schema names."""
    assert schema.validate(answer) == {}
    required = {field.data_key or name for name, field in schema.fields.items() if field.required}
    assert required <= set(answer)
    return dict(answer)


def problem(response: TestResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert response.json is not None
    assert response.json["status"] == status
    return valid(schemas.ProblemSchema(), response.json)


def volume() -> bytes:
    """Six axial slices of 64 x 64, the number of white eighths growing from the feet up."""
    slices = [np.flip(white_share(k + 1).T, (0, 1)) for k in range(6)]
    return nifti(np.stack(slices, axis=2).astype(np.int16))


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


RAMP = np.arange(64).reshape(8, 8)


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


def test_a_volume_gives_its_middle_slice_or_the_one_wanted(client: FlaskClient) -> None:
    for query, expected in (("", 3), ("?slice=0", 0), ("?plane=axial&slice=5", 5)):
        response = post(client, PREDICTIONS + query, ("head.nii", volume()))
        assert response.json is not None
        (entry,) = response.json["predictions"]
        assert (entry["plane"], entry["slice"], entry["slices"]) == ("axial", expected, 6)
    document = problem(post(client, PREDICTIONS + "?slice=6", ("head.nii", volume())), 422)
    assert "`slice` must be in 0..5" in document["detail"]


def test_every_slice_of_a_volume(client: FlaskClient) -> None:
    response = post(client, PREDICTIONS + "?slice=all", ("head.nii", volume()))
    assert response.json is not None
    entries = response.json["predictions"]
    assert [entry["slice"] for entry in entries] == [0, 1, 2, 3, 4, 5]
    assert [entry["label"] for entry in entries] == [
        "glioma", "meningioma", "meningioma", "notumor", "notumor", "pituitary",
    ]  # fmt: skip
    for entry in entries:
        valid(schemas.UploadedAnswerSchema(), entry)


@pytest.mark.parametrize(
    ("wanted", "slices"), [("1-3", [1, 2, 3]), ("0-5", [0, 1, 2, 3, 4, 5]), ("4-4", [4])]
)
def test_some_slices_of_a_volume(client: FlaskClient, wanted: str, slices: list[int]) -> None:
    response = post(client, f"{PREDICTIONS}?slice={wanted}", ("head.nii", volume()))
    assert response.json is not None
    assert [entry["slice"] for entry in response.json["predictions"]] == slices


def test_slices_beyond_the_last_are_not_there(client: FlaskClient) -> None:
    document = problem(post(client, PREDICTIONS + "?slice=4-6", ("head.nii", volume())), 422)
    assert "`slice` must be in 0..5 for this file. Received: 6" in document["detail"]


def test_every_slice_with_its_heat_map_and_its_picture(client: FlaskClient) -> None:
    query = "?slice=all&explain=true&preview=true"
    response = post(client, PREDICTIONS + query, ("head.nii", volume()))
    assert response.json is not None
    entries = response.json["predictions"]
    assert [entry["explanation"]["class"] for entry in entries] == [e["label"] for e in entries]
    assert {entry["preview"]["width"] for entry in entries} == {64}


@pytest.mark.parametrize("costly", ["explain", "preview"])
def test_heat_maps_and_pictures_of_a_request_are_bounded(client: FlaskClient, costly: str) -> None:
    tall = nifti(np.stack([white_share(1, 8)] * (MAX_PICTURES + 1), axis=2).astype(np.int16))
    ask = f"{PREDICTIONS}?{costly}=true&slice="
    document = problem(post(client, ask + "all", ("a", tall)), 413)
    assert document["detail"] == (
        f"`slice` must name at most 64 slices of each file with `{costly}=true`; ask for more of "
        "them in parts, such as `slice=0-63`. Received: 65"
    )
    assert post(client, ask + "0-63", ("a", tall)).status_code == 200
    twice = problem(post(client, ask + "0-63", ("a", tall), ("b", tall)), 413)
    assert "at most 32 slices" in twice["detail"]


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


def test_slices_to_choose_from(client: FlaskClient) -> None:
    response = post(client, SLICES + "?plane=coronal", ("head.nii", volume()))
    assert response.json is not None
    answer = valid(schemas.SlicesSchema(), response.json)
    assert (answer["filename"], answer["kind"], answer["plane"]) == ("head.nii", "nifti", "coronal")
    assert answer["planes"] == {"axial": 6, "coronal": 64, "sagittal": 64}
    assert [entry["slice"] for entry in answer["slices"]] == list(range(64))
    preview = answer["slices"][10]["preview"]
    picture = Image.open(io.BytesIO(base64.b64decode(preview["data"])))
    assert picture.size == (preview["width"], preview["height"]) == (64, 64)


def test_frames_of_a_dicom_file_have_no_plane(client: FlaskClient) -> None:
    frames = dicom(np.stack([RAMP, RAMP + 9, RAMP]))
    response = post(client, SLICES, ("IM0001", frames))
    assert response.json is not None
    answer = valid(schemas.SlicesSchema(), response.json)
    assert (answer["kind"], answer["planes"], answer["plane"]) == ("dicom", {}, None)
    assert len(answer["slices"]) == 3
    assert problem(post(client, SLICES + "?plane=axial", ("IM0001", frames)), 422)


def test_large_previews_are_small_pictures(client: FlaskClient) -> None:
    response = post(client, SLICES, ("large.png", png(white_share(3, side=400))))
    assert response.json is not None
    preview = response.json["slices"][0]["preview"]
    assert (preview["width"], preview["height"]) == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)


def test_a_pair_is_one_file(client: FlaskClient) -> None:
    pair = nibabel.Nifti1Pair(np.zeros((4, 5, 6), np.int16), np.eye(4))
    files = pair.make_file_map({"header": None, "image": None})
    for file in files.values():
        file.fileobj = io.BytesIO()
    pair.to_file_map(files)
    header, voxels = (files[name].fileobj.getvalue() for name in ("header", "image"))
    found = post(client, PREDICTIONS, ("a.img", voxels), ("a.hdr", header)).json
    assert found is not None
    (answer,) = found["predictions"]
    assert (answer["filename"], answer["plane"], answer["slices"]) == ("a.hdr", "axial", 6)
    document = problem(post(client, PREDICTIONS, ("a.img", voxels)), 415)
    assert "voxels (.img) of a pair, without its header (.hdr)" in document["detail"]


def test_a_volume_without_values_has_no_previews(client: FlaskClient) -> None:
    voxels = np.full((4, 4, 4), np.nan, np.float32)
    document = problem(post(client, SLICES, ("holes.nii", nifti(voxels))), 422)
    assert "finite" in document["detail"]


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
