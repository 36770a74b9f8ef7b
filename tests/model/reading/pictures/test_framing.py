"""Pictures that are not one head, and files that say they are no brain MRI."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from model.batch.rows import rows_of
from model.batch.sources import Source
from model.inference.answer_text import DOUBTS
from model.inference.classifier import Classifier
from model.reading.open_scan import read_scan
from model.reading.pictures.framing import doubt_of
from model.reading.series import UNFIT
from tests.scan_files import dicom, png
from tests.web.api.uploading import PREDICTIONS, post

RAMP = np.arange(64).reshape(8, 8)


def head(height: int, width: int) -> np.ndarray:
    """A bright disc on black that fills its picture nearly."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.where(x**2 + y**2 < 0.9, 200, 0).astype(np.uint8)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("picture", "doubt"),
    [
        (head(224, 224), None),
        (head(160, 224), None),  # 1.4: the longest that training has
        (head(100, 151), "shape"),
        (np.hstack([head(256, 160)] * 2), "panels"),  # 1.25
        (np.hstack([head(256, 160), np.zeros((256, 160), np.uint8)]), None),  # one, at an edge
        (np.zeros((100, 130), np.uint8), None),
    ],
)
def test_a_picture_is_doubted_for_its_frame(
    picture: np.ndarray, doubt: str | None, turned: bool
) -> None:
    pixels = (picture.T if turned else picture).astype(np.float32)
    assert doubt_of(pixels) == doubt
    assert read_scan(png(pixels.astype(np.uint8))).doubt == doubt


@pytest.mark.parametrize(
    ("tags", "doubt"),
    [
        ({}, None),
        ({"Modality": "CT"}, "modality"),
        ({"BodyPartExamined": "KNEE"}, "body-part"),
        ({"BodyPartExamined": "BRAIN"}, None),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["DERIVED", "PRIMARY", "ADC"]}, "map"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "secondary-capture"),
    ],
)
def test_a_dicom_file_is_doubted_for_what_it_says(tags: dict[str, Any], doubt: str | None) -> None:
    assert read_scan(dicom(RAMP, **tags)).doubt == doubt


def test_every_doubt_has_words() -> None:
    assert set(DOUBTS) == {*UNFIT, "shape", "panels"}


@pytest.mark.parametrize(
    ("content", "doubt"),
    [(png(head(100, 190)), "shape"), (dicom(RAMP, Modality="CT"), "modality")],
)
def test_the_api_abstains_and_says_why(client: FlaskClient, content: bytes, doubt: str) -> None:
    found = post(client, PREDICTIONS, ("a", content)).json
    assert found is not None
    (answer,) = found["predictions"]
    assert (answer["in_distribution"], answer["abstained"]) == (False, True)
    assert answer["reason"] == DOUBTS[doubt]


def test_batches_abstain_as_well(tmp_path: Any) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(head(100, 190)))
    (row,) = rows_of(Source(str(path)), Classifier.load(threads=1), None)
    assert (row["in_distribution"], row["abstained"]) == (False, True)
    assert row["reason"] == DOUBTS["shape"]
