"""How many training images show the int8 export the ranges of its activations.

The widest range among them counts. Few images miss what others reach, and many bring outliers,
which make every step coarser: neither is best for each network, so `choose_calibration` tries.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from data.dataset.collections import Collections
from data.dataset.image_set import ImageSet
from data.dataset.image_store import ImageArray
from model.config import MODEL_NAME
from model.export.export import calibration_images, export
from model.inference.classifier import Classifier
from model.predictors import agreement, keras_predictor, litert_predictor
from model.system import native_notices_silenced

COUNTS = (9, 13, 17, 21, 25, 35, 50, 100, 200)
"""Images to try; a conversion takes some seconds."""


def shown_images(
    training: ImageSet, validation: ImageSet, others: Collections | None
) -> tuple[ImageArray, ImageArray]:
    """Images to calibrate on, and those whose answers are compared, other collections with them."""
    if others is None:
        return training.images, validation.images
    parts = {name: others.part(name).images for name in ("training", "validation")}
    return (
        np.concatenate([training.images, parts["training"]]),
        np.concatenate([validation.images, parts["validation"]]),
    )


def choose_calibration(
    model: keras.Model,
    training: ImageArray,
    judges: ImageArray,
    *,
    counts: Sequence[int] = COUNTS,
) -> tuple[NDArray[np.float32], list[dict[str, float]]]:
    """Converts with each number of calibration images and keeps what answers most like Keras.

    Args:
        model: The folded network.
        training: uint8 (n, 224, 224, 1), classes in turn, to calibrate on.
        judges: uint8 (m, 224, 224, 1), whose answers are compared; no labels are needed.
        counts: Numbers of images to try.

    Returns:
        The images of the number with the most equal labels and, among equals, the smallest
        mean difference of probabilities, as `convert` wants them; and for each number `images`
        and the figures of `model.predictors.agreement`.

    Raises:
        ValueError: As `calibration_images`.
    """
    reference: NDArray[np.float32] | None = None
    tried: list[tuple[NDArray[np.float32], dict[str, float]]] = []
    for count in counts:
        calibration = calibration_images(training, count)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            export(model, {}, folder, quantization="int8", calibration=calibration)
            if reference is None:
                keras_file = folder / f"{MODEL_NAME}.keras"
                reference = keras_predictor(keras_file)(judges)
            with native_notices_silenced():
                classifier = Classifier.load(folder / f"{MODEL_NAME}.tflite", calibrated=False)
        found = agreement(reference, litert_predictor(classifier)(judges))
        tried.append((calibration, {"images": len(calibration), **found}))
    chosen = max(tried, key=lambda pair: _likeness(pair[1]))
    return chosen[0], [found for _, found in tried]


def _likeness(found: dict[str, float]) -> tuple[float, float]:
    return found["same_label"], -found["mean_probability_difference"]
