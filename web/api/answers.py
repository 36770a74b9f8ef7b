"""How predictions and heat maps read in JSON: the same for samples and uploads."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask_babel import gettext

from model.inference.answer_text import reason, verdict
from model.inference.heat_map import Explanation
from model.inference.prediction import Prediction, answer_fields
from web.service.predictions import ClassifierLike

DECIMALS = 4  # of a heat map's values
# The numbers themselves, once: a map has ten thousand, a request up to 64 maps.
_LEVELS = [round(level / 10**DECIMALS, DECIMALS) for level in range(10**DECIMALS + 1)]


def prediction_fields(found: Prediction) -> dict[str, Any]:
    """What the API says of one prediction; see ``web.api.schemas.PredictionSchema``."""
    answer = answer_fields(found, verdict(found, gettext), reason(found, gettext))
    return answer | {"explanation": explanation_fields(found.explanation)}


def model_fields(classifier: ClassifierLike) -> dict[str, str]:
    """Which network answered; see ``web.api.schemas.ModelSchema``."""
    return {
        "name": classifier.name,
        "version": classifier.version,
        "sha256": classifier.sha256,
    }


def explanation_fields(found: Explanation | None) -> dict[str, Any] | None:
    """A heat map, row by row from the top; see ``web.api.schemas.ExplanationSchema``."""
    if found is None:
        return None
    height, width = found.values.shape
    levels = np.rint(found.values * np.float64(10**DECIMALS)).astype(np.int64)
    rows = [[_LEVELS[level] for level in row] for row in levels.tolist()]
    return {
        "class": found.label,
        "method": found.method,
        "width": width,
        "height": height,
        "values": rows,
    }
