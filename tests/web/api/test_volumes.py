"""Volumes over HTTP: the slice wanted, every slice, and slices to choose from."""

from __future__ import annotations

import base64
import io

import nibabel
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.scan_files import dicom, nifti, png, white_share
from tests.web.api.uploading import PREDICTIONS, SLICES, post, problem, valid
from web.api import schemas
from web.api.uploads import MAX_PICTURES, THUMBNAIL_SIDE

RAMP = np.arange(64).reshape(8, 8)


def volume() -> bytes:
    """Six axial slices of 64 x 64, the number of white eighths growing from the feet up."""
    slices = [np.flip(white_share(k + 1).T, (0, 1)) for k in range(6)]
    return nifti(np.stack(slices, axis=2).astype(np.int16))


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
