"""What a batch has done so far, on disk: a part for each chunk, and their order.

The folder `OUTPUT.parts/` holds `run.json` (model and settings), `order` (the keys of the chunks,
as they were listed) and the parts: gzipped JSON lines, named by their chunk's key. A part appears
whole or not at all, whenever the process is killed. Where the system can lock files, `lock` keeps
a second run out, whose order would be mixed with that of the first.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: nothing keeps a second run out
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_LOCK = "lock"
_SUFFIX = ".jsonl.gz"
_KEY = 64  # hexadecimal digits


class Store:
    """The parts of one output."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def beside(cls, output: Path) -> Store:
        return cls(output.with_name(f"{output.name}.parts"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps other processes out while the block runs, also when this one is killed in it.

        Raises:
            RuntimeError: Another process is in it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("ab") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise RuntimeError(
                        f"Another run is writing the same output; its parts are in {self.folder}"
                    ) from error
                except OSError as error:  # some network storage has no locks
                    logger.debug("%s cannot be locked: %s", self.folder, error)
            yield

    def begin(self, about: dict[str, Any]) -> dict[str, Any] | None:
        """Starts a run, whose order is written anew.

        Args:
            about: What decides the rows, by name.

        Returns:
            The same of the run before, or None where there was none.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "run.json"
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        replace(path, json.dumps(about, indent=2).encode())
        (self.folder / "order").write_bytes(b"")
        return before

    def add(self, key: str) -> None:
        """Appends a chunk to the order."""
        with (self.folder / "order").open("a", encoding="ascii") as file:
            file.write(f"{key}\n")

    def path(self, key: str) -> Path:
        # two levels, for file systems that slow down with many names in one folder
        return self.folder / key[:2] / f"{key}{_SUFFIX}"

    def done(self, key: str) -> bool:
        return self.path(key).exists()

    def write(self, key: str, rows: list[dict[str, Any]]) -> None:
        """Puts a part in its place, at once."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path = self.path(key)
        path.parent.mkdir(exist_ok=True)
        replace(path, gzip.compress(lines.encode(), compresslevel=1, mtime=0))

    def read(self, key: str) -> list[dict[str, Any]]:
        """The rows of a part."""
        lines = gzip.decompress(self.path(key).read_bytes()).splitlines()  # bytes: at \n alone
        return [json.loads(line) for line in lines]

    def order(self) -> Iterator[str]:
        with (self.folder / "order").open(encoding="ascii") as file:
            for line in file:
                yield line.rstrip("\n")

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows, in the order of the listing."""
        for key in self.order():
            yield from self.read(key)

    def clear_others(self) -> int:
        """Removes parts that are not in the order, of changed files or another model.

        Returns:
            How many.
        """
        removed = 0
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            # a 256th of the keys at a time
            wanted = {key for key in self.order() if key[:2] == folder.name}
            for path in folder.iterdir():
                if path.name[:_KEY] not in wanted or not path.name.endswith(_SUFFIX):
                    path.unlink(missing_ok=True)
                    removed += path.name.endswith(_SUFFIX)
        return removed

    def clear(self) -> None:
        """Forgets everything."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()


def replace(path: Path, content: bytes) -> None:
    """Writes a file that is there whole or not at all, also after a power cut."""
    waiting = path.with_name(f"{path.name}.{os.getpid()}.new")
    with waiting.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    waiting.replace(path)
