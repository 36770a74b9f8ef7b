"""When to trust an answer: THE one place with the rule for abstaining, and its constants.

NumPy alone, for the server. The constants are `trust.npz` beside the model, made by
`python -m model calibrate`; the file is listed with its hash in `metadata.json`.

Data contract: probabilities float (4,) as the network gives them; features float (512,): mean and
standard deviation of each of the 256 channels of its finest deep map (14 x 14 cells).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.inference.temperature import soften

TRUST_FILE = "trust.npz"
RULE = (
    "The network abstains when the picture does not look like a brain MRI to it, "
    "or when more than one answer remains plausible."
)
"""The rule of `Trust.judge` in plain words, as the page shows it."""
FILL = 0.95
"""Probability that the classes of a set reach together where none reaches its own threshold."""


class TrustFileError(RuntimeError):
    """The constants cannot be used; one sentence that says why."""


@dataclass(frozen=True)
class Judgement:
    """What to make of one answer.

    Attributes:
        probabilities: float64 (classes,), calibrated.
        members: Indices of the classes that remain plausible, the most probable first; at
            least one.
        in_distribution: Whether the picture looks like a brain MRI.
        ood_score: How far its features lie from those of brain MRIs.
        ood_threshold: The largest score with which it still looks like one.
    """

    probabilities: NDArray[np.float64]
    members: tuple[int, ...]
    in_distribution: bool
    ood_score: float
    ood_threshold: float

    @property
    def abstained(self) -> bool:
        """The rule: not a brain MRI, or more than one class remains."""
        return not self.in_distribution or len(self.members) > 1


@dataclass(frozen=True)
class Trust:
    """The constants.

    Attributes:
        temperature: Divides the log-probabilities.
        set_thresholds: float64 (classes,): largest 1 - probability with which a class is in the
            prediction set.
        mean, whitener: float32 (features,) and (features, features): a picture's score is the
            root mean square of (features - mean) @ whitener, its Mahalanobis distance.
        ood_threshold: Scores above it are not brain MRIs.
    """

    temperature: float
    set_thresholds: NDArray[np.float64]
    mean: NDArray[np.float32]
    whitener: NDArray[np.float32]
    ood_threshold: float

    def judge(self, probabilities: NDArray[Any], features: NDArray[np.float32]) -> Judgement:
        """Judges one answer.

        Args:
            probabilities: float (classes,), the network's.
            features: float32 (features,), the network's.
        """
        calibrated = soften(probabilities, self.temperature)
        inside = prediction_sets(calibrated[np.newaxis], self.set_thresholds)[0]
        order = np.argsort(-calibrated, kind="stable")
        score = float(self.scores(features[np.newaxis])[0])
        return Judgement(
            probabilities=calibrated,
            members=tuple(int(k) for k in order if inside[k]),
            in_distribution=score <= self.ood_threshold,  # False for NaN
            ood_score=score,
            ood_threshold=self.ood_threshold,
        )

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance from brain MRIs: features float32 (n, features) to float32 (n,)."""
        white = (features - self.mean) @ self.whitener
        distances: NDArray[np.float32] = np.sqrt(np.mean(white * white, axis=1))
        return distances

    def to_bytes(self) -> bytes:
        """The content of `trust.npz`; matrices are kept as float16."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            temperature=np.float64(self.temperature),
            set_thresholds=self.set_thresholds.astype(np.float64),
            mean=self.mean.astype(np.float32),
            whitener=self.whitener.astype(np.float16),
            ood_threshold=np.float64(self.ood_threshold),
        )
        return buffer.getvalue()


def prediction_sets(
    probabilities: NDArray[np.floating[Any]], thresholds: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """Classes that remain plausible: (n, classes) to bool (n, classes).

    A class remains where 1 minus its probability is at most its threshold. Two additions can only
    raise the coverage: a network that is right more often than the sets promise leaves some sets
    empty (no class is as probable as it usually is), and these hold the most probable classes that
    together reach `FILL` instead; and the most probable class remains in every set, since its
    threshold may be stricter than that of a less probable one, which would then stand alone.
    """
    inside: NDArray[np.bool_] = 1.0 - probabilities <= thresholds
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked  # mass of the classes that are more probable
    filled = np.zeros_like(inside)
    np.put_along_axis(filled, order, before < FILL, axis=1)
    empty = ~inside.any(axis=1, keepdims=True)
    inside[np.arange(len(inside)), order[:, 0]] = True
    return np.where(empty, filled, inside)


def load_trust(content: bytes, path: Path, classes: int, features: int) -> Trust:
    """Reads the content of a `trust.npz`.

    Raises:
        TrustFileError: It is damaged, or was made for another network.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            trust = Trust(
                float(saved["temperature"]),
                saved["set_thresholds"].astype(np.float64),
                saved["mean"].astype(np.float32),
                saved["whitener"].astype(np.float32),
                float(saved["ood_threshold"]),
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise TrustFileError(f"The constants {path} cannot be read: {error}.") from error
    shapes = (trust.set_thresholds.shape, trust.mean.shape, trust.whitener.shape)
    if shapes != ((classes,), (features,), (features, features)):
        raise TrustFileError(
            f"The constants {path} must be of {classes} classes and {features} features; "
            f"their shapes are {', '.join(map(str, shapes))}."
        )
    return trust
