"""What the tests of the page for one's own images do there: choose a file, await its answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

OpenPage = Callable[..., Page]


def choose(page: Page, *paths: Path) -> None:
    page.locator("#files").set_input_files([str(path) for path in paths])


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def says(page: Page, name: str, text: str) -> None:
    """Waits for an answer, told by the class that the stub is a little sure of."""
    found = card(page, name)
    if text == "No tumor":
        expect(found.locator(".card-says")).to_have_text("The network saysProbably no tumor")
        return
    expect(found.locator(".card-says")).to_have_text("The network saysTumor: likely")
    expect(found.locator("[data-field=kind]")).to_have_text(f"Kind: {text.lower()}.")
