"""What the tests of the page Model share: its HTML in parts, and the reports behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from model.config import ARTIFACTS
from tests.web.html import text_of
from web.model_card.page import SECTIONS
from web.model_card.reports import OF_ARTIFACTS, REPORTS

PageWith = Callable[[str, Callable[[Any], object]], str]
"""Of `page_with`: a report's name and what edits its values give the page that follows."""

IDS = [id_ for id_, _, _ in SECTIONS]


def part_of(html: str, section: str) -> str:
    """The HTML of one section."""
    found = re.search(rf'<section[^>]*aria-labelledby="{section}">.*?</section>', html, re.DOTALL)
    assert found, section
    return found[0]


def part_text(html: str, section: str) -> str:
    return text_of(part_of(html, section))


def report(name: str) -> Any:
    folder = ARTIFACTS if name in OF_ARTIFACTS else REPORTS
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
