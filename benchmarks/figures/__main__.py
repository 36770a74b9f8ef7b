"""Puts the figures of the committed reports into the pages: python -m benchmarks.figures.

`--check` only says which pages would change.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.figures.pages import pages
from benchmarks.report import ROOT


def main() -> int:
    """Updates the pages; with `--check` returns 1 where one would change."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what would change")
    check = parser.parse_args().check
    changed = 0
    for path, content in pages().items():
        if path.read_text(encoding="utf-8") != content:
            changed += 1
            print(path.relative_to(ROOT))
            if not check:
                path.write_text(content, encoding="utf-8")
    return int(check and changed > 0)


if __name__ == "__main__":
    sys.exit(main())
