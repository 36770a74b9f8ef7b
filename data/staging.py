"""Build a folder aside and rename it into place: it is either absent, the old one, or whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out`, on the same disk, that git ignores and that goes away."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")  # in case the process is killed
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def swap(new: Path, out: Path, previous: Path) -> None:
    """Rename `new` to `out`; what was there goes to `previous`, and is back if that fails.

    Raises:
        OSError: renaming failed; `out` is as it was.
    """
    if out.is_symlink() or out.exists():
        out.rename(previous)
    try:
        new.rename(out)
    except OSError:
        if previous.is_symlink() or previous.exists():
            previous.rename(out)
        raise
