"""From sample to sample in Chromium, without loading the page anew: arrows, links, the strip."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.addresses import at

pytestmark = pytest.mark.browser


def test_arrows_walk_the_filter_in_place(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-01?result=wrong")
    page.evaluate("window.sameDocument = true")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(at("/samples/pituitary-01?result=wrong"))
    expect(page.locator("[data-field=report]")).to_have_attribute("aria-busy", "false")
    expect(page.locator("[data-field=says]")).to_have_text("Probably no tumor")
    expect(page.locator("[data-field=true]")).to_have_text("Pituitary tumor")
    expect(page.locator("[data-field=stamp]")).to_have_text("Wrong")
    expect(page.locator("[data-field=position]")).to_have_text("2 of 2")
    expect(page.locator("[data-class=notumor] .bar-value")).to_have_text("75.0 %")
    expect(page.locator("[data-class=notumor] .bar-fill")).to_have_attribute("width", "75.00%")
    expect(page.locator("[data-class=pituitary] .tag")).to_be_visible()
    expect(page.locator("[data-field=time]")).to_have_text("12.5 ms")
    expect(page.locator(".scan-image")).to_have_attribute(
        "src", re.compile("^/images/pituitary-01")
    )
    expect(page.locator("[data-field=announce]")).to_have_text(
        "Wrong: the network says: Probably no tumor. The label is Pituitary tumor."
    )
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(at("/samples/glioma-01?result=wrong"))
    page.go_back()
    expect(page).to_have_url(at("/samples/pituitary-01?result=wrong"))
    expect(page.locator("[data-field=says]")).to_have_text("Probably no tumor")
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
    expect(page.locator("[data-field=kind]")).to_have_text("Kind: pituitary tumor.")
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
    expect(page.locator("[data-field=says]")).to_be_hidden()
    held[0].fulfill(
        status=200,
        content_type="application/problem+json",
        body="not JSON",
    )
    expect(page.locator(".failed")).to_be_visible()
    page.unroute("**/glioma-01/prediction")
    page.get_by_role("button", name="Try again").click()
    expect(report).to_have_attribute("aria-busy", "false")
    expect(page.locator("[data-field=kind]")).to_have_text("Kind: meningioma.")
    expect(page.locator(".failed")).to_be_hidden()
