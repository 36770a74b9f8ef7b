"""Rows of a batch: one for each picture, slice or frame, or for a file that cannot be read.

Data contract: a row is a dict with the keys of `COLUMNS`, of plain values ready for JSON; where
`error` is not None, all that the network would have said is None. Nothing in a row depends on the
machine's speed, so that two runs give equal rows.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.batch.sources import Source, read_source
from model.config import CLASS_NAMES
from model.inference.answer_text import reason, verdict
from model.inference.classifier import Classifier
from model.inference.prediction import Prediction, answer_fields
from model.preprocessing import ImageError, prepare
from model.reading.open_scan import read_scan

PROBABILITY = "probability_"
ANSWER = (
    "verdict", "finding", "likelihood", "tumor_probability", "kind",
    "label", "confidence", *(PROBABILITY + name for name in CLASS_NAMES), "prediction_set",
    "abstained", "reason", "in_distribution", "ood_score", "ood_threshold",
)  # fmt: skip
"""What the network says; the names are the API's."""
COLUMNS = ("path", "sha256", "plane", "slice", *ANSWER, "error", "model_sha256")
Look = Callable[[NDArray[np.float32]], dict[str, Any]]
"""What else to say of a prepared picture, float32 (224, 224, 1), in its row."""
_DAMAGE = (OSError, ValueError, MemoryError, struct.error, zlib.error)


def rows_of(
    source: Source,
    classifier: Classifier,
    plane: str | None,
    middle: bool = False,
    look: Look | None = None,
) -> Iterator[dict[str, Any]]:
    """Classifies every slice of a source.

    Args:
        source: What to read.
        classifier: Loaded with its constants.
        plane: How to cut volumes; None for as their slices were acquired.
        middle: Whether to take the middle slice alone.
        look: Adds to the rows of what can be read.

    Yields:
        Rows, with `milliseconds` of the inference on top of `COLUMNS`; a row with an error for a
        slice, or for the whole source, that cannot be read.
    """
    common = {"path": source.label, "sha256": None, "plane": None, "slice": None}
    try:
        content = read_source(source)
        common["sha256"] = hashlib.sha256(content).hexdigest()
        scan = read_scan(content)
        slices = scan.slices(plane if scan.planes else None, None if middle else "all")
    except _DAMAGE as error:
        yield failed(common, error, classifier.sha256)
        return
    for one in slices:
        place = common | {"plane": one.plane, "slice": one.number}
        try:
            image = prepare(one.pixels())
            found = classifier.predict(image).doubted(scan.doubt)
        except _DAMAGE as error:
            yield failed(place, error, classifier.sha256)
        else:
            yield _answered(place, found, classifier.sha256) | (look(image) if look else {})


def failed(place: dict[str, Any], error: Exception | str, model: str) -> dict[str, Any]:
    """The row of what cannot be read."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else error
    text = str(said) or type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, ImageError):
        text = f"The file could not be read: {text}."
    answer = dict.fromkeys((*ANSWER, "milliseconds"))
    return place | answer | {"error": text, "model_sha256": model}


def _answered(place: dict[str, Any], found: Prediction, model: str) -> dict[str, Any]:
    answer = answer_fields(found, verdict(found), reason(found))
    shares = {PROBABILITY + name: value for name, value in answer.pop("probabilities").items()}
    return place | answer | shares | {"error": None, "model_sha256": model}


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON lines have it: the probabilities in one object, as in the API."""
    plain = {}
    for name, value in row.items():
        if not name.startswith(PROBABILITY):
            plain[name] = value
        elif row["error"] is None:
            plain.setdefault("probabilities", {})[name.removeprefix(PROBABILITY)] = value
        else:
            plain["probabilities"] = None
    return plain


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """The reverse of `nested`."""
    shares = row.get("probabilities") or dict.fromkeys(CLASS_NAMES)
    return {
        name: shares[name.removeprefix(PROBABILITY)] if name.startswith(PROBABILITY) else row[name]
        for name in COLUMNS
    }
