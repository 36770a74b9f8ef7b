"""The API described: an OpenAPI 3.1 document written from the schemas, and a page that reads it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, jsonify, render_template, request
from marshmallow import Schema

from web import schemas
from web.display import PROJECT
from web.state import current_state
from web.uploads import ERRORS, MAX_FILES, MAX_UPLOAD_BYTES

OPENAPI_VERSION = "3.1.0"
DESCRIPTION = (
    "What a small neural network makes of brain MRI slices. For learning and research, never for "
    "diagnosis. Files are decoded in memory; they are neither stored nor logged. Errors are "
    "application/problem+json (RFC 9457)."
)

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/api/openapi.json")
def document() -> Response:
    """The OpenAPI 3.1 document."""
    response = jsonify(describe(current_state().predictions.classifier.version))
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/api")
def page() -> str:
    """The API for people, from the same document."""
    described = describe(current_state().predictions.classifier.version)
    return render_template(
        "api.html", api=described, root=request.url_root.rstrip("/"), errors=ERRORS
    )


@lru_cache(maxsize=4)
def describe(version: str) -> dict[str, Any]:
    """The document for a network of the given version."""
    spec = APISpec(
        title=PROJECT,
        version=version,
        openapi_version=OPENAPI_VERSION,
        info={"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        servers=[{"url": "/"}],
    )
    spec.components.schema("Problem", schema=schemas.ProblemSchema)
    spec.components.schema("Model", schema=schemas.ModelSchema)
    spec.components.schema("UploadedAnswer", schema=schemas.UploadedAnswerSchema)
    # An entry is an answer or an error, which the schemas' library has no word for.
    spec.components.schema("Predictions", component=_predictions_schema())
    for path, operations in _paths().items():
        spec.path(path, operations=operations)
    found: dict[str, Any] = spec.to_dict()
    return found


def _schema_name(schema: type[Schema] | Schema) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _paths() -> dict[str, dict[str, Any]]:
    sample_id = {
        "in": "path", "name": "sample_id", "required": True, "schema": {"type": "string"},
        "description": "The sample's id.", "example": "glioma-00",
    }  # fmt: skip
    return {
        "/api/v1/predictions": {
            "post": _operation(
                "Classify images",
                "Each file is answered for itself: one that cannot be read has an `error` instead, "
                "and the others are answered all the same.",
                {"$ref": "#/components/schemas/Predictions"},
                query=schemas.PredictionsQuery, files=MAX_FILES, errors=(400, 413, 415, 422),
            )
        },
        "/api/v1/slices": {
            "post": _operation(
                "Look into a volume",
                "Small pictures of every slice of one file in one plane, to choose from.",
                schemas.SlicesSchema,
                query=schemas.PlaneQuery, files=1, errors=(400, 413, 415, 422),
            )
        },
        "/api/v1/samples": {
            "get": _operation(
                "List the gallery", "The gallery's images that pass the filters.",
                schemas.SamplesSchema, query=schemas.SamplesQuery, errors=(400,),
            )
        },
        "/api/v1/samples/{sample_id}/prediction": {
            "get": _operation(
                "Classify an image of the gallery",
                "Computed when first asked for, then kept.",
                schemas.SampleAnswerSchema, query=schemas.ExplainQuery, errors=(400, 404),
                parameters=[sample_id],
            )
        },
        "/healthz": {
            "get": _operation(
                "Whether the server answers", "Never waits for the network.", schemas.HealthSchema
            )
        },
    }  # fmt: skip


def _operation(
    summary: str,
    description: str,
    answer: type[Schema] | dict[str, Any],
    *,
    query: type[Schema] | None = None,
    files: int = 0,
    errors: tuple[int, ...] = (),
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """One operation; ``files`` is how many of them it takes."""
    operation: dict[str, Any] = {
        "operationId": summary.lower().replace(" ", "-"),
        "summary": summary,
        "description": description,
        "parameters": list(parameters or []),
        "responses": {
            "200": {
                "description": "The answer.",
                "content": {"application/json": {"schema": answer}},
            }
        },
    }
    if query is not None:
        operation["parameters"].append({"in": "query", "schema": query})
    if files:
        operation["requestBody"] = _body(files)
    for status in errors:
        operation["responses"][str(status)] = {
            "description": WHY[status],
            "content": {"application/problem+json": {"schema": schemas.ProblemSchema}},
        }
    return operation


WHY = {
    400: "A parameter is not allowed, or there is no file.",
    404: "There is no such sample.",
    413: f"Larger than {MAX_UPLOAD_BYTES // 2**20} MiB, or a picture of too many pixels.",
    415: "No file is of a format that can be read.",
    422: "No file can be read.",
}


def _body(files: int) -> dict[str, Any]:
    one = {"type": "string", "contentMediaType": "application/octet-stream"}
    file = one if files == 1 else {"type": "array", "items": one, "minItems": 1, "maxItems": files}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": file}, "required": ["file"]}
            }
        },
    }


def _predictions_schema() -> dict[str, Any]:
    kinds = [{"$ref": f"#/components/schemas/{n}"} for n in ("UploadedAnswer", "FailedFile")]
    return {
        "type": "object",
        "required": ["predictions", "model"],
        "properties": {
            "predictions": {"type": "array", "items": {"oneOf": kinds}},
            "model": {"$ref": "#/components/schemas/Model"},
        },
    }
