"""What to make of an answer: THE one place with the rules for it, and their constants.

First the picture: does it look like a brain MRI? Then the finding: is there a tumor? Then its kind,
where that is clear. NumPy alone, for the server. The constants are `trust.npz` beside the model,
made by `python -m model calibrate`; the file is listed with its hash in `metadata.json`.

Data contract: logits float (4,) as the network gives them; features float (512,): mean and
standard deviation of each of the 256 channels of its finest deep map (14 x 14 cells).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.config import CLASS_NAMES, NO_TUMOUR
from model.inference.model_files import ModelFileError
from model.inference.temperature import softmax

TRUST_FILE = "trust.npz"
RULE = (
    "The network abstains when the picture does not look like a brain MRI to it, "
    "or when it cannot tell whether there is a tumor."
)
"""The rule of `finding_of` in plain words, as the page shows it."""
VERY_LIKELY = 0.95
"""A finding of at least this probability is said to be very likely, any other likely."""
KINDS = tuple(k for k in range(len(CLASS_NAMES)) if k != NO_TUMOUR)
"""The classes that are tumors."""
TUMOR, NO_TUMOR = "tumor", CLASS_NAMES[NO_TUMOUR]
_EVEN = np.where(np.arange(len(CLASS_NAMES)) == NO_TUMOUR, 1 / 2, 1 / 2 / len(KINDS))
"""Where nothing is known: even between a tumor and none, and among the kinds."""


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
    def finding(self) -> str | None:
        """As `finding_of`."""
        return finding_of([CLASS_NAMES[k] for k in self.members], self.in_distribution)


def finding_of(plausible: Sequence[str], in_distribution: bool) -> str | None:
    """Whether there is a tumor: "tumor", "notumor", or None where the network abstains (`RULE`).

    Args:
        plausible: Names of the classes that remain plausible, at least one.
        in_distribution: Whether the picture looks like a brain MRI.
    """
    if not in_distribution:
        return None
    if NO_TUMOR not in plausible:
        return TUMOR
    return NO_TUMOR if len(plausible) == 1 else None


@dataclass(frozen=True)
class Trust:
    """The constants.

    Attributes:
        temperature: Divides the logits.
        ceiling: The largest probability that is claimed, where the calibration data end.
        finding_threshold: Probability, at least 0.5, from which a tumor counts as found; and from
            which no tumor does.
        kind_threshold: Share of the tumors' probability from which a kind remains plausible.
        mean, whitener: float32 (features,) and (features, features): a picture's score is the
            root mean square of (features - mean) @ whitener, its Mahalanobis distance.
        ood_threshold: Scores above it are not brain MRIs.
    """

    temperature: float
    ceiling: float
    finding_threshold: float
    kind_threshold: float
    mean: NDArray[np.float32]
    whitener: NDArray[np.float32]
    ood_threshold: float

    def judge(self, logits: NDArray[Any], features: NDArray[np.float32]) -> Judgement:
        """Judges one answer.

        Args:
            logits: float (classes,), the network's.
            features: float32 (features,), the network's.
        """
        calibrated = self.calibrated(logits)
        inside = self.plausible(calibrated[np.newaxis])[0]
        order = np.argsort(-calibrated, kind="stable")
        score = float(self.scores(features[np.newaxis])[0])
        return Judgement(
            probabilities=calibrated,
            members=tuple(int(k) for k in order if inside[k]),
            in_distribution=score <= self.ood_threshold,  # False for NaN
            ood_score=score,
            ood_threshold=self.ood_threshold,
        )

    def calibrated(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Calibrated probabilities: float (..., classes) to float64 of the same shape.

        Where nothing is known the answer would be even; a share of that is mixed in, so that the
        probability of a tumor stays between 1 - `ceiling` and `ceiling`. The order stays.
        """
        share = 2 * (1 - self.ceiling)
        return np.asarray((1 - share) * softmax(logits, self.temperature) + share * _EVEN)

    def plausible(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Classes that remain plausible: float64 (n, classes), calibrated, to bool (n, classes).

        No tumor remains unless a tumor is found, the kinds unless none is. Of the kinds the most
        probable one remains, and each with at least `kind_threshold` of the tumors' probability.
        """
        tumor = 1 - probabilities[:, NO_TUMOUR]
        kinds = probabilities[:, KINDS]
        leading = kinds == kinds.max(axis=1, keepdims=True)
        inside = np.empty(probabilities.shape, dtype=np.bool_)
        inside[:, KINDS] = leading | (kinds >= self.kind_threshold * tumor[:, np.newaxis])
        inside[tumor <= 1 - self.finding_threshold] = False
        inside[:, NO_TUMOUR] = tumor < self.finding_threshold
        return inside

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
            **{name: np.float64(getattr(self, name)) for name in NUMBERS},  # type: ignore[arg-type]
            mean=self.mean.astype(np.float32),
            whitener=self.whitener.astype(np.float16),
        )
        return buffer.getvalue()


NUMBERS = ("temperature", "ceiling", "finding_threshold", "kind_threshold", "ood_threshold")
"""The constants that are single numbers."""


def load_trust(content: bytes, path: Path, features: int) -> Trust:
    """Reads the content of a `trust.npz`.

    Raises:
        ModelFileError: It is damaged, or was made for another network.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            trust = Trust(
                **{name: float(saved[name]) for name in NUMBERS},
                mean=saved["mean"].astype(np.float32),
                whitener=saved["whitener"].astype(np.float32),
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise ModelFileError(f"The constants {path} cannot be read: {error}.") from error
    shapes = (trust.mean.shape, trust.whitener.shape)
    if shapes != ((features,), (features, features)):
        raise ModelFileError(
            f"The constants {path} must be of {features} features; "
            f"their shapes are {', '.join(map(str, shapes))}."
        )
    return trust
