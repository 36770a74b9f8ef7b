"""The OpenAPI document: valid, complete, and true of what the routes answer."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from PIL import Image
from werkzeug.test import TestResponse

from tests.patience import LONGEST_WAIT
from tests.scan_files import dicom
from web.api.queries import SamplesQuery
from web.pages.api_page import entries, schema_type, ticked


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get("/api/openapi.json")
    assert response.status_code == 200
    assert isinstance(response.json, dict)
    return response.json


def png() -> tuple[io.BytesIO, str]:
    buffer = io.BytesIO()
    Image.new("L", (64, 48), 90).save(buffer, "PNG")
    buffer.seek(0)
    return buffer, "scan.png"


def study() -> tuple[io.BytesIO, str]:
    return io.BytesIO(dicom(np.eye(8, dtype=np.uint16), SeriesInstanceUID="1.2")), "0001"


def ask(client: FlaskClient, method: str, path: str) -> TestResponse:
    address = path.replace("{sample_id}", "glioma-00")
    data = {"file": study() if "studies" in path else png()} if method == "post" else None
    query = {"explain": "true"} if "prediction" in path else None
    return client.open(address, method=method.upper(), data=data, query_string=query)


def complaints(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    whole = {**schema, "components": document["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_it_lists_every_route_of_the_api(web_app: Flask, document: dict[str, Any]) -> None:
    listed = {
        (method.upper(), re.sub(r"\{(\w+)\}", r"<\1>", path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    routes = {
        (method, rule.rule)
        for rule in web_app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") or rule.rule in ("/healthz", "/readyz")
    }
    assert listed == routes


def test_each_route_answers_as_it_says(
    web_app: Flask, client: FlaskClient, document: dict[str, Any]
) -> None:
    web_app.extensions["brain_mri"].readiness.start().join(LONGEST_WAIT)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            response = ask(client, method, path)
            assert response.status_code == 200, path
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert complaints(document, schema, response.json) == [], path


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/samples?class=nothing", 400),
        ("/api/v1/samples/nobody/prediction", 404),
        ("/api/v1/samples/glioma-00/prediction?explain=perhaps", 400),
    ],
)
def test_errors_are_the_problems_it_describes(
    client: FlaskClient, document: dict[str, Any], path: str, status: int
) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert complaints(document, {"$ref": "#/components/schemas/Problem"}, response.json) == []


def test_a_wrong_answer_would_be_noticed(document: dict[str, Any]) -> None:
    found = complaints(document, {"$ref": "#/components/schemas/Predictions"}, {"predictions": []})
    assert found == ["'model' is a required property"]


def test_the_samples_query_lists_the_filters_that_are_read(client: FlaskClient) -> None:
    for name in (field.data_key or key for key, field in SamplesQuery().fields.items()):
        response = client.get("/api/v1/samples", query_string={name: "~" * 200})
        assert response.status_code == 400, name


def test_the_page_shows_each_operation_with_lines_to_copy(
    client: FlaskClient, document: dict[str, Any]
) -> None:
    page = client.get("/api").text
    for operations in document["paths"].values():
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in page
    assert (
        "curl --form file=@scan.jpg &#39;http://localhost/api/v1/predictions?explain=true" in page
    )
    assert "curl --form file=@study.zip &#39;http://localhost/api/v1/studies&#39;" in page
    for anchor in ("damaged", "too-large", "unsupported-format"):
        assert f'id="{anchor}"' in page


def test_the_pages_examples_ask_the_network_once(
    web_app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictions = web_app.extensions["brain_mri"].predictions
    asked: list[str] = []
    explain = predictions.explain
    monkeypatch.setattr(predictions, "explain", lambda s: asked.append(s.id) or explain(s))
    pages = [client.get("/api").text for _ in range(3)]
    assert asked == ["glioma-00"]
    assert pages[0] == pages[2]


def test_the_python_lines_run(web_app: Flask, document: dict[str, Any]) -> None:
    with web_app.test_request_context():
        for entry in entries(document, "http://localhost"):
            compile(entry["python"], entry["path"], "exec")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ({"type": ["string", "null"]}, "string or null"),
        ({"type": "array", "items": {"$ref": "#/x"}}, "list of objects"),
        ({"anyOf": [{"$ref": "#/x"}, {"type": "null"}]}, "object or null"),
        ({}, "any"),
    ],
)
def test_types_in_words(field: dict[str, Any], text: str) -> None:
    assert schema_type(field) == text


def test_backticks_become_code_and_nothing_else_becomes_html() -> None:
    assert ticked("a `b<` & c") == "a <code>b&lt;</code> &amp; c"
