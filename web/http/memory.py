"""How much memory this process holds, and that it gives back what it no longer needs."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of <malloc.h>
_LARGE = 4 * 2**20


def return_large_blocks() -> None:
    """Makes glibc give blocks from 4 MiB on back as soon as they are freed.

    By itself it learns from the first large picture to keep such blocks, in pieces that the next
    one does not fit into: a process that has read some holds 90 MB more for good. Does nothing
    with other C libraries.
    """
    if os.name == "posix" and hasattr(ctypes.CDLL(None), "mallopt"):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)


def resident_megabytes() -> float | None:
    """Resident set size in MB; its peak where only that is known, None where neither is."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)  # the kernel counts KiB
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)
