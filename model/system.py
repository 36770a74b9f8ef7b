"""The machine and its processes: quiet start-up, workers that end with their parent, reports."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import platform
import signal
import sys
import threading
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


def begin_worker() -> None:
    """Readies a process of a pool; to be called in it, before any work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when its parent was killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


INSTRUCTIONS = {
    "amx_int8": "AMX", "avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512", "avx2": "AVX2", "asimddp": "NEON dot product", "asimd": "NEON",
}  # fmt: skip
"""Names of instruction sets by the flags that Linux gives them, the best for 8 bits first."""


def describe_machine() -> str:
    """Processor, cores and system of this machine, for reports."""
    lines = _processor_lines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    cores = sum(line.startswith("processor") for line in lines)
    return f"{model or platform.processor()}, {cores or '?'} cores, {platform.system()}"


def describe_instructions() -> str:
    """The instruction sets that decide how fast a network runs, for reports of speed."""
    fields = (line.partition(":") for line in _processor_lines())
    flags = next((value for key, _, value in fields if key.strip() in ("flags", "Features")), "")
    return ", ".join(name for flag, name in INSTRUCTIONS.items() if flag in flags.split()) or "?"


def _processor_lines() -> list[str]:
    information = Path("/proc/cpuinfo")
    return information.read_text(encoding="utf-8").splitlines() if information.exists() else []


def file_hash(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
