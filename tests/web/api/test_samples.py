"""The JSON API of the gallery's samples: exact shapes, filters, heat maps, warm-up."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from marshmallow.validate import OneOf
from numpy.typing import NDArray

from model.inference.prediction import Prediction
from tests.conftest import GALLERY, StubClassifier
from tests.patience import LONGEST_WAIT
from web.api.queries import SamplesQuery
from web.service.selection import FilterError, Filters

IDS = [sample_id for sample_id, *_ in GALLERY]


def test_healthz_needs_no_inference(client: FlaskClient, classifier: object) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == "no-store"
    assert getattr(classifier, "calls", None) == 0


def test_samples(client: FlaskClient) -> None:
    response = client.get("/api/v1/samples")
    assert response.status_code == 200
    assert response.json is not None
    assert list(response.json) == ["samples", "gallery"]
    assert response.json["gallery"] == {"origin": "synthetic", "notice": "Drawn for a test."}
    assert [sample["id"] for sample in response.json["samples"]] == IDS
    first = response.json["samples"][0]
    version = first["image_url"].removeprefix("/images/glioma-00?v=")
    assert len(version) == 12
    assert first == {
        "id": "glioma-00",
        "true_label": "glioma",
        "plane": "axial",
        "contrast": "T1c",
        "origin": "phantom",
        "seed": 0,
        "width": 448,
        "height": 448,
        "result": None,
        "predicted": None,
        "confidence": None,
        "abstained": None,
        "image_url": f"/images/glioma-00?v={version}",
        "thumbnail_url": f"/thumbnails/glioma-00?v={version}",
        "prediction_url": "/api/v1/samples/glioma-00/prediction",
    }


def test_samples_take_the_gallerys_filters(read_client: FlaskClient) -> None:
    def ids(query: str) -> list[str]:
        answer = read_client.get(f"/api/v1/samples{query}").json
        assert answer is not None
        return [sample["id"] for sample in answer["samples"]]

    assert ids("?class=glioma") == ["glioma-00", "glioma-01"]
    assert ids("?result=wrong") == ["glioma-01", "pituitary-01"]
    assert ids("?class=pituitary&result=right") == ["pituitary-00"]
    assert ids("?class=&result=&sure=&predicted=&q=&sort=") == IDS
    assert ids("?predicted=notumor") == ["notumor-00", "pituitary-01"]
    assert ids("?class=pituitary&predicted=notumor") == ["pituitary-01"]
    assert ids("?q=%20GLI") == ["glioma-00", "glioma-01"]
    assert ids("?q=-01&sort=confidence") == ["glioma-01", "pituitary-01"]
    assert ids("?q=%25") == []


def test_samples_by_sureness_and_confidence(
    client: FlaskClient, classifier: StubClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, shares = classifier.predict, {"glioma": 0.9, "meningioma": 0.4, "notumor": 0.6}

    def predict(image: NDArray[np.float32]) -> Prediction:
        found = answer(image)
        share = shares[found.label]
        return replace(found, confidence=share, in_distribution=share >= 0.5)

    def ids(query: str) -> list[str]:
        found = client.get(f"/api/v1/samples?{query}").json
        assert found is not None
        return [sample["id"] for sample in found["samples"]]

    monkeypatch.setattr(classifier, "predict", predict)
    for sample_id in ("notumor-00", "meningioma-00", "glioma-00"):
        client.get(f"/api/v1/samples/{sample_id}/prediction")
    unread = ["glioma-01", "pituitary-00", "pituitary-01"]  # neither, and last
    assert ids("sure=unsure") == ["meningioma-00"]
    assert ids("sure=sure") == ["glioma-00", "notumor-00"]
    assert ids("sort=confidence") == ["meningioma-00", "notumor-00", "glioma-00", *unread]
    assert ids("sort=-confidence") == ["glioma-00", "notumor-00", "meningioma-00", *unread]
    listed = client.get("/api/v1/samples?q=meningioma").json
    assert listed is not None
    first = listed["samples"][0]
    assert [first[name] for name in ("predicted", "confidence", "abstained")] == [
        "meningioma", 0.4, True,
    ]  # fmt: skip


def test_the_described_filters_are_the_ones_that_work() -> None:
    described = SamplesQuery()
    values: dict[str, tuple[str, ...]] = {}
    for field in described.fields.values():
        (check,) = field.validators
        limit = isinstance(check, OneOf)
        values[str(field.data_key or field.name)] = tuple(check.choices) if limit else ("gli",)
    everything = {name: choices[-1] for name, choices in values.items()}
    assert Filters.parse(everything).query == everything  # neither has one that the other lacks
    for name, choices in values.items():
        for value in choices:
            assert Filters.parse({name: value}).query == {name: value}
            assert described.load({name: value})
        for wrong in ("x" * 65, "x" * 1000):
            with pytest.raises(FilterError, match=f"`{name}` must"):
                Filters.parse({name: wrong})
            assert list(described.validate({name: wrong})) == [name]
    assert Filters.parse({"q": "x" * 64}).q == "x" * 64
    assert not described.validate({"q": "x" * 64})


def test_pages_and_json_are_compressed_for_who_can_read_that(client: FlaskClient) -> None:
    for path in ("/", "/api/v1/samples", "/api/v1/samples/glioma-00/prediction?explain=true"):
        plain = client.get(path)
        small = client.get(path, headers={"Accept-Encoding": "gzip, br"})
        assert plain.content_encoding is None
        assert small.content_encoding == "gzip"
        assert "Accept-Encoding" in small.vary
        assert int(small.headers["Content-Length"]) == len(small.data) < len(plain.data) / 2
        if path != "/":  # a page may say another time
            assert len(gzip.decompress(small.data)) == pytest.approx(len(plain.data), abs=8)
    refused = client.get("/", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert refused.content_encoding is None
    assert client.get("/healthz", headers={"Accept-Encoding": "gzip"}).content_encoding is None


def test_an_unread_sample_is_neither_right_nor_wrong(client: FlaskClient) -> None:
    for result in ("right", "wrong"):
        answer = client.get(f"/api/v1/samples?result={result}").json
        assert answer is not None
        assert answer["samples"] == []


def test_prediction(client: FlaskClient) -> None:
    response = client.get("/api/v1/samples/glioma-01/prediction")
    assert response.status_code == 200
    assert response.json == {
        "id": "glioma-01",
        "true_label": "glioma",
        "prediction": {
            "verdict": "Tumor: likely. Kind: meningioma.",
            "finding": "tumor",
            "likelihood": "likely",
            "tumor_probability": 1 - 0.0833,
            "kind": "meningioma",
            "label": "meningioma",
            "confidence": 0.75,
            "probabilities": {
                "glioma": 0.0833,
                "meningioma": 0.75,
                "notumor": 0.0833,
                "pituitary": 0.0833,
            },
            "prediction_set": ["meningioma"],
            "abstained": False,
            "reason": None,
            "in_distribution": True,
            "ood_score": 0.5,
            "ood_threshold": 1.5,
            "explanation": None,
            "milliseconds": 12.5,
        },
        "model": {"name": "stub", "version": "0.0.0", "sha256": "5" * 64},
        "milliseconds": 12.5,
    }
    assert list(response.json) == ["id", "true_label", "prediction", "model", "milliseconds"]


def test_a_heat_map_of_the_predicted_class(client: FlaskClient) -> None:
    answer = client.get("/api/v1/samples/glioma-01/prediction?explain=true").json
    assert answer is not None
    found = answer["prediction"]["explanation"]
    assert list(found) == ["class", "method", "width", "height", "values"]
    assert (found["class"], found["method"]) == ("meningioma", "stub")
    assert (found["width"], found["height"]) == (112, 112)
    assert {len(row) for row in found["values"]} == {112}
    assert sum(map(sum, found["values"])) == found["values"][28][84] == 1.0


def test_a_heat_map_of_another_class_leaves_the_answer(client: FlaskClient) -> None:
    path = "/api/v1/samples/glioma-01/prediction"
    plain = client.get(path).json
    explained = client.get(f"{path}?explain=true&explain_class=pituitary").json
    assert plain is not None
    assert explained is not None
    assert explained["prediction"].pop("explanation")["class"] == "pituitary"
    assert plain["prediction"].pop("explanation") is None
    assert explained == plain


def test_a_sample_is_read_once(client: FlaskClient, classifier: object) -> None:
    first = client.get("/api/v1/samples/notumor-00/prediction").json
    assert client.get("/api/v1/samples/notumor-00/prediction").json == first
    client.get("/samples/notumor-00")
    assert getattr(classifier, "calls", None) == 1


def test_warm_up_reads_everything(
    make_app: Callable[..., Flask], gallery_dir: Path, classifier: object
) -> None:
    predictions = make_app(gallery_dir).extensions["brain_mri"].predictions
    thread = predictions.warm_up()
    thread.join(timeout=LONGEST_WAIT)
    assert not thread.is_alive()
    assert getattr(classifier, "calls", None) == 6


def test_warm_up_survives_an_image_that_cannot_be_read(
    make_app: Callable[..., Flask], gallery_dir: Path
) -> None:
    app = make_app(gallery_dir)
    (gallery_dir / "glioma-00.png").write_bytes(b"damaged after the start")
    thread = app.extensions["brain_mri"].predictions.warm_up()
    thread.join(timeout=LONGEST_WAIT)
    answer = app.test_client().get("/api/v1/samples").json
    assert answer is not None
    assert [sample["result"] for sample in answer["samples"]] == [
        None,
        "wrong",
        "right",
        "right",
        "right",
        "wrong",
    ]
