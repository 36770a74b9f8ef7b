"""The API described: an OpenAPI 3.1 document, written from the schemas of queries and answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, jsonify
from marshmallow import Schema

from model.inference.answer_text import N_
from web.api import queries, schemas
from web.api.uploads import MAX_FILES
from web.service.state import current_state
from web.service.study_files import MAX_FILES as MAX_STUDY_FILES
from web.settings import PROJECT

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
    for name in ("Series", "SeriesAnswer", "StudySlice", "FailedSlice"):
        spec.components.schema(name, schema=getattr(schemas, f"{name}Schema"))
    spec.components.schema("Study", component=_study_schema())
    for path, operations in _paths().items():
        spec.path(path, operations=operations)
    found: dict[str, Any] = spec.to_dict()
    for operations in found["paths"].values():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                if parameter["in"] == "query":  # as forms send what was not filled in
                    parameter["allowEmptyValue"] = True
    return found


def _schema_name(schema: type[Schema] | Schema) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Schema")


def _paths() -> dict[str, dict[str, Any]]:
    sample_id = {
        "in": "path", "name": "sample_id", "required": True, "schema": {"type": "string"},
        "description": N_("The sample's id."), "example": "glioma-00",
    }  # fmt: skip
    return {
        "/api/v1/predictions": {
            "post": _operation(
                N_("Classify images"),
                N_("Each file is answered for itself: one that cannot be read has an `error` "
                   "instead, and the others are answered all the same."),
                {"$ref": "#/components/schemas/Predictions"},
                query=queries.PredictionsQuery, files=MAX_FILES,
                errors=(400, 413, 415, 422, 429, 503),
            )
        },
        "/api/v1/slices": {
            "post": _operation(
                N_("Look into a volume"),
                N_("Small pictures of every slice of one file in one plane, to choose from."),
                schemas.SlicesSchema,
                query=queries.PlaneQuery, files=1, errors=(400, 413, 415, 422, 429, 503),
            )
        },
        "/api/v1/studies": {
            "post": _operation(
                N_("Read a study"),
                N_("DICOM files of a study, alone or in zip archives: its series, which of them "
                   "suits the network best, and one answer for it: in how many neighboring slices "
                   "a tumor is seen."),
                {"$ref": "#/components/schemas/Study"},
                query=queries.StudyQuery, files=MAX_STUDY_FILES,
                errors=(400, 413, 415, 422, 429, 503),
            )
        },
        "/api/v1/samples": {
            "get": _operation(
                N_("List the gallery"), N_("The gallery's images that pass the filters."),
                schemas.SamplesSchema, query=queries.SamplesQuery, errors=(400,),
            )
        },
        "/api/v1/samples/{sample_id}/prediction": {
            "get": _operation(
                N_("Classify an image of the gallery"),
                N_("Computed when first asked for, then kept."),
                schemas.SampleAnswerSchema, query=queries.ExplainQuery,
                errors=(400, 404, 429, 503), parameters=[sample_id],
            )
        },
        "/healthz": {
            "get": _operation(
                N_("Whether the server answers"), N_("Never waits for the network."),
                schemas.HealthSchema,
            )
        },
        "/readyz": {
            "get": _operation(
                N_("Whether the network is ready"),
                N_("Whether it has read a bundled image as it should, once after the start."),
                schemas.ReadySchema, errors=(503,),
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
        if status in (429, 503):
            operation["responses"][str(status)]["headers"] = {"Retry-After": RETRY_AFTER}
    return operation


WHY = {
    400: N_("A parameter is not allowed, or there is no file."),
    404: N_("There is no such sample."),
    413: N_("The request is too large, or a picture has too many pixels."),
    415: N_("No file is of a format that can be read."),
    422: N_("No file can be read."),
    429: N_("This address has asked for too much lately."),
    503: N_("Too many requests wait for the network, or it is not ready."),
}
RETRY_AFTER = {"description": "Seconds to stay away.", "schema": {"type": "integer"}}


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


def _study_schema() -> dict[str, Any]:
    def one(name: str) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{name}"}

    slices = [one("StudySlice"), one("FailedSlice")]
    properties = {
        "files": {"type": "integer", "description": N_("Files of the study.")},
        "series": {"type": "array", "items": one("Series")},
        "chosen": {
            "type": ["integer", "null"],
            "description": N_("Number of the series that is answered, from 0."),
        },
        "why": {"type": "string", "description": N_("Why it is that one, in words.")},
        "answer": {"anyOf": [one("SeriesAnswer"), {"type": "null"}]},
        "slices": {"type": "array", "items": {"oneOf": slices}},
        "left_out": {"type": "array", "items": one("FailedFile")},
        "model": one("Model"),
    }
    return {"type": "object", "required": list(properties), "properties": properties}
