"""One answer for a series, from the answers for its slices."""

from __future__ import annotations

import pytest

from model.inference.series_answer import (
    SeriesAnswer,
    SliceAnswer,
    answer_series,
    needed_slices,
)

TUMOR, HEALTHY = SliceAnswer(0.9, brain=True), SliceAnswer(0.1, brain=True)
OTHER = SliceAnswer(0.99, brain=False)  # what is no brain MRI says nothing of a tumor


@pytest.mark.parametrize(
    ("gap", "needed"),
    [(None, 3), (0.0, 3), (6.0, 3), (5.0, 3), (2.5, 4), (1.0, 10), (0.1, 100), (1.1, 10)],
)
def test_thin_slices_need_more_neighbours(gap: float | None, needed: int) -> None:
    assert needed_slices(gap) == needed


def test_a_tumor_in_enough_neighbouring_slices_is_found() -> None:
    slices = [HEALTHY, TUMOR, HEALTHY, TUMOR, SliceAnswer(0.95, brain=True), TUMOR, OTHER, None]
    assert answer_series(slices, 5.0) == SeriesAnswer(
        finding="tumor", neighbours=3, first=3, last=5, needed=3, with_tumor=4, brain=6,
        highest=0.95, highest_at=4,
    )  # fmt: skip


@pytest.mark.parametrize("between", [HEALTHY, OTHER, None])
def test_too_few_neighbours_leave_the_answer_open(between: SliceAnswer | None) -> None:
    found = answer_series([TUMOR, TUMOR, between, TUMOR, HEALTHY, HEALTHY], 5.0)
    assert (found.finding, found.neighbours, found.first, found.last) == (None, 2, 0, 1)
    assert found.with_tumor == 3


def test_none_in_any_slice_is_no_tumor() -> None:
    found = answer_series([OTHER, HEALTHY, HEALTHY, None], 5.0)
    assert (found.finding, found.neighbours, found.first, found.highest_at) == (
        "notumor", 0, None, 1,
    )  # fmt: skip


@pytest.mark.parametrize("slices", [[], [OTHER, OTHER, HEALTHY], [None, None, HEALTHY]])
def test_with_too_little_to_see_the_answer_is_open(slices: list[SliceAnswer | None]) -> None:
    assert answer_series(slices, 5.0).finding is None


def test_an_even_chance_is_not_seen() -> None:
    assert not SliceAnswer(0.5, brain=True).seen
    assert SliceAnswer(0.51, brain=True).seen
