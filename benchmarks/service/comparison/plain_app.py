"""What a user would otherwise run: Flask with TensorFlow's `model.predict`; see `comparison`.

    gunicorn --workers 1 --threads 4 "benchmarks.service.comparison.plain_app:create_app('same')"

Networks: "same", the shipped `.keras` file, or "original", the 11-convolution layout.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from flask import Flask, jsonify, request
from PIL import Image

from benchmarks.service.comparison.original_network import build_original
from model.config import ARTIFACTS, CLASS_NAMES, MODEL_NAME

NETWORKS = ("same", "original")


def create_app(network: str) -> Flask:
    """An app with one route, `POST /predict`, and `GET /` to see that it is up."""
    if network not in NETWORKS:
        raise ValueError(f"`network` must be one of {', '.join(NETWORKS)}. Received: {network!r}")
    if network == "same":
        model = keras.models.load_model(ARTIFACTS / f"{MODEL_NAME}.keras")
    else:
        model = build_original()
    _, height, width, channels = model.input_shape
    app = Flask(__name__)

    @app.get("/")
    def page() -> str:
        return "up"

    @app.post("/predict")
    def predict() -> Any:
        image = Image.open(request.files["file"].stream).convert("L" if channels == 1 else "RGB")
        pixels = np.asarray(image.resize((width, height)), np.float32) / 255
        (shares,) = model.predict(pixels.reshape(1, height, width, channels), verbose=0)
        best = int(shares.argmax())
        return jsonify(
            label=CLASS_NAMES[best],
            probabilities={n: float(p) for n, p in zip(CLASS_NAMES, shares, strict=True)},
        )

    return app
