"""The API for people: a page written from the OpenAPI document, with lines to copy."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any

from flask import Blueprint, current_app, render_template, request
from flask_babel import gettext
from markupsafe import Markup, escape

from web.api.answers import model_fields, prediction_fields
from web.api.openapi import describe
from web.api.uploads import ERRORS, MAX_UPLOAD_BYTES
from web.service.state import current_state

blueprint = Blueprint("api_page", __name__)


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
                    "files": _most_files(operation),
                    "answer": _inside(described, answer),
                    "errors": {k: v for k, v in answers.items() if k != "200"},
                    "curl": _curl(method, root + _example(path), operation),
                    "python": _python(method, root + _example(path), operation),
                }
            )
    return found


def _most_files(operation: dict[str, Any]) -> int:
    if "requestBody" not in operation:
        return 1
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    return int(form["properties"]["file"].get("maxItems", 1))


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


def _sent(address: str) -> str:
    """Name of the file that the lines to copy send."""
    return "study.zip" if address.endswith("/studies") else "scan.jpg"


def _curl(method: str, address: str, operation: dict[str, Any]) -> str:
    query = "&".join(f"{name}={value}" for name, value in _asked(operation).items())
    form = f"--form file=@{_sent(address)} " if method == "post" else ""
    return f"curl {form}'{address}{'?' + query if query else ''}'"


def _python(method: str, address: str, operation: dict[str, Any]) -> str:
    arguments = [f'"{address}"']
    if asked := _asked(operation):
        arguments.append(f"params={json.dumps(asked)}")
    if method == "post":
        arguments.append(f'files={{"file": open("{_sent(address)}", "rb")}}')
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


@blueprint.app_template_filter("schema_type")
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
