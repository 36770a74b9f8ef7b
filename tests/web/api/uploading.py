"""How the tests upload a file over HTTP, and what an answer must be."""

from __future__ import annotations

import io
from typing import Any

from flask.testing import FlaskClient
from marshmallow import Schema
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from web.api import schemas

PREDICTIONS = "/api/v1/predictions"
SLICES = "/api/v1/slices"


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
