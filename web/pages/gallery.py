"""The pages: the gallery, one sample, and the way to a random one."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from model.config import CLASS_NAMES
from model.inference.prediction import Prediction
from web.service.samples import Sample
from web.service.selection import RESULTS, SURENESS, Filters, neighbours, select
from web.service.state import State, current_state, place

STRIP = 8
"""Images beside the opened one."""

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def gallery() -> str:
    """The samples that pass the filters, by class or sorted; 400 for values not allowed."""
    state = current_state()
    filters = Filters.parse(request.args)
    chosen = select(state.gallery, state.predictions, filters)
    lead, found, strip = _opened(state)
    names = CLASS_NAMES if filters.sort is None else ("",)  # sorted samples hang on one sheet
    groups = {name: [s for s in chosen if name in ("", s.true_label)] for name in names}
    return render_template(
        "gallery.html",
        filters=filters,
        groups={name: members for name, members in groups.items() if members},
        chosen=chosen,
        lead=lead,
        found=found,
        strip=strip,
        scores={name: _score(state, Filters(label=name)) for name in CLASS_NAMES},
        total=_score(state, Filters()),
        counts=_counts(state, filters),
        peek=state.predictions.peek,
    )


@blueprint.get("/samples/<sample_id>")
def sample(sample_id: str) -> str:
    """One sample with its prediction, computed now if need be; 404 for an unknown id."""
    state = current_state()
    filters = Filters.parse(request.args)
    current = state.gallery.samples.get(sample_id)
    if current is None:
        abort(404)
    prediction = state.predictions.peek(current)
    if prediction is None:
        with place():
            prediction = state.predictions.get(current)
    selected = select(state.gallery, state.predictions, filters)
    before, after = neighbours(state.gallery, selected, current)
    return render_template(
        "sample.html",
        filters=filters,
        sample=current,
        prediction=prediction,
        selected=selected,
        position=selected.index(current) + 1 if current in selected else None,
        before=before,
        after=after,
    )


@blueprint.get("/random")
def random_sample() -> WerkzeugResponse:
    """Redirects to a random sample that passes the filters, other than ``not`` if possible."""
    state = current_state()
    filters = Filters.parse(request.args)
    selected = select(state.gallery, state.predictions, filters)
    others: list[Sample] = [s for s in selected if s.id != request.args.get("not")] or selected
    if others:
        choice = random.choice(others)
        response = redirect(_url("pages.sample", filters, sample_id=choice.id))
    else:
        response = redirect(_url("pages.gallery", filters))
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.after_app_request
def pages_are_fresh(response: Response) -> Response:
    """Pages change as samples are read, so browsers ask again each time."""
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _opened(state: State) -> tuple[Sample | None, Prediction | None, list[Sample]]:
    """The image that the first screen shows, its answer, and a few others.

    The first one in which a tumor was found and rightly named; any first one until it is read.
    """
    samples = list(state.gallery.samples.values())
    known = [(sample, state.predictions.peek(sample)) for sample in samples]
    lead, found = next(
        ((s, p) for s, p in known if p is not None and p.kind == s.true_label),
        known[0] if known else (None, None),
    )
    others = [sample for sample in samples if sample is not lead]
    return lead, found, others[:: max(1, len(others) // STRIP)][:STRIP]


def _url(endpoint: str, filters: Filters, **values: Any) -> str:
    values.update(filters.query)
    return url_for(endpoint, **values)


def _score(state: State, filters: Filters) -> Mapping[str, Any]:
    """Counts of the samples that pass ``filters``, and each one's result for the score strip."""
    results = [
        state.predictions.result(s) for s in select(state.gallery, state.predictions, filters)
    ]
    return {
        "results": results,
        "all": len(results),
        "right": results.count("right"),
        "wrong": results.count("wrong"),
        "unread": results.count(None),
    }


def _counts(state: State, filters: Filters) -> Mapping[str, Mapping[str, int]]:
    """How many samples each filter link would show, the other filters staying as they are."""

    def count(name: str, value: str) -> int:
        return len(select(state.gallery, state.predictions, filters.with_(name, value)))

    choices = {"class": CLASS_NAMES, "result": RESULTS, "sure": SURENESS}
    return {
        name: {value: count(name, value) for value in ("", *values)}
        for name, values in choices.items()
    }
