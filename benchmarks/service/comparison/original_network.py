"""The layout that this project began with, for comparison: 11 convolutions, random weights.

Input: float32 (batch, 224, 224, 3) in [0, 1]. Output: float32 (batch, 4), probabilities.
"""

from __future__ import annotations

import keras
from keras import layers

from model.config import CLASS_NAMES, IMAGE_SIZE, PARAMETER_COUNT

FILTERS = (128, 128, 128, 256, 256, 256, 256, 128, 128, 64, 64)
POOLED_AFTER = (3, 5, 7, 9, 11)
HIDDEN = (256, 128, 64, 32)


def build_original() -> keras.Model:
    """Builds it.

    Raises:
        RuntimeError: It has not the 3,763,940 parameters of the original.
    """
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3))
    x = inputs
    for number, filters in enumerate(FILTERS, 1):
        x = layers.Conv2D(filters, 3, padding="same", activation="elu")(x)
        if number in POOLED_AFTER:
            x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)  # (batch, 7 * 7 * 64)
    for units in HIDDEN:
        x = layers.Dense(units, activation="elu")(x)
    outputs = layers.Dense(len(CLASS_NAMES), activation="softmax")(x)
    model = keras.Model(inputs, outputs)
    if model.count_params() != PARAMETER_COUNT:
        raise RuntimeError(f"{model.count_params():,} parameters instead of {PARAMETER_COUNT:,}")
    return model
