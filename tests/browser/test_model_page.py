"""The model card in Chromium: widths, the way from a matrix to its samples, keys, themes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.addresses import at

pytestmark = pytest.mark.browser

# relative luminance of the text against what is behind it, as WCAG defines contrast
CONTRAST = """
    (selector) => {
      const canvas = document.createElement("canvas")
        .getContext("2d", { willReadFrequently: true });
      const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const light = ([r, g, b]) => {
        const part = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
        return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
      };
      const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const colour = rgba(getComputedStyle(at).backgroundColor);
          if (colour[3] > 250) return colour;
        }
        return [255, 255, 255];
      };
      return Math.min(...[...document.querySelectorAll(selector)].map((element) => {
        const style = getComputedStyle(element);
        const text = element instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [light(rgba(text)), light(behind(element))].sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
      }));
    }
"""
TEXTS = [".matrix td", ".shaded td", ".part p", ".label dt", ".label small", ".leak-tag", ".gap"]
TEXTS += [".tick", ".curve text", ".stage-shape", ".stage-weights", ".toc a", ".measure .fine"]


@pytest.mark.parametrize("width", [320, 390, 640, 1280])  # 640: 1280 pixels zoomed to 200%
def test_nothing_overflows_sideways(open_page: Callable[..., Page], width: int) -> None:
    page = open_page("/model", viewport={"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    # what is wider scrolls in a box of its own, which keys reach
    boxes = page.evaluate("""
        [...document.querySelectorAll("main *")]
          .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
          .filter((e) => !["visible", "hidden"].includes(getComputedStyle(e).overflowX))
          .map((e) => e.tabIndex === 0 || e.querySelector("a") !== null)
    """)
    assert all(boxes)
    spilled = page.evaluate("""
        [...document.querySelectorAll(".matrix th, .label dt, .label dd, .measure, .panel")]
          .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent.trim())
    """)
    assert spilled == []


def test_small_targets_are_not_too_small(open_page: Callable[..., Page]) -> None:
    page = open_page("/model", viewport={"width": 390, "height": 800})
    small = page.evaluate("""
        [...document.querySelectorAll("main a, main button, main summary")]
          .filter((target) => target.offsetParent && target.closest("p") === null)
          .map((target) => [target.textContent.trim(), target.getBoundingClientRect()])
          .filter(([, box]) => box.width < 24 || box.height < 24).map(([text]) => text)
    """)
    assert small == []


def test_from_the_matrix_to_its_samples(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Model").click()
    expect(page).to_have_url(at("/model"))
    cell = page.get_by_role("link", name="Glioma, answered Meningioma: 1. Show them")
    cell.click()
    expect(page).to_have_url(at("/?class=glioma&predicted=meningioma"))
    expect(page.locator("#s-glioma-01")).to_be_visible()


def test_contents_lead_to_sections_and_follow_the_reader(open_page: Callable[..., Page]) -> None:
    page = open_page("/model", viewport={"width": 1280, "height": 800})
    contents = page.get_by_role("navigation", name="On this page")
    contents.get_by_role("link", name="How good it is on this dataset", exact=True).click()
    expect(page).to_have_url(at("#results"))
    expect(page.locator("#results")).to_be_in_viewport()
    expect(contents.locator("[aria-current]")).to_have_text("How good it is on this dataset")
    expect(contents).to_be_in_viewport()  # it sticks
    page.keyboard.press("End")
    expect(contents.locator("[aria-current]")).to_have_text("Licence and citation")


def test_headings_are_in_order(open_page: Callable[..., Page]) -> None:
    page = open_page("/model")
    levels = page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_focus_can_be_seen(open_page: Callable[..., Page]) -> None:
    page = open_page("/model", viewport={"width": 1280, "height": 800})
    seen: dict[str, Any] = {}
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement !== document.body"):
        found = page.evaluate("""
            (() => {
              const style = getComputedStyle(document.activeElement);
              const kind = document.activeElement.closest(".toc, .matrix, .scroller, summary, pre");
              return [kind ? kind.className || kind.tagName : "page",
                      style.outlineStyle, parseFloat(style.outlineWidth)];
            })()
        """)
        seen[found[0]] = found[1:]
        assert found[1:] == ["solid", 3], found
        page.keyboard.press("Tab")
    assert {"toc", "matrix", "scroller", "SUMMARY"} <= set(seen)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_read_in_both_themes(open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page("/model", color_scheme=scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(227, 234, 237)", "dark": "rgb(9, 13, 16)"}[scheme]
    contrasts = {selector: page.evaluate(CONTRAST, selector) for selector in TEXTS}
    assert {name: value for name, value in contrasts.items() if value < 4.5} == {}


def test_every_drawing_has_a_name_or_is_left_to_the_text(open_page: Callable[..., Page]) -> None:
    page = open_page("/model")
    unnamed = page.evaluate("""
        [...document.querySelectorAll("main svg")].filter((svg) =>
          svg.getAttribute("aria-hidden") !== "true" &&
          !(svg.getAttribute("role") === "img" && svg.querySelector("title")?.textContent)).length
    """)
    assert unnamed == 0
    expect(page.get_by_role("img")).to_have_count(6)  # network, three curves, two reliabilities


def test_a_citation_is_copied(open_page: Callable[..., Page]) -> None:
    page = open_page("/model", permissions=["clipboard-read", "clipboard-write"])
    button = page.get_by_role("button", name="Copy").first
    button.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("@misc{nickparvar2021brain,")


def test_without_javascript_it_is_complete(open_page: Callable[..., Page]) -> None:
    page = open_page("/model", java_script_enabled=False)
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_text("The curves as a table").click()
    expect(page.get_by_role("columnheader", name="Validation loss")).to_be_visible()
