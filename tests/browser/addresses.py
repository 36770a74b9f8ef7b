"""Addresses of pages, as the browser tests wait for them."""

from __future__ import annotations

import re


def at(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path) + "$")
