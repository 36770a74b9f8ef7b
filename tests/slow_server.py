"""An app for gunicorn whose network waits for the file GATE: ``tests.slow_server:make()``."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from flask import Flask
from numpy.typing import NDArray

from app import create_app
from model.inference.prediction import Prediction
from tests.conftest import StubClassifier


class SlowClassifier(StubClassifier):
    def predict(
        self, image: NDArray[np.float32], *, explain: bool = False, explain_class: str | None = None
    ) -> Prediction:
        while not Path(os.environ["GATE"]).exists():
            time.sleep(0.02)
        return super().predict(image, explain=explain, explain_class=explain_class)


def make() -> Flask:
    return create_app(None, SlowClassifier())
