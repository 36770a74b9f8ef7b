"""The gallery in Chromium: clicks, filters, keys, themes, widths, no JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.addresses import at
from tests.browser.conftest import serve
from tests.patience import PAGE_WAIT

pytestmark = pytest.mark.browser


def test_from_the_gallery_to_a_sample_and_back(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    expect(page.locator(".film")).to_have_count(6)
    page.locator("#s-meningioma-00").click()
    expect(page).to_have_url(at("/samples/meningioma-00"))
    expect(page.locator("[data-field=kind]")).to_have_text("Kind: meningioma.")
    expect(page.locator(".scan-tools")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(at("/#s-meningioma-00"))


def test_browse_opens_with_an_image_its_answer_and_its_heat_map(
    open_page: Callable[..., Page],
) -> None:
    for width, height in ((1280, 900), (390, 844)):
        page = open_page("/", viewport={"width": width, "height": height})
        lead = page.locator("#lead")
        expect(lead.locator("[data-field=says]")).to_have_text("Tumor: likely")
        expect(lead.locator("[data-field=kind]")).to_have_text("Kind: glioma.")
        expect(lead.locator(".scan-heat")).to_be_visible()
        box = lead.locator(".scan-image").bounding_box()
        assert box
        assert box["y"] + box["height"] <= height  # the first screen shows it whole
        assert box["height"] > 300
    expect(lead.locator(".lead-strip img")).to_have_count(5)
    page.keyboard.press("h")
    expect(lead.locator(".scan-heat")).to_be_hidden()
    lead.get_by_role("link", name="Open this image").click()
    expect(page).to_have_url(at("/samples/glioma-00"))


def test_on_a_phone_the_filters_are_behind_one_control(open_page: Callable[..., Page]) -> None:
    page = open_page("/", viewport={"width": 390, "height": 844})
    filters = page.get_by_role("navigation", name="Filters")
    expect(filters).to_be_hidden()
    opener = page.get_by_role("button", name="Filter and order")
    opener.click()
    expect(opener).to_have_attribute("aria-expanded", "true")
    filters.get_by_role("link", name="Wrong 2").click()
    expect(page.locator(".film")).to_have_count(2)
    expect(filters).to_be_visible()


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


def test_filters_order_and_search_change_the_page_in_place(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    page.evaluate("window.sameDocument = true")
    told = page.locator("#told")
    page.get_by_role("link", name="Unsure 0").click()
    expect(page).to_have_url(at("/?sure=unsure"))
    expect(told).to_have_text("0 images")
    page.get_by_role("link", name="Sure 6").click()
    page.get_by_label("Taken for").select_option("No tumor")
    expect(page).to_have_url(at("/?sure=sure&predicted=notumor"))
    expect(told).to_have_text("2 images")
    page.get_by_label("Order").select_option("least sure first")
    expect(page).to_have_url(at("/?sure=sure&predicted=notumor&sort=confidence"))
    expect(page.get_by_role("heading", name="Least sure first")).to_be_visible()
    search = page.get_by_label("Find by id")
    search.press_sequentially("Pitu")
    expect(page).to_have_url(at("/?sure=sure&predicted=notumor&q=Pitu&sort=confidence"))
    expect(told).to_have_text("1 image")
    expect(page.locator("#s-pituitary-01")).to_be_visible()
    expect(search).to_be_focused()
    expect(search).to_have_value("Pitu")
    page.get_by_role("link", name="Español").evaluate("link => { window.spanish = link.href }")
    assert "predicted%3Dnotumor" in page.evaluate("window.spanish")
    page.go_back()
    expect(page).to_have_url(at("/?sure=sure&predicted=notumor&sort=confidence"))
    expect(page.locator(".film")).to_have_count(2)
    page.get_by_role("link", name="Show all 6").click()
    expect(page).to_have_url(at("/?sort=confidence"))
    expect(page.get_by_label("Taken for")).to_have_value("")
    assert page.evaluate("window.sameDocument") is True


def test_choices_made_faster_than_the_server_answers_all_count(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("/")
    held: list[Route] = []
    page.route("**/?*", lambda route: held.append(route))
    page.get_by_role("link", name="Sure 6").click()
    page.get_by_label("Taken for").select_option("No tumor")
    page.get_by_role("link", name="Wrong 2").click()
    last = "/?result=wrong&sure=sure&predicted=notumor"
    for _ in range(20 * PAGE_WAIT):
        if len(held) == 3:
            break
        page.wait_for_timeout(50)
    for route in reversed(held):  # the first answer comes last, and too late
        route.continue_()
    expect(page).to_have_url(at(last))
    expect(page.locator("#told")).to_have_text("1 image")
    page.wait_for_timeout(200)
    expect(page).to_have_url(at(last))
    expect(page.locator("#s-pituitary-01")).to_be_visible()


def test_a_failed_filter_loads_the_page(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    page.evaluate("window.sameDocument = true")
    page.route("**/?result=wrong", lambda route: route.fulfill(body="nothing"), times=1)
    page.get_by_role("link", name="Wrong 2").click()
    expect(page.locator(".film")).to_have_count(2)
    assert page.evaluate("window.sameDocument === undefined")


def test_the_keyboard_alone(open_page: Callable[..., Page]) -> None:
    page = open_page("/", viewport={"width": 1280, "height": 900})
    page.keyboard.press("/")
    expect(page.get_by_label("Find by id")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)  # typed into the field
    page.get_by_label("Find by id").fill("")
    page.locator("#s-glioma-00").focus()
    for key, there in (
        ("ArrowRight", "glioma-01"),
        ("ArrowRight", "meningioma-00"),
        ("ArrowLeft", "glioma-01"),
        ("ArrowDown", "meningioma-00"),
        ("ArrowDown", "notumor-00"),
        ("ArrowUp", "meningioma-00"),
    ):
        page.keyboard.press(key)
        expect(page.locator(f"#s-{there}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".scan-tools")).to_be_visible()  # the page hears keys from here on
    expect(page).to_have_url(at("/samples/meningioma-00"))
    page.keyboard.press("Escape")
    expect(page).to_have_url(at("/#s-meningioma-00"))
    expect(page.locator("#s-meningioma-00")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#s-notumor-00")).to_be_focused()


@pytest.mark.parametrize("path", ["/", "/samples/glioma-00"])
def test_the_list_of_keys(open_page: Callable[..., Page], path: str) -> None:
    page = open_page(path)
    keys = page.get_by_role("dialog", name="Keys")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("r")  # the page below does not hear
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(page).to_have_url(at(path))
    page.get_by_role("button", name="Keys").click()
    keys.get_by_role("checkbox").uncheck()
    keys.get_by_role("button", name="Close").click()
    for key in ("r", "?"):
        page.keyboard.press(key)
    expect(keys).to_be_hidden()
    expect(page).to_have_url(at(path))
    page.reload()
    page.get_by_role("button", name="Keys").click()
    expect(keys.get_by_role("checkbox")).not_to_be_checked()


def test_the_first_page_is_light(open_page: Callable[..., Page]) -> None:
    page = open_page("/")
    sizes = page.evaluate("""[...performance.getEntriesByType("resource")]
        .filter(({ initiatorType }) => initiatorType !== "img")
        .concat(performance.getEntriesByType("navigation"))
        .map(({ name, transferSize }) => [name, transferSize])""")
    assert len(sizes) >= 7
    assert sum(size for _, size in sizes) < 150_000


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
        expect(page.locator(".verdict.unread")).to_have_count(0)
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


@pytest.mark.parametrize("width", [320, 390, 640, 1280])  # 640: 1280 pixels zoomed to 200%
@pytest.mark.parametrize("path", ["/", "/?class=notumor&result=wrong", "/samples/glioma-01"])
def test_nothing_overflows_sideways(open_page: Callable[..., Page], path: str, width: int) -> None:
    page = open_page(path, viewport={"width": width, "height": 800})
    for name in ("Contrast", "Heat map", "Zoom in"):  # everything that opens is open
        for button in page.get_by_role("button", name=name, exact=True).all():
            button.click()
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    small = """
        [...document.querySelectorAll("main :is(a, button, select, input), header :is(a, button)")]
          .filter((el) => el.offsetParent && el.closest("p") === null)
          .map((el) => [el.textContent.trim() || el.name, el.getBoundingClientRect()])
          .filter(([, box]) => box.width < 24 || box.height < 24)
          .map(([text]) => text)
    """
    assert page.evaluate(small) == []


def test_without_javascript_everything_works(open_page: Callable[..., Page]) -> None:
    page = open_page("/", java_script_enabled=False)
    expect(page.get_by_role("button")).to_have_text(["Show"])
    page.get_by_role("link", name="Right 4").click()
    expect(page.locator(".film")).to_have_count(4)
    page.locator("#s-glioma-00").click()
    expect(page.locator("[data-field=kind]")).to_have_text("Kind: glioma.")
    page.get_by_role("link", name="Next").click()
    expect(page).to_have_url(at("/samples/meningioma-00?result=right"))
    expect(page.locator("[data-field=kind]")).to_have_text("Kind: meningioma.")
    expect(page.locator("[data-field=stamp]")).to_have_text("Right")
    page.get_by_role("link", name="Random", exact=True).click()
    expect(page).to_have_url(re.compile(r"/samples/[a-z]+-00\?result=right$"))
    page.get_by_role("link", name="Browse", exact=True).first.click()
    expect(page.locator(".film")).to_have_count(6)
    page.get_by_label("Find by id").fill("-00")
    page.get_by_label("Taken for").select_option("Pituitary tumor")
    page.get_by_label("Order").select_option("most sure first")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(at("/?q=-00&predicted=pituitary&sort=-confidence"))
    expect(page.locator(".film")).to_have_count(1)
    page.get_by_role("navigation", name="Filters").get_by_role("link", name="Glioma 0").click()
    expect(page).to_have_url(at("/?class=glioma&predicted=pituitary&q=-00&sort=-confidence"))
    expect(page.get_by_role("heading", name="No image here")).to_be_visible()
    page.get_by_role("button", name="Show").click()  # the form keeps what the links chose
    expect(page).to_have_url(re.compile(r"\?class=glioma&q=-00"))
