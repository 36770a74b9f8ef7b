"""Which samples a page shows, in which order, and the neighbours of a sample among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from model.config import CLASS_NAMES
from web.service.predictions import Predictions
from web.service.samples import Gallery, Sample

RESULTS = ("right", "wrong")
SURENESS = ("sure", "unsure")
SORTS = ("confidence", "-confidence")
"""Least sure first, and most sure first; by default as the gallery has them."""
MAX_SEARCH = 64
"""Characters, as many as an id may have."""


class FilterError(ValueError):
    """A filter value that is not allowed; the message names the filter and what it may be."""


@dataclass(frozen=True)
class Filters:
    """What is shown; None stands for all.

    Attributes:
        label: one of CLASS_NAMES, the sample's own; `class` in a query.
        result: "right" or "wrong".
        sure: "sure", or "unsure" where the network abstains.
        predicted: one of CLASS_NAMES, the most probable one.
        q: part of an id, in lower case.
        sort: one of SORTS; None is the gallery's own order.
    """

    label: str | None = None
    result: str | None = None
    sure: str | None = None
    predicted: str | None = None
    q: str | None = None
    sort: str | None = None

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Filters:
        """Reads a query; an empty value means all, and other parameters are left alone.

        Raises:
            FilterError: a value is not allowed.
        """
        return cls(
            label=_choice(query, "class", CLASS_NAMES),
            result=_choice(query, "result", RESULTS),
            sure=_choice(query, "sure", SURENESS),
            predicted=_choice(query, "predicted", CLASS_NAMES),
            q=_search(query),
            sort=_choice(query, "sort", SORTS),
        )

    @property
    def query(self) -> dict[str, str]:
        """What to put into a URL to keep these filters."""
        pairs = {
            "class": self.label,
            "result": self.result,
            "sure": self.sure,
            "predicted": self.predicted,
            "q": self.q,
            "sort": self.sort,
        }
        return {name: value for name, value in pairs.items() if value}

    def with_(self, name: str, value: str) -> Filters:
        """These filters with the query's parameter ``name`` set to ``value``, "" for all."""
        field = "label" if name == "class" else name
        return replace(self, **{field: value or None})

    @property
    def narrow(self) -> bool:
        """Whether they leave anything out."""
        return replace(self, sort=None) != Filters()


def select(gallery: Gallery, predictions: Predictions, filters: Filters) -> list[Sample]:
    """The samples that pass ``filters``, in order.

    Unread ones are neither right nor wrong, sure nor unsure; sorted by confidence they come last.
    """
    chosen = [s for s in gallery.samples.values() if _passes(s, predictions, filters)]
    if filters.sort is None:
        return chosen
    sign = -1 if filters.sort.startswith("-") else 1

    def place(sample: Sample) -> tuple[bool, float]:
        known = predictions.peek(sample)
        return known is None, 0.0 if known is None else sign * known.confidence

    return sorted(chosen, key=place)


def _passes(sample: Sample, predictions: Predictions, filters: Filters) -> bool:
    if filters.label not in (None, sample.true_label) or (filters.q or "") not in sample.id:
        return False
    if filters.result is filters.sure is filters.predicted is None:
        return True
    known = predictions.peek(sample)
    if known is None:
        return False
    return (
        filters.result in (None, predictions.result(sample))
        and filters.sure in (None, "unsure" if known.abstained else "sure")
        and filters.predicted in (None, known.label)
    )


def neighbours(gallery: Gallery, selected: list[Sample], current: Sample) -> tuple[Sample, Sample]:
    """The samples before and after ``current`` among ``selected``, going round at the ends.

    ``current`` need not be selected: its place is then the one it has in the whole gallery, where
    ``selected`` is in the gallery's order.
    """
    if current in selected:
        here, count = selected.index(current), len(selected)
        return selected[here - 1], selected[(here + 1) % count]
    order = {sample_id: place for place, sample_id in enumerate(gallery.samples)}
    others = selected or [current]
    before = [sample for sample in others if order[sample.id] < order[current.id]] or others
    after = [sample for sample in others if order[sample.id] > order[current.id]] or others
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


def _search(query: Mapping[str, str]) -> str | None:
    value = query.get("q", "").strip().lower()
    if len(value) > MAX_SEARCH:
        raise FilterError(
            f"`q` must have at most {MAX_SEARCH} characters. Received: {len(value)} characters."
        )
    return value or None
