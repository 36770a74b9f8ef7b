"""What machine this is, for reports."""

from __future__ import annotations

import platform
from pathlib import Path


def describe_machine() -> str:
    """Processor, cores and system of this machine, for reports."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    cores = sum(line.startswith("processor") for line in lines)
    return f"{model or platform.processor()}, {cores or '?'} cores, {platform.system()}"
