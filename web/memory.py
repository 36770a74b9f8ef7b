"""How much memory this process holds."""

from __future__ import annotations

import sys
from pathlib import Path


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
