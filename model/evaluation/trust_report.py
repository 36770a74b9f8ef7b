"""The sections `calibration`, `conformal` and `ood` of `evaluation.json`.

The constants were chosen on validation images (`model.export.fit_trust`); here they are applied, as
the server applies them, to sets of images that had no part in choosing them, and to validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.dataset.image_set import ImageSet
from model.config import CLASS_NAMES
from model.inference.classifier import Classifier
from model.inference.temperature import soften
from model.inference.trust import RULE
from model.metrics.calibration import calibration_figures
from model.metrics.conformal import COVERAGE, conformal_figures
from model.predictors import network_outputs

REPORTED = ("validation", "test", "test_unseen", "phantoms", "gallery")


def trust_sections(classifier: Classifier, sets: Mapping[str, ImageSet]) -> dict[str, Any]:
    """Figures of the calibrated network.

    Args:
        classifier: The exported network with its constants.
        sets: Images by name; those in `REPORTED` are looked at.

    Returns:
        JSON-ready: `calibration` (`temperature`, and for each set the figures `before` and
        `after` it), `conformal` (`coverage_wanted`, `thresholds`, `sets`) and `ood`
        (`threshold`, and for each set of brain MRIs the share `kept`, the share `answered`, and
        `accuracy_of_answered`, null where none was).
    """
    trust = classifier.trust
    if trust is None:
        raise ValueError("`classifier` must have been loaded with its constants. Received: without")
    calibration: dict[str, Any] = {"temperature": trust.temperature, "sets": {}}
    conformal: dict[str, Any] = {
        "coverage_wanted": COVERAGE,
        "thresholds": dict(zip(CLASS_NAMES, trust.set_thresholds.tolist(), strict=True)),
        "sets": {},
    }
    ood: dict[str, Any] = {"rule": RULE, "threshold": trust.ood_threshold, "sets": {}}
    for name in REPORTED:
        if name not in sets:
            continue
        labels = sets[name].labels
        before, features = network_outputs(classifier, sets[name].images)
        after = soften(before, trust.temperature)
        calibration["sets"][name] = {
            "before": calibration_figures(before, labels),
            "after": calibration_figures(after, labels),
        }
        conformal["sets"][name] = conformal_figures(
            after, labels, trust.set_thresholds, CLASS_NAMES
        )
        judged = [trust.judge(p, f) for p, f in zip(before, features, strict=True)]
        answered = np.array([not j.abstained for j in judged])
        right = before.argmax(axis=1) == labels
        ood["sets"][name] = {
            "images": len(labels),
            "kept": float(np.mean([j.in_distribution for j in judged])),
            "answered": float(answered.mean()),
            "accuracy_of_answered": float(right[answered].mean()) if answered.any() else None,
        }
    return {"calibration": calibration, "conformal": conformal, "ood": ood}
