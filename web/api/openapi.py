"""The API described: an OpenAPI 3.1 document written from the schemas, and a page that reads it."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, current_app, jsonify, render_template, request
from flask_babel import gettext
from markupsafe import Markup, escape
from marshmallow import Schema

from model.inference.answer_text import N_
from web.api import schemas
from web.api.answers import model_fields, prediction_fields
from web.api.uploads import ERRORS, MAX_FILES, MAX_UPLOAD_BYTES
from web.pages.display import PROJECT
from web.service.state import current_state

OPENAPI_VERSION = "3.1.0"
DESCRIPTION = (
    "What a small neural network makes of brain MRI slices. For learning and research, never for "
    "diagnosis. Files are decoded in memory; they are neither stored nor logged. Errors are "
    "application/problem+json (RFC 9457)."
)

blueprint = Blueprint("openapi", __name__)


@blueprint.app_template_filter("schema_type")
def _schema_type(field: dict[str, Any]) -> str:
    return schema_type(field)


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
        "api.html",
        api=described,
        entries=entries(described, request.url_root.rstrip("/")),
        inside=lambda field: _inside(described, field),
        examples=_examples(),
        errors=ERRORS,
        max_mebibytes=MAX_UPLOAD_BYTES // 2**20,
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
                query=schemas.PredictionsQuery, files=MAX_FILES,
                errors=(400, 413, 415, 422, 429, 503),
            )
        },
        "/api/v1/slices": {
            "post": _operation(
                N_("Look into a volume"),
                N_("Small pictures of every slice of one file in one plane, to choose from."),
                schemas.SlicesSchema,
                query=schemas.PlaneQuery, files=1, errors=(400, 413, 415, 422, 429, 503),
            )
        },
        "/api/v1/samples": {
            "get": _operation(
                N_("List the gallery"), N_("The gallery's images that pass the filters."),
                schemas.SamplesSchema, query=schemas.SamplesQuery, errors=(400,),
            )
        },
        "/api/v1/samples/{sample_id}/prediction": {
            "get": _operation(
                N_("Classify an image of the gallery"),
                N_("Computed when first asked for, then kept."),
                schemas.SampleAnswerSchema, query=schemas.ExplainQuery,
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


def entries(described: dict[str, Any], root: str) -> list[dict[str, Any]]:
    """Each operation as the page shows it, with lines to copy.

    Args:
        described: From ``describe``.
        root: The site's own address, without a slash at the end.
    """
    found = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            answer = answers["200"]["content"]["application/json"]["schema"]
            found.append(
                {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "summary": operation["summary"],
                    "description": operation["description"],
                    "parameters": operation["parameters"],
                    "body": "requestBody" in operation,
                    "files": MAX_FILES if path == "/api/v1/predictions" else 1,
                    "answer": _inside(described, answer),
                    "errors": {k: v for k, v in answers.items() if k != "200"},
                    "curl": _curl(method, root + _example(path), operation),
                    "python": _python(method, root + _example(path), operation),
                }
            )
    return found


def _examples() -> dict[str, str]:
    """Real answers by path, for the page: those about the gallery's first image, shortened."""
    state = current_state()
    first = next(iter(state.gallery.samples.values()))
    kept = current_app.extensions  # the network is not asked again for each visitor
    if "api_example" not in kept:
        kept["api_example"] = state.predictions.explain(first)
    answer = prediction_fields(kept["api_example"])
    answer["explanation"]["values"] = "[[0.0, ...], ...]"
    model = model_fields(state.predictions.classifier)
    found = {
        "/api/v1/predictions": {
            "predictions": [{"filename": first.path.name, **answer, "slices": 1}],
            "model": model,
        },
        "/api/v1/samples/{sample_id}/prediction": {
            "id": first.id, "true_label": first.true_label, "prediction": answer, "model": model,
            "milliseconds": answer["milliseconds"],
        },
        "/healthz": {"status": "ok"},
        "/readyz": {"status": "ready"},
    }  # fmt: skip
    return {
        path: json.dumps(_rounded(example), indent=2).replace('"[[', "[[").replace(']]"', "]]")
        for path, example in found.items()
    }


def _rounded(value: Any) -> Any:
    """Numbers with four digits, so that an example can be read."""
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value


def _example(path: str) -> str:
    first = next(iter(current_state().gallery.samples))
    return path.replace("{sample_id}", first)


def _asked(operation: dict[str, Any]) -> dict[str, str]:
    """The parameters that the lines to copy show: a heat map, where there can be one."""
    names = {parameter["name"] for parameter in operation["parameters"]}
    return {"explain": "true"} if "explain" in names else {}


def _curl(method: str, address: str, operation: dict[str, Any]) -> str:
    query = "&".join(f"{name}={value}" for name, value in _asked(operation).items())
    form = "--form file=@scan.jpg " if method == "post" else ""
    return f"curl {form}'{address}{'?' + query if query else ''}'"


def _python(method: str, address: str, operation: dict[str, Any]) -> str:
    arguments = [f'"{address}"']
    if asked := _asked(operation):
        arguments.append(f"params={json.dumps(asked)}")
    if method == "post":
        arguments.append('files={"file": open("scan.jpg", "rb")}')
    lines = ",\n    ".join(arguments)
    return (
        f"import requests\n\nanswer = requests.{method}(\n    {lines},\n)\n"
        "answer.raise_for_status()\nprint(answer.json())"
    )


def _inside(described: dict[str, Any], field: dict[str, Any]) -> dict[str, Any] | None:
    """The object that a field holds, alone or as a list's items; None where it holds none."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return _inside(described, described["components"]["schemas"][name])
    for inner in (*field.get("anyOf", ()), *field.get("oneOf", ())):
        if found := _inside(described, inner):
            return found
    if "items" in field:
        return _inside(described, field["items"])
    return field if "properties" in field else None


@blueprint.app_template_filter("in_words")
def in_words(text: str | None) -> Markup:
    """A text of the document in the reader's language, as HTML; "" where there is none."""
    return ticked(gettext(text)) if text else Markup("")


@blueprint.app_template_filter("ticked")
def ticked(text: str) -> Markup:
    """Plain text as HTML, with `what stands in backticks` as code."""
    parts = text.split("`")
    code = [Markup("<code>{}</code>").format(part) for part in parts[1::2]]
    plain = [escape(part) for part in parts[0::2]]
    pairs = zip_longest(plain, code, fillvalue=Markup(""))
    return Markup("").join(piece for pair in pairs for piece in pair)


def schema_type(field: dict[str, Any]) -> str:
    """A field's type in a few letters: "number", "string or null", "list of objects"."""
    if "items" in field:
        return f"list of {schema_type(field['items'])}s"
    if "anyOf" in field:
        return " or ".join(schema_type(inner) for inner in field["anyOf"])
    if "$ref" in field or "oneOf" in field or "allOf" in field:
        return "object"
    kind = field.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


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
