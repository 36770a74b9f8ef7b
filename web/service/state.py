"""What all routes share: the gallery and its predictions, kept on the app."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from flask import Flask, current_app, request

from web.service.admission import Reading
from web.service.predictions import Predictions
from web.service.readiness import Readiness
from web.service.samples import Gallery


@dataclass(frozen=True)
class State:
    gallery: Gallery
    predictions: Predictions
    readiness: Readiness
    reading: Reading = field(default_factory=Reading)


def attach(app: Flask, state: State) -> None:
    app.extensions["brain_mri"] = state


def current_state() -> State:
    state = current_app.extensions["brain_mri"]
    assert isinstance(state, State)
    return state


def place() -> AbstractContextManager[None]:
    """A place for this request among those that may use the network; see ``web.service.admission``.

    Raises:
        Busy: All places are taken.
    """
    largest = request.max_content_length or 0
    size = request.content_length
    if size is None:  # of a body sent in chunks
        size = largest if request.method == "POST" else 0
    return current_state().predictions.admission.place(min(size, largest))
