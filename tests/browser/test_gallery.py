"""The gallery and the sample page in Chromium: clicks, keys, themes, widths, no JavaScript."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from werkzeug.serving import make_server

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not CHROMIUM.is_file() and os.environ.get("REQUIRE_BROWSER") != "1",
        reason=f"Chromium is not installed at {CHROMIUM}",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def address(web_app: Flask) -> Iterator[str]:
    """A live server whose app has read every sample: glioma-01 and pituitary-01 are wrong."""
    state = web_app.extensions["brain_mri"]
    for sample in state.gallery.samples.values():
        state.predictions.get(sample)
    yield from serve(web_app)


def serve(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Opens a path in a fresh context; any complaint in the console fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_path(path: str, **options: Any) -> Page:
        context = browser.new_context(base_url=address, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert complaints == []


def at(path: str) -> re.Pattern[str]:
    return re.compile(re.escape(path) + "$")


def test_from_the_gallery_to_a_sample_and_back(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    expect(page.locator(".film")).to_have_count(6)
    page.locator("#s-meningioma-00").click()
    expect(page).to_have_url(at("/samples/meningioma-00"))
    expect(page.locator("[data-field=predicted]")).to_have_text("Meningioma")
    page.keyboard.press("Escape")
    expect(page).to_have_url(at("/#s-meningioma-00"))


def test_filters(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Wrong 2").click()
    expect(page).to_have_url(at("/?result=wrong"))
    expect(page.locator(".film")).to_have_count(2)
    page.get_by_role("navigation", name="Filters").get_by_role("link", name="Glioma 1").click()
    expect(page).to_have_url(at("/?class=glioma&result=wrong"))
    expect(page.locator(".film")).to_have_count(1)
    page.keyboard.press("r")
    expect(page).to_have_url(at("/samples/glioma-01?class=glioma&result=wrong"))


def test_arrows_walk_the_filter_in_place(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-01?result=wrong")
    page.evaluate("window.sameDocument = true")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(at("/samples/pituitary-01?result=wrong"))
    expect(page.locator("[data-field=report]")).to_have_attribute("aria-busy", "false")
    expect(page.locator("[data-field=predicted]")).to_have_text("No tumor")
    expect(page.locator("[data-field=true]")).to_have_text("Pituitary tumor")
    expect(page.locator("[data-field=stamp]")).to_have_text("Wrong")
    expect(page.locator("[data-field=position]")).to_have_text("2 of 2")
    expect(page.locator("[data-class=notumor] .bar-value")).to_have_text("75.0 %")
    expect(page.locator("[data-class=notumor] .bar-fill")).to_have_attribute("width", "75.00%")
    expect(page.locator("[data-class=pituitary] .tag")).to_be_visible()
    expect(page.locator("[data-field=time]")).to_have_text("12.5 ms")
    expect(page.locator("[data-field=image]")).to_have_attribute(
        "src", re.compile("^/images/pituitary-01")
    )
    expect(page.get_by_role("status")).to_have_text(
        "Wrong: the network says No tumor, 75.0 %. The label is Pituitary tumor."
    )
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(at("/samples/glioma-01?result=wrong"))
    page.go_back()
    expect(page).to_have_url(at("/samples/pituitary-01?result=wrong"))
    expect(page.locator("[data-field=predicted]")).to_have_text("No tumor")
    assert page.evaluate("window.sameDocument") is True


def test_from_outside_the_filter_the_arrows_lead_into_it(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/notumor-00?result=wrong")
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(at("/samples/glioma-01?result=wrong"))
    expect(page.locator("[data-field=position]")).to_have_text("1 of 2")


def test_links_buttons_and_strip_swap_in_place(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00")
    page.evaluate("window.sameDocument = true")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("[data-field=id]")).to_have_text("glioma-01")
    page.locator(".roll [data-id=pituitary-00]").click()
    expect(page.locator("[data-field=predicted]")).to_have_text("Pituitary tumor")
    expect(page.locator(".roll [aria-current]")).to_have_attribute("data-id", "pituitary-00")
    page.keyboard.press("r")
    expect(page.locator("[data-field=id]")).not_to_have_text("pituitary-00")
    assert page.evaluate("window.sameDocument") is True


def test_loading_state_and_failure(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00")
    held: list[Route] = []
    page.route("**/glioma-01/prediction", lambda route: held.append(route))
    page.keyboard.press("ArrowRight")
    report = page.locator("[data-field=report]")
    expect(report).to_have_attribute("aria-busy", "true")
    expect(page.locator(".waiting")).to_be_visible()
    expect(page.locator("[data-field=predicted]")).to_be_hidden()
    held[0].fulfill(
        status=200,
        content_type="application/problem+json",
        body="not JSON",
    )
    expect(page.locator(".failed")).to_be_visible()
    page.unroute("**/glioma-01/prediction")
    page.get_by_role("button", name="Try again").click()
    expect(report).to_have_attribute("aria-busy", "false")
    expect(page.locator("[data-field=predicted]")).to_have_text("Meningioma")
    expect(page.locator(".failed")).to_be_hidden()


def test_unread_samples_appear_as_they_are_read(
    browser: Browser, make_app: Callable[..., Flask], gallery_dir: Path
) -> None:
    app = make_app(gallery_dir)
    for address in serve(app):
        context = browser.new_context(base_url=address, reduced_motion="reduce")
        page = context.new_page()
        page.goto("/")
        expect(page.locator(".verdict.unread")).to_have_count(6)
        expect(page.locator("#board")).to_contain_text("has yet to read 6 of 6")
        app.extensions["brain_mri"].predictions.warm_up()
        expect(page.locator(".verdict.unread")).to_have_count(0, timeout=30_000)
        expect(page.locator(".verdict.right")).to_have_count(4)
        expect(page.locator(".verdict.wrong")).to_have_count(2)
        context.close()


def test_dark_mode_follows_the_system_and_the_choice_is_kept(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("/", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    button = page.get_by_role("button", name="Dark mode")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    light = page.evaluate(background)
    assert (dark, light) == ("rgb(9, 13, 16)", "rgb(227, 234, 237)")
    page.goto("/samples/glioma-00")
    assert page.evaluate(background) == light
    expect(button).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("path", ["/", "/?class=notumor&result=wrong", "/samples/glioma-01"])
def test_nothing_overflows_sideways(open_page: Callable[..., Page], path: str, width: int) -> None:
    page = open_page(path, viewport={"width": width, "height": 800})
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    small = """
        [...document.querySelectorAll("main a, main button, header a, header button")]
          .filter((target) => target.offsetParent && target.closest("p") === null)
          .map((target) => [target.textContent.trim(), target.getBoundingClientRect()])
          .filter(([, box]) => box.width < 24 || box.height < 24)
          .map(([text]) => text)
    """
    assert page.evaluate(small) == []


def test_without_javascript_everything_works(open_page: Callable[..., Page]) -> None:
    page = open_page("/", java_script_enabled=False)
    expect(page.get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Right 4").click()
    expect(page.locator(".film")).to_have_count(4)
    page.locator("#s-glioma-00").click()
    expect(page.locator("[data-field=predicted]")).to_have_text("Glioma")
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(at("/samples/meningioma-00?result=right"))
    expect(page.locator("[data-field=predicted]")).to_have_text("Meningioma")
    expect(page.locator("[data-field=stamp]")).to_have_text("Right")
    page.get_by_role("link", name="Random", exact=True).click()
    expect(page).to_have_url(re.compile(r"/samples/[a-z]+-00\?result=right$"))
    page.get_by_role("link", name="Gallery", exact=True).first.click()
    expect(page.locator(".film")).to_have_count(6)
