"""Fits the constants of `model.inference.trust`: `python -m model calibrate`.

The detector's Gaussian is fitted on training images of the dataset and of other collections and on
training phantoms; temperature and thresholds on people held out of all of them together (the
detector's on further phantoms with training seeds too). No image of a test or report is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset.collections import Collections, load_collections, person_of
from data.dataset.image_set import ImageSet
from data.phantoms.sets import make_phantoms
from model.config import CLASS_NAMES, MODEL_NAME, NO_TUMOUR, TrainingConfig
from model.inference.classifier import Classifier
from model.inference.temperature import softmax
from model.inference.trust import NUMBERS, TRUST_FILE, Trust
from model.metrics.calibration import fit_temperature
from model.metrics.decisions import (
    COVERAGE,
    RIGHT,
    fit_ceiling,
    fit_finding_threshold,
    fit_kind_threshold,
)
from model.predictors import network_outputs
from model.reports.elsewhere import CERTAIN
from model.system import file_hash

KEPT = 0.99
"""Share of the dataset's validation images, of the other collections' and of phantoms that the
detector's threshold keeps."""
LEAST_TEMPERATURE = 1.0
"""Validation alone would sharpen what hard draws left unsure, as its people are of the collections
that were trained on. A stranger's picture is not, and would be missed with certainty."""
MISSED = 0.01
"""Share of the held-out tumors, mean over the collections, that may be missed with certainty: a
third of what is wanted of strangers' pictures."""
HIGHEST_TEMPERATURE = 5.0
MARGIN = 1.03
"""How far the threshold lies above that quantile: no development picture more passes than at 1."""
COUNTED = 50
"""A group (tumors, or healthy heads, of one collection) counts as at most so many images."""
FITTED_PHANTOMS, CHECKED_PHANTOMS = 75, 50  # of each class


