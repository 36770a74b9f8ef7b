"""The JSON API under /api/v1/, /healthz and /readyz."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request, url_for

from web.api.answers import model_fields, prediction_fields
from web.api.queries import ExplainQuery, load_query
from web.http.errors import problem
from web.service.samples import Sample
from web.service.selection import Filters, select
from web.service.state import current_state, place

blueprint = Blueprint("api", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Says the server answers; touches neither the network nor its lock."""
    response = jsonify(status="ok")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether the network has passed its self-test; 503 until then. Never waits for it."""
    readiness = current_state().readiness
    readiness.start()  # where it has not been: WARM_UP=0
    if readiness.state != "ready":
        response, _ = problem(503, "Service Unavailable", readiness.reason)
        response.headers["Retry-After"] = "1"
    else:
        response = jsonify(status="ready")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/api/v1/samples")
def samples() -> Response:
    """Lists the samples that pass the filters; 400 for values that are not allowed."""
    state = current_state()
    chosen = select(state.gallery, state.predictions, Filters.parse(request.args))
    response = jsonify(
        samples=[_describe(sample) for sample in chosen],
        gallery={"origin": state.gallery.origin, "notice": state.gallery.notice},
    )
    response.headers["Cache-Control"] = "no-store"  # `result` changes while samples are being read
    return response


@blueprint.get("/api/v1/samples/<sample_id>/prediction")
def prediction(sample_id: str) -> Response:
    """The network's prediction for one sample, computed now if need be; 404 for an unknown id."""
    state = current_state()
    query = load_query(ExplainQuery(), request.args)
    sample = state.gallery.samples.get(sample_id)
    if sample is None:
        abort(404, description="No sample has this id; /api/v1/samples lists them all.")
    kept = None if query["explain"] else state.predictions.peek(sample)
    if kept is not None:
        found = kept
    else:
        with place():
            if query["explain"]:
                found = state.predictions.explain(sample, query["explain_class"])
            else:
                found = state.predictions.get(sample)
    return jsonify(
        id=sample.id,
        true_label=sample.true_label,
        prediction=prediction_fields(found),
        model=model_fields(state.predictions.classifier),
        milliseconds=found.milliseconds,
    )


def _describe(sample: Sample) -> dict[str, Any]:
    predictions = current_state().predictions
    known = predictions.peek(sample)  # all of its answer is null until the network has read it
    return {
        "id": sample.id,
        "true_label": sample.true_label,
        "plane": sample.plane,
        "contrast": sample.contrast,
        "origin": sample.origin,
        "seed": sample.seed,
        "width": sample.width,
        "height": sample.height,
        "result": predictions.result(sample),
        "predicted": known and known.label,
        "confidence": known and known.confidence,
        "abstained": known and known.abstained,
        "image_url": url_for("images.image", sample_id=sample.id, v=sample.version),
        "thumbnail_url": url_for("images.thumbnail", sample_id=sample.id, v=sample.version),
        "prediction_url": url_for("api.prediction", sample_id=sample.id),
    }
