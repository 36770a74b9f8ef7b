"""What a sample's page says of how sure the network is, and when it abstains."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model.inference.prediction import Prediction
from model.inference.trust import RULE
from tests.conftest import StubClassifier
from tests.web.html import text_of
from web.pages.display import RULE_TEXT


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
