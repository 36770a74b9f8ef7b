"""The API page in Chromium: lines that copy, widths, the keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect


def test_lines_are_copied_and_it_is_said(open_page: Callable[..., Page]) -> None:
    page = open_page("/api", permissions=["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Copy the curl command").first
    button.click()
    expect(button).to_have_text("Copied")
    expect(page.get_by_role("status")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl --form file=@scan.jpg 'http://127.0.0.1:")
    assert copied.endswith("/api/v1/predictions?explain=true'")


def test_without_javascript_there_is_nothing_to_press(open_page: Callable[..., Page]) -> None:
    page = open_page("/api", java_script_enabled=False)
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("heading", name="Classify images")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 640, 1280])  # 640: 1280 pixels zoomed to 200%
def test_nothing_overflows_sideways(open_page: Callable[..., Page], width: int) -> None:
    page = open_page("/api", viewport={"width": width, "height": 800})
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
