"""A bar on the terminal while files are gone through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def bar(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """The items, with a bar for them where standard error is a terminal."""
    shown: Iterable[T] = tqdm(items, desc=what, total=total, unit=" files", disable=None)
    return shown
