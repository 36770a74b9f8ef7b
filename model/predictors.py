"""What a network says of many images: by Keras, or by LiteRT as the server does.

Data contract: images uint8 (n, 224, 224, 1), as `ImageSet` holds them; probabilities float32
(n, 4), in the order of `CLASS_NAMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data.dataset.image_set import to_float
from data.dataset.image_store import ImageArray
from model.inference.classifier import Classifier
from model.inference.temperature import softmax

Predict = Callable[[ImageArray], NDArray[np.float32]]
BATCH = 64


def predict_in_batches(
    model: keras.Model, images: ImageArray, *, name: str | None = None
) -> NDArray[np.float32]:
    """Probabilities of a network, with or without the lesion head.

    Args:
        model: From `build_cnn`, or the finished network.
        images: uint8 (n, 224, 224, 1).
        name: Shown beside the progress bar; without a name there is no bar.

    Returns:
        float32 (n, 4).
    """
    found = []
    for start in tqdm(
        range(0, len(images), BATCH), desc=name, leave=False, disable=None if name else True
    ):
        output = model.predict_on_batch(to_float(images[start : start + BATCH]))
        found.append(np.asarray(output["probabilities"] if isinstance(output, dict) else output))
    return np.concatenate(found).astype(np.float32)


def keras_predictor(path: Path) -> Predict:
    """Predicts with a `.keras` file, loaded in safe mode."""
    model = keras.models.load_model(path, safe_mode=True)
    return lambda images: predict_in_batches(model, images, name=path.name)


def litert_predictor(classifier: Classifier) -> Predict:
    """Predicts with a `.tflite` file, before any constant is applied."""
    return lambda images: softmax(network_outputs(classifier, images)[0]).astype(np.float32)


def network_outputs(
    classifier: Classifier, images: ImageArray
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the exported network says of images, before any constant is applied.

    Args:
        classifier: Need not be calibrated.
        images: uint8 (n, 224, 224, 1).

    Returns:
        Logits, float32 (n, 4), and features, float32 (n, 512).
    """
    rows = tqdm(images, desc=classifier.path.name, leave=False, disable=None)
    found = [classifier.outputs(to_float(image)) for image in rows]
    return np.stack([f.logits for f in found]), np.stack([f.features for f in found])


def agreement(left: NDArray[np.float32], right: NDArray[np.float32]) -> dict[str, float]:
    """How alike the probabilities of two files for the same images are, float32 (n, 4) each."""
    difference = np.abs(left - right)
    return {
        "same_label": float((left.argmax(axis=1) == right.argmax(axis=1)).mean()),
        "largest_probability_difference": float(difference.max()),
        "mean_probability_difference": float(difference.mean()),
    }
