"""What is judged: one case a picture, whoever answered for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.batch.rows import PROBABILITY
from model.config import CLASS_NAMES, NO_TUMOUR
from model.judge.folders import TUMOR


@dataclass(frozen=True)
class Case:
    """A picture, its true class, and what a network said of it.

    Attributes:
        path: Where it lies, as `model.batch.sources.find_source` takes it.
        name: What the report calls it: its place below the folder that is judged.
        label: True class, an index into `model.judge.folders.LABELS`.
        said: The answer, an index into the same.
        probabilities: Of each class; None where the network gives none.
        tumor: Probability of a tumor; None where the network gives none.
        contrast, plane: Where known.
        slice: Of a file with several, the one that is judged.
        refused: Whether it was taken for no brain MRI; None where the network does not say.
        answered: Whether the network stands by its answer; None where it does not say.
        copy_of: The picture that the network may have learned from, and that this one is a copy
            of; None for a new picture.
        mirrored: Whether it is that picture's mirror image.
        picture: What the network saw, as a `data:` address, where nothing lies at `path`.
    """

    path: str
    name: str
    label: int
    said: int
    probabilities: tuple[float, ...] | None = None
    tumor: float | None = None
    contrast: str | None = None
    plane: str | None = None
    slice: int | None = None
    refused: bool | None = None
    answered: bool | None = None
    copy_of: str | None = None
    mirrored: bool = False
    picture: str | None = None

    @property
    def found(self) -> bool:
        """Whether a tumor is the likelier finding."""
        return self.said != NO_TUMOUR if self.tumor is None else self.tumor > 0.5

    @property
    def finding_right(self) -> bool:
        return self.found == (self.label != NO_TUMOUR)

    @property
    def right(self) -> bool:
        """Finding and, where the true kind is known and a kind was said, the kind."""
        kinds_known = self.label != TUMOR and self.said != TUMOR
        return self.finding_right and (not kinds_known or self.said == self.label)

    @property
    def confidence(self) -> float | None:
        """Probability of the finding where that is wrong, otherwise of the class said."""
        if self.tumor is None:
            return None
        if self.probabilities is not None and self.finding_right:
            return self.probabilities[self.said]
        return max(self.tumor, 1 - self.tumor)


def said_of(probabilities: Sequence[float]) -> tuple[int, float]:
    """The most probable class, and the probability of a tumor."""
    best = max(range(len(CLASS_NAMES)), key=lambda k: probabilities[k])
    return best, 1 - probabilities[NO_TUMOUR]


def case_of_row(row: dict[str, Any], **known: Any) -> Case:
    """The case of a row of `model.batch.rows` without an error.

    Args:
        row: Of a picture that was classified.
        known: `name`, `label` and whatever else is known of it.
    """
    probabilities = tuple(row[PROBABILITY + name] for name in CLASS_NAMES)
    said, tumor = said_of(probabilities)
    return Case(
        path=row["path"], said=said, probabilities=probabilities, tumor=tumor, slice=row["slice"],
        refused=not row["in_distribution"], answered=not row["abstained"], **known,
    )  # fmt: skip
