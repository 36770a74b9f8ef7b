"""The figshare authors' folds: read, and taken over for slices, copies and neighbours."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.audit.assignment import Source
from data.audit.published_folds import UNKNOWN, load_published_folds, take_over
from tests.data.dataset.test_division import rows


def _source(*numbers: int) -> Source:
    n = len(numbers)
    return Source(np.array(numbers), np.zeros(n, dtype=bool), np.full(n, ""))


def test_the_committed_file_holds_every_slice() -> None:
    published = load_published_folds()
    assert published[0] == UNKNOWN
    assert Counter(published[1:].tolist()) == {0: 542, 1: 679, 2: 572, 3: 628, 4: 643}
    assert (published[1], published[3064]) == (4, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slice;fold\n1;5\n", r"must have the columns slice, fold\. Has: \['slice;fold'\]"),
        ("slice,fold\n1,6\n", r"folds of 1\.\.5\. Received: '1', '6'"),
        ("slice,fold\none,5\n", r"Received: 'one', '5'"),
        ("slice,fold\n1,12\n", r"Received: '1', '12'"),
        ("slice,fold\n", r"Received: no rows"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "folds.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        load_published_folds(path)


def test_slices_their_copies_and_their_neighbours_get_the_published_fold() -> None:
    signatures = rows(8, seed=3)
    signatures[4] = 0.9 * signatures[1] + 0.1 * signatures[4]  # nearest: image 1
    signatures[4] /= np.sqrt((signatures[4] ** 2).sum())
    published = np.array([UNKNOWN, 3, 1, 4])
    labels = np.array([0, 0, 0, 0, 0, 2, 2, 1])
    # images 3 and 5 are copies of 0 and 6; 7 is of a class of which no slice is known
    related = np.array([0, 1, 2, 0, 4, 5, 5, 7])
    found, measured = take_over(
        np.array([9, 9, 9, 9, 9, 2, 2, 0]), published, signatures, labels, related,
        _source(1, 2, 3, -1, -1, -1, -1, -1),
    )  # fmt: skip
    assert found.tolist() == [3, 1, 4, 3, 1, 2, 2, 0]
    assert measured == {
        "made_from": "published folds",
        "images_with_known_slice": 3,
        "images_by_a_copy": 1,
        "images_by_nearest_slice": 1,
        "groups_in_two_folds": 0,
        "leave_one_out": 0.0,
    }


def test_a_group_without_a_slice_stays_whole() -> None:
    signatures = rows(4, seed=4)
    signatures[2:] = signatures[:2]  # each alone would go another way
    found, _ = take_over(
        np.zeros(4, dtype=np.int64), np.array([UNKNOWN, 3, 1]), signatures,
        np.zeros(4, dtype=np.int64), np.array([0, 1, 2, 2]), _source(1, 2, -1, -1),
    )  # fmt: skip
    assert found.tolist() == [3, 1, 3, 3]


def test_slices_of_two_folds_that_look_alike_keep_theirs() -> None:
    found, measured = take_over(
        np.zeros(3, dtype=np.int64), np.array([UNKNOWN, 3, 1]), rows(3, seed=5),
        np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64), _source(2, 1, -1),
    )  # fmt: skip
    assert found.tolist() == [1, 3, 1]
    assert measured["groups_in_two_folds"] == 1


def test_without_a_published_slice_the_folds_stay() -> None:
    folds = np.array([4, 2])
    found, measured = take_over(
        folds, load_published_folds(), rows(2, seed=6), np.array([0, 2]), np.array([0, 1]),
        _source(-1, 9000),
    )  # fmt: skip
    assert found.tolist() == [4, 2]
    assert measured == {"made_from": "blocks"}
