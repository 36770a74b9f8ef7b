"""The link to a sample in Chromium: copied, shared, or left in the address bar."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_link_is_copied(open_page: Callable[..., Page]) -> None:
    page = open_page("/?sort=confidence", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Share link").click()
    expect(page.locator("[data-shared]")).to_have_text("The link is copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_link_is_shared_where_the_system_can(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00")
    page.evaluate("navigator.share = async (data) => { window.shared = data; }")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-field=report]")).to_have_attribute("aria-busy", "false")
    page.get_by_role("button", name="Share link").click()
    assert page.evaluate("window.shared.url") == page.url
    assert page.evaluate("window.shared.title").startswith("Glioma, glioma-01 ·")


def test_a_refused_clipboard_leaves_the_address(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00")
    page.evaluate("""Object.defineProperty(navigator, "clipboard", {
        value: { writeText: () => Promise.reject(new DOMException("no", "NotAllowedError")) } })""")
    page.get_by_role("button", name="Share link").click()
    expect(page.locator("[data-shared]")).to_have_text(f"Copy this address: {page.url}")
