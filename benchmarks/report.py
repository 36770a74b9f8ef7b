"""Where reports lie, and how they are written and read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "benchmarks" / "reports"


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Writes a report; its folder is made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def read_report(path: Path) -> Any:
    """A report's content.

    Raises:
        OSError, ValueError: It is missing or not JSON.
    """
    return json.loads(path.read_text(encoding="utf-8"))
