"""One answer for a series of slices: in how many neighbouring ones a tumor is seen.

A tumor goes through several slices; what is seen in one alone is as likely a mistake. The rule is
stated, not fitted: no collection of whole series was looked at for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.config import CLASS_NAMES, NO_TUMOUR
from model.inference.prediction import Prediction

NEEDED = 3
"""Neighbouring slices in which a tumor must be seen, at least."""
NEEDED_MILLIMETRES = 10.0
"""How far they must reach, where the distance of the slices is known."""
RULE = (
    "A tumor is seen in a slice that looks like a brain MRI and has a tumor probability above one "
    f"half. The series has one if that is so in {NEEDED} or more neighbouring slices that together "
    f"are {NEEDED_MILLIMETRES:.0f} mm thick or more; it has none if that is so in no slice, and "
    "half of the slices or more look like a brain MRI. Otherwise the answer is open."
)


@dataclass(frozen=True)
class SliceAnswer:
    """What the network says of one slice.

    Attributes:
        tumor: Probability of a tumor, in [0, 1].
        brain: Whether the slice looks like a brain MRI.
    """

    tumor: float
    brain: bool

    @classmethod
    def of(cls, found: Prediction) -> SliceAnswer:
        return cls(1 - found.probabilities[CLASS_NAMES[NO_TUMOUR]], found.in_distribution)

    @property
    def seen(self) -> bool:
        return self.brain and self.tumor > 0.5


@dataclass(frozen=True)
class SeriesAnswer:
    """What the slices come to; places count from 0, in the order of the series.

    Attributes:
        finding: "tumor", "notumor", or None where the answer is open.
        neighbours: Most neighbouring slices in which a tumor is seen.
        first, last: Places of the first and the last of them; None without.
        needed: How many of them the finding "tumor" takes.
        with_tumor: Slices in which a tumor is seen, neighbours or not.
        brain: Slices that look like a brain MRI.
        highest: Highest probability of a tumor among those; None without.
        highest_at: Its place.
    """

    finding: str | None
    neighbours: int
    first: int | None
    last: int | None
    needed: int
    with_tumor: int
    brain: int
    highest: float | None
    highest_at: int | None


def needed_slices(gap: float | None) -> int:
    """How many neighbouring slices a finding takes.

    Args:
        gap: Millimetres from one slice to the next, if that is known.
    """
    return NEEDED if not gap else max(NEEDED, math.ceil(round(NEEDED_MILLIMETRES / gap, 6)))


def answer_series(slices: Sequence[SliceAnswer | None], gap: float | None) -> SeriesAnswer:
    """One answer, by `RULE`.

    Args:
        slices: In the order of the series; None for one that could not be read.
        gap: As `needed_slices`.
    """
    best = run = 0
    last = None
    for place, one in enumerate(slices):
        run = run + 1 if one is not None and one.seen else 0
        if run > best:
            best, last = run, place
    brain = {k: one.tumor for k, one in enumerate(slices) if one is not None and one.brain}
    with_tumor = sum(one is not None and one.seen for one in slices)
    needed = needed_slices(gap)
    finding = None
    if best >= needed:
        finding = "tumor"
    elif not with_tumor and slices and 2 * len(brain) >= len(slices):
        finding = "notumor"
    highest_at = max(brain, key=lambda k: brain[k]) if brain else None
    return SeriesAnswer(
        finding=finding,
        neighbours=best,
        first=None if last is None else last - best + 1,
        last=last,
        needed=needed,
        with_tumor=with_tumor,
        brain=len(brain),
        highest=None if highest_at is None else brain[highest_at],
        highest_at=highest_at,
    )


def answer_fields(
    slices: Sequence[SliceAnswer | None], gap: float | None, names: Sequence[str]
) -> dict[str, Any]:
    """The answer ready for JSON.

    Args:
        slices, gap: As `answer_series`.
        names: What to call the slices.
    """
    found = answer_series(slices, gap)

    def name(place: int | None) -> str | None:
        return None if place is None else names[place]

    return {
        "finding": found.finding,
        "neighbors": found.neighbours,
        "neighbors_needed": found.needed,
        "first_neighbor": name(found.first),
        "last_neighbor": name(found.last),
        "slices_with_tumor": found.with_tumor,
        "highest_tumor_probability": found.highest,
        "highest_slice": name(found.highest_at),
        "slices_like_brain_mri": found.brain,
        "slices_not_readable": slices.count(None),
    }
