"""The sections `calibration`, `finding`, `kinds` and `ood` of `evaluation.json`.

The constants were chosen on validation images (`model.export.fit_trust`); here they are applied, as
the server applies them, to sets of images that had no part in choosing them, and to validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from data.dataset.image_set import ImageSet
from model.inference.classifier import Classifier
from model.inference.temperature import softmax
from model.inference.trust import RULE, VERY_LIKELY, Trust
from model.metrics.calibration import calibration_figures
from model.metrics.decisions import COVERAGE, RIGHT, finding_figures, kind_figures
from model.predictors import network_outputs

REPORTED = ("validation", "test", "test_unseen", "phantoms", "gallery")


def trust_sections(classifier: Classifier, sets: Mapping[str, ImageSet]) -> dict[str, Any]:
    """Figures of the calibrated network.

    Args:
        classifier: The exported network with its constants.
        sets: Images by name; those in `REPORTED` are looked at.

    Returns:
        JSON-ready: `calibration` (`temperature`, `ceiling`, and for each set the figures `before`
        and `after`), `finding` (`threshold`, `very_likely` and the sets of
        `model.metrics.decisions.finding_figures`), `kinds` (`threshold`, and of `kind_figures`)
        and `ood` (`threshold`, and for each set of brain MRIs the share `kept`).
    """
    trust = classifier.trust
    if trust is None:
        raise ValueError("`classifier` must have been loaded with its constants. Received: without")
    sections: dict[str, Any] = {
        "calibration": {"temperature": trust.temperature, "ceiling": trust.ceiling, "sets": {}},
        "finding": {
            "rule": RULE, "threshold": trust.finding_threshold, "very_likely": VERY_LIKELY,
            "right_wanted": RIGHT, "sets": {},
        },
        "kinds": {"threshold": trust.kind_threshold, "coverage_wanted": COVERAGE, "sets": {}},
        "ood": {"threshold": trust.ood_threshold, "sets": {}},
    }  # fmt: skip
    for name in (name for name in REPORTED if name in sets):
        figures = _set_sections(classifier, trust, sets[name])
        for section, found in figures.items():
            sections[section]["sets"][name] = found
    return sections


def _set_sections(classifier: Classifier, trust: Trust, images: ImageSet) -> dict[str, Any]:
    logits, features = network_outputs(classifier, images.images)
    after = trust.calibrated(logits)
    judged = [trust.judge(row, seen) for row, seen in zip(logits, features, strict=True)]
    answered = np.array([found.finding is not None for found in judged])
    return {
        "calibration": {
            "before": calibration_figures(softmax(logits), images.labels),
            "after": calibration_figures(after, images.labels),
        },
        "finding": finding_figures(after, images.labels, answered),
        "kinds": kind_figures(images.labels, trust.plausible(after)),
        "ood": {
            "images": len(images),
            "kept": float(np.mean([found.in_distribution for found in judged])),
        },
    }
