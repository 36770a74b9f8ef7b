"""Fits the constants of `model.inference.trust` on training and validation images.

The detector's Gaussian is fitted on training images and training phantoms; the temperature, the
sets' thresholds and the detector's threshold on validation images (the latter on further phantoms
with training seeds too). No test image is read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset.image_set import ImageSet
from data.phantoms.sets import make_phantoms
from model.config import CLASS_NAMES, MODEL_NAME, TrainingConfig
from model.inference.classifier import Classifier
from model.inference.temperature import soften
from model.inference.trust import TRUST_FILE, Trust
from model.metrics.calibration import fit_temperature
from model.metrics.conformal import COVERAGE, fit_thresholds
from model.predictors import network_outputs
from model.system import file_hash

KEPT = 0.99
"""Share of validation images, and of phantoms, that the detector's threshold keeps."""
MARGIN = 1.03
"""How far the threshold lies above that quantile: no development picture more passes than at 1."""
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
    classifier: Classifier, training: ImageSet, validation: ImageSet
) -> tuple[Trust, dict[str, Any]]:
    """Fits all constants.

    Args:
        classifier: The exported network.
        training, validation: Images of the run; only these are read.

    Returns:
        The constants, and what `metadata.json` says of them.
    """
    seed = TrainingConfig().phantom_seed
    fitted = make_phantoms(FITTED_PHANTOMS, seed)
    checked = make_phantoms(CHECKED_PHANTOMS, seed + len(fitted))
    answers, seen = network_outputs(classifier, validation.images)
    _, known = network_outputs(classifier, training.images)
    _, drawn = network_outputs(classifier, fitted.images)
    _, further = network_outputs(classifier, checked.images)
    mean, whitener = fit_gaussian(np.concatenate([known, drawn]).astype(np.float64))
    temperature = fit_temperature(answers, validation.labels)
    thresholds = fit_thresholds(soften(answers, temperature), validation.labels)
    stored = whitener.astype(np.float16).astype(np.float32)
    trust = Trust(temperature, thresholds, mean, stored, np.inf)
    quantiles = [float(np.quantile(trust.scores(rows), KEPT)) for rows in (seen, further)]
    trust = Trust(temperature, thresholds, mean, stored, MARGIN * max(quantiles))
    return trust, {
        "temperature": temperature,
        "coverage": COVERAGE,
        "set_thresholds": dict(zip(CLASS_NAMES, thresholds.tolist(), strict=True)),
        "detector": "Mahalanobis distance of channel means and deviations of the 14 x 14 map",
        "ood_threshold": trust.ood_threshold,
        "kept_by_choice": KEPT,
        "margin": MARGIN,
        "images": {
            "training": len(training),
            "validation": len(validation),
            "phantoms_fitted": len(fitted),
            "phantoms_checked": len(checked),
        },
    }


def write_trust(trust: Trust, summary: dict[str, Any], artifacts: Path) -> None:
    """Writes `trust.npz` and names it in `metadata.json`, whose content stays otherwise."""
    path = artifacts / TRUST_FILE
    path.write_bytes(trust.to_bytes())
    described = artifacts / "metadata.json"
    metadata = json.loads(described.read_text(encoding="utf-8"))
    metadata["files"][TRUST_FILE] = {"sha256": file_hash(path), "bytes": path.stat().st_size}
    metadata["trust"] = summary
    described.write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")


def calibrate(data: Path, artifacts: Path) -> dict[str, Any]:
    """Fits and writes the constants of the exported network in `artifacts`.

    Args:
        data: Dataset folder.
        artifacts: Folder with the exported files and `metadata.json`.

    Returns:
        What the metadata now say of the constants.
    """
    from data.dataset.division import load_manifest
    from data.dataset.protocols import load_parts

    classifier = Classifier.load(artifacts / f"{MODEL_NAME}.tflite", calibrated=False)
    parts = load_parts(data, load_manifest(), "official")
    if parts.validation is None:
        raise ValueError("`data` must have validation images under `official`. Received: none")
    trust, summary = fit_trust(classifier, parts.training, parts.validation)
    write_trust(trust, summary, artifacts)
    return summary
