"""A page's HTML as a reader sees it."""

from __future__ import annotations

import re
from html import unescape


def text_of(html: str) -> str:
    """The page's text on one line, tags and repeated blanks removed."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())
