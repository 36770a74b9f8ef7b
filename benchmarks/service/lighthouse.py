"""Lighthouse on the pages of a running server.

Command line: `python -m benchmarks.service.lighthouse --address URL`.
Start the server first (`make serve`). Needs Node.js, whose `npx` fetches Lighthouse, and Chromium.
Writes `benchmarks/reports/lighthouse.json`: scores of 0 to 100 by page and form factor.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import REPORTS
from model.system import describe_machine

LIGHTHOUSE = "lighthouse@12.8.2"
CATEGORIES = ("performance", "accessibility", "best-practices")
PAGES = ("/", "/analyse", "/judge", "/model")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-background-networking "
    "--disable-component-update --disable-sync"
)


def scores(address: str, *, desktop: bool) -> dict[str, int]:
    """Scores of one page by category.

    Raises:
        subprocess.CalledProcessError: Lighthouse failed; its own words are on standard error.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "report.json"
        command = ["npx", "--yes", LIGHTHOUSE, address, "--quiet", "--output=json"]
        command += [f"--output-path={out}", f"--only-categories={','.join(CATEGORIES)}"]
        command += [f"--chrome-flags={FLAGS}", *(["--preset=desktop"] * desktop)]
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        subprocess.run(command, check=True, env={**os.environ, "CHROME_PATH": chromium})
        report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return {name: round(report["categories"][name]["score"] * 100) for name in CATEGORIES}


def main() -> None:
    """Measures and writes the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="http://127.0.0.1:5000", help="of the server")
    options = parser.parse_args()
    report = {
        "command": "python -m benchmarks.service.lighthouse",
        "machine": describe_machine(),
        "lighthouse": LIGHTHOUSE,
        "pages": {
            page: {
                name: scores(options.address + page, desktop=name == "desktop")
                for name in ("desktop", "mobile")
            }
            for page in PAGES
        },
    }
    text = json.dumps(report, indent=2) + "\n"
    (REPORTS / "lighthouse.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
