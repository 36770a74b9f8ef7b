"""axe-core on every page, light and dark, wide and on a phone: no violation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PAGES = [
    "/",
    "/?class=notumor&result=right",
    "/samples/glioma-01",
    "/analyse",
    "/judge",
    "/model",
    "/api",
]
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


@pytest.mark.parametrize("path", PAGES)
def test_text_of_twice_the_size_fits(browser_page: Callable[..., Page], path: str) -> None:
    """WCAG 1.4.4, for those who enlarge the text alone and not the page."""
    page = browser_page(path, viewport={"width": 1280, "height": 900})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.wait_for_timeout(100)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    cut = page.evaluate("""
        [...document.querySelectorAll("h1, h2, h3, .button, .deed, .filter a, .menu a")]
          .filter((it) => it.offsetParent && !it.matches(".sr"))
          .filter((it) => it.scrollWidth > it.clientWidth + 1)
          .map((it) => it.textContent.trim())
    """)
    assert cut == []


@pytest.mark.parametrize("width", [320, 390, 640, 1280])
@pytest.mark.parametrize("locale", ["en-GB", "es-ES"])
def test_no_word_of_a_film_is_broken(
    browser_page: Callable[..., Page], locale: str, width: int
) -> None:
    page = browser_page("/", locale=locale, viewport={"width": width, "height": 800})
    broken = page.evaluate("""
        [...document.querySelectorAll(".verdict > span:first-of-type")].filter((it) => {
          const text = it.lastChild; // after what only screen readers hear
          const words = [...text.data.matchAll(/\\S+/g)];
          return words.some((word) => {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            return range.getClientRects().length > 1;
          });
        }).map((it) => it.textContent)
    """)
    assert broken == []