def fit_gaussian(
    features: NDArray[np.floating[Any]],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and whitener of features, float (n, d): (d,) and (d, d).

    The covariance is that of the standardised features, shrunk as Ledoit and Wolf (2004) say.
    """
    from sklearn.covariance import ledoit_wolf

    centre, spread = features.mean(axis=0), features.std(axis=0)
    scale = 1.0 / np.maximum(spread, 1e-3 * max(float(spread.max()), 1e-12))
    covariance, _ = ledoit_wolf((features - centre) * scale, assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors / np.sqrt(np.maximum(values, 1e-9))) @ vectors.T
    return centre.astype(np.float32), (scale[:, np.newaxis] * root).astype(np.float32)


def fit_trust(
    classifier: Classifier,
    training: ImageSet,
    validation: ImageSet,
    others: Collections | None = None,
) -> tuple[Trust, dict[str, Any]]:
    """Fits all constants.

    Args:
        classifier: The exported network.
        training, validation: Images of the run.
        others: Other collections, of which the report's people are not looked at.

    Returns:
        The constants, and what `metadata.json` says of them.
    """
    learned: list[ImageSet | Collections] = [training]
    held: list[ImageSet | Collections] = [validation]
    if others is not None:
        learned.append(others.part("training"))
        held.append(others.part("validation"))
    seen = [network_outputs(classifier, part.images) for part in held]
    mean, whitener, threshold = _fit_detector(classifier, learned, [rows for _, rows in seen])
    logits = np.concatenate([rows for rows, _ in seen])
    labels = np.concatenate([part.labels for part in held])
    weights = even_weights(held)
    temperature = cautious_temperature(
        logits, labels, collections_of(held), fit_temperature(logits, labels, weights)
    )
    ceiling = fit_ceiling(softmax(logits, temperature), labels)
    trust = Trust(temperature, ceiling, 1.0, 0.0, mean, whitener, threshold)
    answers = trust.calibrated(logits)
    trust = replace(
        trust,
        finding_threshold=fit_finding_threshold(answers, labels, weights),
        kind_threshold=fit_kind_threshold(answers, labels),
    )
    return trust, {
        **{name: getattr(trust, name) for name in NUMBERS},
        "right_wanted": RIGHT,
        "kind_coverage_wanted": COVERAGE,
        "detector": "Mahalanobis distance of channel means and deviations of the 14 x 14 map",
        "kept_by_choice": KEPT,
        "margin": MARGIN,
        "images": {
            "training": len(training),
            "validation": len(validation),
            "other_training": sum(map(len, learned[1:])),
            "other_validation": sum(map(len, held[1:])),
            "phantoms_fitted": FITTED_PHANTOMS * len(CLASS_NAMES),
            "phantoms_checked": CHECKED_PHANTOMS * len(CLASS_NAMES),
        },
        "other_people_validation": len({person_of(n) for part in held[1:] for n in part.names}),
    }


def collections_of(held: Sequence[ImageSet | Collections]) -> NDArray[np.str_]:
    """The collection of each image, str (n,)."""
    return np.concatenate(
        [
            part.collections if isinstance(part, Collections) else np.full(len(part), "dataset")
            for part in held
        ]
    )


def cautious_temperature(
    logits: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    collections: NDArray[np.str_],
    fitted: float,
) -> float:
    """The lowest temperature, from the fitted one and `LEAST_TEMPERATURE`, that misses few surely.

    Args:
        logits: float (n, 4) of images of held-out people.
        labels: int (n,).
        collections: str (n,).
        fitted: The temperature with the highest likelihood.

    Returns:
        The lowest with at most `MISSED` tumors missed with certainty, else `HIGHEST_TEMPERATURE`.
    """
    tumor = labels != NO_TUMOUR
    there = [tumor & (collections == name) for name in np.unique(collections[tumor])]
    least = max(LEAST_TEMPERATURE, fitted)
    for temperature in np.geomspace(least, max(least, HIGHEST_TEMPERATURE), 100):
        certain = softmax(logits, float(temperature))[:, NO_TUMOUR] > CERTAIN
        if np.mean([certain[rows].mean() for rows in there] or 0.0) <= MISSED:
            break
    return float(temperature)


def even_weights(held: Sequence[ImageSet | Collections]) -> NDArray[np.float64]:
    """What each image counts, so that a large group does not drown the others: float64 (n,)."""
    names = collections_of(held)
    healthy = np.concatenate([part.labels == NO_TUMOUR for part in held])
    _, group, sizes = np.unique(
        np.stack([names, healthy.astype(names.dtype)]), axis=1,
        return_inverse=True, return_counts=True,
    )  # fmt: skip
    return np.asarray(np.minimum(1.0, COUNTED / sizes)[group])


def _fit_detector(
    classifier: Classifier,
    learned: Sequence[ImageSet | Collections],
    held: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Mean, whitener and threshold of `Trust`, from images and from features of held-out people."""
    seed = TrainingConfig().phantom_seed
    fitted = make_phantoms(FITTED_PHANTOMS, seed)
    checked = make_phantoms(CHECKED_PHANTOMS, seed + len(fitted))
    known = [network_outputs(classifier, part.images)[1] for part in (*learned, fitted)]
    mean, exact = fit_gaussian(np.concatenate(known).astype(np.float64))
    whitener = exact.astype(np.float16).astype(np.float32)  # as it is stored
    trust = Trust(1.0, 1.0, 1.0, 0.0, mean, whitener, np.inf)
    _, further = network_outputs(classifier, checked.images)
    quantiles = [float(np.quantile(trust.scores(rows), KEPT)) for rows in (*held, further)]
    return mean, whitener, MARGIN * max(quantiles)


def write_trust(trust: Trust, summary: dict[str, Any], artifacts: Path) -> None:
    """Writes `trust.npz` and names it in `metadata.json`, whose content stays otherwise."""
    path = artifacts / TRUST_FILE
    path.write_bytes(trust.to_bytes())
    described = artifacts / "metadata.json"
    metadata = json.loads(described.read_text(encoding="utf-8"))
    metadata["files"][TRUST_FILE] = {"sha256": file_hash(path), "bytes": path.stat().st_size}
    metadata["trust"] = summary
    described.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def calibrate(data: Path, artifacts: Path, also: Sequence[Path] = ()) -> dict[str, Any]:
    """Fits and writes the constants of the exported network in `artifacts`.

    Args:
        data: Dataset folder.
        artifacts: Folder with the exported files and `metadata.json`.
        also: Other collections, or folders of such.

    Returns:
        What the metadata now say of the constants.
    """
    from data.dataset.division import load_manifest
    from data.dataset.protocols import load_parts

    classifier = Classifier.load(artifacts / f"{MODEL_NAME}.tflite", calibrated=False)
    parts = load_parts(data, load_manifest(), "official")
    if parts.validation is None:
        raise ValueError("`data` must have validation images under `official`. Received: none")
    others = load_collections(also) if also else None
    trust, summary = fit_trust(classifier, parts.training, parts.validation, others)
    write_trust(trust, summary, artifacts)
    return summary
