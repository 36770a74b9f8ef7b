"""Which samples a page shows: its filters, and the neighbours of a sample among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model.config import CLASS_NAMES
from web.gallery import Gallery, Sample
from web.predictions import Predictions

RESULTS = ("right", "wrong")


class FilterError(ValueError):
    """A filter value that is not allowed; the message names the filter and what it may be."""


@dataclass(frozen=True)
class Filters:
    """``label``: one of CLASS_NAMES; ``result``: "right" or "wrong"; None stands for all."""

    label: str | None = None
    result: str | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Filters:
        """Reads ``class`` and ``result``; an empty value means all.

        Raises:
            FilterError: a value is not allowed.
        """
        return cls(_choice(query, "class", CLASS_NAMES), _choice(query, "result", RESULTS))

    @property
    def query(self) -> dict[str, str]:
        """What to put into a URL to keep these filters."""
        pairs = {"class": self.label, "result": self.result}
        return {name: value for name, value in pairs.items() if value}


def select(gallery: Gallery, predictions: Predictions, filters: Filters) -> list[Sample]:
    """The samples that pass ``filters``, in order; unread ones are neither right nor wrong."""
    return [
        sample
        for sample in gallery.samples.values()
        if filters.label in (None, sample.true_label)
        and (filters.result is None or predictions.result(sample) == filters.result)
    ]


def neighbours(gallery: Gallery, selected: list[Sample], current: Sample) -> tuple[Sample, Sample]:
    """The samples before and after ``current`` among ``selected``, going round at the ends.

    ``current`` need not be selected: its place is then the one it has in the whole gallery.
    """
    order = {sample_id: place for place, sample_id in enumerate(gallery.samples)}
    others = [sample for sample in selected if sample.id != current.id] or [current]
    here = order[current.id]
    before = [sample for sample in others if order[sample.id] < here] or others
    after = [sample for sample in others if order[sample.id] > here] or others
    return before[-1], after[0]


def _choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str | None:
    value = query.get(name, "")
    if not value:
        return None
    if value not in allowed:
        raise FilterError(
            f"`{name}` must be one of {', '.join(allowed)}. Received: {value[:80]!r}."
        )
    return value
