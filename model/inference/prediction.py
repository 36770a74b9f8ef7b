"""What the network says of one image, and as plain values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from model.inference.heat_map import Explanation
from model.inference.trust import NO_TUMOR, TUMOR, VERY_LIKELY, finding_of


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image.

    Attributes:
        label: Name of the most probable class, also where it abstains.
        confidence: Its probability, in [0, 1].
        probabilities: Calibrated probability of each class, in the order of the network's outputs.
        milliseconds: Time of the inference alone.
        prediction_set: Names of the classes that remain plausible, the most probable first; at
            least one.
        in_distribution: Whether the picture looks like a brain MRI.
        ood_score, ood_threshold: Distance from brain MRIs, and the largest that passes for one.
        explanation: Where the evidence lies, if it was asked for.
        doubt: Why the file is no brain MRI of one head, whatever its pixels look like: one of
            `model.inference.answer_text.DOUBTS`.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]
    milliseconds: float
    prediction_set: tuple[str, ...]
    in_distribution: bool
    ood_score: float
    ood_threshold: float
    explanation: Explanation | None = None
    doubt: str | None = None

    def doubted(self, doubt: str | None) -> Prediction:
        """The same, abstained from where there is a doubt."""
        if doubt is None:
            return self
        return replace(self, in_distribution=False, doubt=doubt)

    @property
    def tumor_probability(self) -> float:
        """1 minus the probability of no tumor."""
        return 1 - self.probabilities[NO_TUMOR]

    @property
    def finding(self) -> str | None:
        """ "tumor", "notumor", or None where the network abstains."""
        return finding_of(self.prediction_set, self.in_distribution)

    @property
    def likelihood(self) -> str | None:
        """How probable the finding is: "very likely" or "likely"; None without a finding."""
        if self.finding is None:
            return None
        tumor = self.tumor_probability
        return "very likely" if max(tumor, 1 - tumor) >= VERY_LIKELY else "likely"

    @property
    def kind(self) -> str | None:
        """The kind of tumor that was found, where it is clear."""
        clear = self.finding == TUMOR and len(self.prediction_set) == 1
        return self.prediction_set[0] if clear else None

    @property
    def abstained(self) -> bool:
        """Whether the answer should not be relied on: `model.inference.trust.RULE`."""
        return self.finding is None


def answer_fields(found: Prediction, verdict: str, reason: str | None) -> dict[str, Any]:
    """An answer as plain values ready for JSON, the heat map left out.

    Args:
        found: The answer.
        verdict: What it comes to, in words.
        reason: Why the network abstains, in words; None where it does not.
    """
    return {
        "verdict": verdict,
        "finding": found.finding,
        "likelihood": found.likelihood,
        "tumor_probability": found.tumor_probability,
        "kind": found.kind,
        "label": found.label,
        "confidence": found.confidence,
        "probabilities": found.probabilities,
        "prediction_set": list(found.prediction_set),
        "abstained": found.abstained,
        "reason": reason,
        "in_distribution": found.in_distribution,
        "ood_score": found.ood_score,
        "ood_threshold": found.ood_threshold,
        "milliseconds": found.milliseconds,
    }
