"""axe-core on every page, light and dark, wide and on a phone: no violation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PAGES = ["/", "/?class=notumor&result=right", "/samples/glioma-01", "/analyse", "/model", "/api"]
VIEWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.mark.parametrize("view", list(VIEWS))
@pytest.mark.parametrize("path", [*PAGES, "/nowhere"])
def test_axe_finds_no_violation(browser_page: Callable[..., Page], path: str, view: str) -> None:
    page = browser_page(path, **VIEWS[view])
    found = Axe().run(page).response["violations"]
    places = [(entry["id"], [node["target"] for node in entry["nodes"]]) for entry in found]
    assert places == []


def test_axe_would_find_one(browser_page: Callable[..., Page]) -> None:
    page = browser_page("/")
    page.evaluate("document.querySelector('.film img').removeAttribute('alt')")
    assert [entry["id"] for entry in Axe().run(page).response["violations"]] == ["image-alt"]
