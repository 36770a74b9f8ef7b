"""Figures of cases, against what is counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from model.judge.cases import Case, said_of
from model.judge.figures import by_place, figures, finding_figures, mistakes, share
from model.metrics.accuracy import wilson_interval


def case(label: int, *shares: float, **known: Any) -> Case:
    said, tumor = said_of(shares)
    return Case("x", known.pop("name", "x"), label, said, shares, tumor, **known)


GLIOMA, UNSURE, HEALTHY = (0.9, 0.05, 0.03, 0.02), (0.3, 0.2, 0.4, 0.1), (0.02, 0.02, 0.95, 0.01)
CASES = [
    case(0, *GLIOMA, contrast="t1c", refused=False, answered=True),
    case(1, *GLIOMA, contrast="t1c", refused=False, answered=True),  # the wrong kind
    case(4, *UNSURE, refused=False, answered=False),  # a tumor of unknown kind, found
    case(2, *HEALTHY, contrast="t2", plane="axial", refused=True, answered=False),
    case(0, *HEALTHY, plane="axial", refused=False, answered=True),  # missed
]


def test_a_tumor_is_found_where_it_is_likelier_than_none() -> None:
    assert said_of(UNSURE) == (2, pytest.approx(0.6))
    assert CASES[2].found
    assert CASES[2].right  # its kind is not asked for


def test_figures_are_those_counted_by_hand() -> None:
    found = figures(CASES)
    assert found is not None
    assert found["images"] == 5
    assert (found["sensitivity"]["right"], found["sensitivity"]["of"]) == (3, 4)
    assert found["sensitivity"]["share_95"] == list(wilson_interval(3, 4))
    assert found["specificity"]["share"] == 1
    assert found["balanced"] == pytest.approx(0.875)
    assert found["refused"]["share"] == pytest.approx(0.2)
    assert found["answered"]["share"] == pytest.approx(0.6)
    assert found["right_of_answered"] == share([True, True, False])
    assert found["confusion"] == [
        [1, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 1, 0, 0],
    ]  # fmt: skip
    assert (found["kinds"]["images"], found["kinds"]["correct"]) == (4, 2)
    bins = found["calibration"]["reliability"]
    assert sum(row["images"] for row in bins) == 5
    # 0.97, 0.97 and 0.95 right, 0.95 wrong, 0.6 right
    assert found["calibration"]["ece"] == pytest.approx((abs(4 * 0.96 - 3) + 0.4) / 5)


def test_what_is_not_said_is_null_and_no_case_has_no_figures() -> None:
    found = figures([Case("x", "x", 2, 4), Case("x", "x", 2, 2)])
    assert found is not None
    assert found["sensitivity"] == {"right": 0, "of": 0, "share": None, "share_95": [0.0, 1.0]}
    assert (found["specificity"]["share"], found["balanced"]) == (0.5, None)
    names = ("refused", "answered", "right_of_answered", "calibration")
    assert [found[name] for name in names] == [None] * 4
    assert found["kinds"]["images"] == 1  # an answer without a kind is not asked for one
    assert figures([]) is None


def test_places_are_in_order_and_unknown_ones_last() -> None:
    found = by_place(CASES)
    assert {kind: list(rows) for kind, rows in found.items()} == {
        "contrast": ["t1c", "t2", "unknown"],
        "plane": ["axial", "unknown"],
    }
    assert found["contrast"]["unknown"] == finding_figures([CASES[2], CASES[4]])


def test_the_surest_mistakes_come_first() -> None:
    silent = Case("x", "silent", 0, 2)
    found = mistakes([silent, *CASES], 10)
    assert found == [CASES[4], CASES[1], silent]
    assert [one.confidence for one in found] == [pytest.approx(0.95), 0.9, None]
    assert mistakes(CASES, 1) == [CASES[4]]
