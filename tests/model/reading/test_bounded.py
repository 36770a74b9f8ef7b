"""A file in memory that may be read from so often."""

from __future__ import annotations

import gc
import weakref

import pytest

from model.reading.bounded import BoundedReads
from model.reading.errors import ImageError


def test_it_reads_as_often_as_allowed() -> None:
    file = BoundedReads(b"abcd", 2, "too many pieces", "too-large")
    assert (file.read(1), file.read()) == (b"a", b"bcd")
    with pytest.raises(ImageError, match=r"^too many pieces$") as refused:
        file.read(0)
    assert refused.value.kind == "too-large"


def test_a_refused_file_is_let_go_at_once() -> None:
    def refuse() -> weakref.ref[BoundedReads]:
        file = BoundedReads(b"abcd", 0, "too many pieces")
        with pytest.raises(ImageError):
            file.read(1)
        return weakref.ref(file)

    gc.disable()
    try:
        assert refuse()() is None
    finally:
        gc.enable()
