"""What all routes share: the gallery and its predictions, kept on the app."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from web.gallery import Gallery
from web.predictions import Predictions


@dataclass(frozen=True)
class State:
    gallery: Gallery
    predictions: Predictions


def attach(app: Flask, state: State) -> None:
    app.extensions["brain_mri"] = state


def current_state() -> State:
    state = current_app.extensions["brain_mri"]
    assert isinstance(state, State)
    return state
