"""Keeps native libraries' start-up notices out of notebooks and logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def native_notices_silenced() -> Iterator[None]:
    """Silences what is written straight to file descriptor 2 while the block runs.

    TensorFlow and LiteRT report there which CPU instructions and delegates they use, past
    Python's logging and before any level can be set. Exceptions pass; Python's own warnings
    and log records written in the block are silenced too, so keep it short.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
