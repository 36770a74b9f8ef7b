"""The first release's file on other collections: how it is asked, and what is counted."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.network.first_release import measure, probabilities_of, served_file
from data.dataset.collections import TUMOR, Collections
from data.dataset.image_set import ImageSet
from model.config import NO_TUMOUR


@pytest.fixture(scope="module")
def by_brightness() -> bytes:
    """A file that calls bright images glioma and dark ones none, and gives its input besides."""
    inputs = keras.Input((224, 224, 1))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    said = keras.layers.Dense(4, activation="softmax")
    model = keras.Model(inputs, [said(mean), mean])
    said.set_weights([np.array([[40.0, 0.0, -40.0, 0.0]]), np.array([-20.0, -60.0, 20.0, -60.0])])
    content: bytes = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return content


def shades(*levels: int) -> np.ndarray:
    return np.tile(np.array(levels, np.uint8)[:, None, None, None], (1, 224, 224, 1))


def test_what_it_says_is_read_image_by_image(by_brightness: bytes) -> None:
    found = probabilities_of(by_brightness, shades(255, 0, 140))
    assert found.shape == (3, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    assert found.argmax(axis=1).tolist() == [0, NO_TUMOUR, 0]


def test_tumors_healthy_heads_and_certain_misses_are_counted(by_brightness: bytes) -> None:
    names = ("a/tumor/1.png", "a/tumor/2.png", "a/notumor/1.png", "b/tumor/3.png", "b/tumor/4.png")
    labels = np.array([TUMOR, TUMOR, NO_TUMOUR, TUMOR, TUMOR])
    empty = np.zeros((5, 1, 1), np.uint8)
    # 126 is just below the middle: missed, but not with certainty
    report = Collections(shades(255, 0, 0, 255, 126), labels, empty, np.ones(5, bool), names, "h")
    test = ImageSet(shades(0, 255, 255, 0), np.array([2, 0, 1, 2]), tuple("wxyz"), "h")
    found = measure(by_brightness, report, test)
    assert (found["images"], found["people"]) == (5, 4)
    assert found["official"] == {"images": 4, "accuracy": 0.75}
    a, b = found["sets"]["a"], found["sets"]["b"]
    assert (a["sensitivity"], a["specificity"], a["missed_with_certainty"]) == (0.5, 1.0, 0.5)
    assert (b["sensitivity"], b["specificity"], b["missed_with_certainty"]) == (0.5, None, 0.0)
    assert found["mean"] == {
        "sensitivity": 0.5, "specificity": 1.0, "balanced": (0.75 + 0.5) / 2,
        "missed_with_certainty": 0.25,
    }  # fmt: skip


def test_a_commit_that_is_not_there_is_said() -> None:
    with pytest.raises(RuntimeError, match=r"git fetch --unshallow`\. Received: fatal:"):
        served_file("0123456")
