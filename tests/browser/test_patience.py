"""Waiting in Chromium for a server that is busy: as long as it asks, with a sentence meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.scan_files import png, white_share

pytestmark = pytest.mark.browser

PAUSE = "50"
"""Seconds, which the page's own clock passes over: long enough to be seen on a busy machine."""


def busy(route: Route, status: int, seconds: str) -> None:
    route.fulfill(status=status, headers={"Retry-After": seconds}, json={"detail": "Busy."})


def test_a_sample_is_asked_for_again(browser_page: Callable[..., Page]) -> None:
    page = browser_page("/samples/glioma-00")
    heat = page.locator(".scan-heat")
    expect(heat).to_be_visible()
    page.clock.install()
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("/api/v1/samples/")[2])
        if len(asked) == 1:
            busy(route, 503, PAUSE)
        else:
            route.continue_()

    page.route("**/api/v1/samples/*/prediction*", answer)
    page.keyboard.press("ArrowRight")
    waiting = page.locator("[data-field=waiting]")
    expect(waiting).to_have_text("The server is busy. It is asked again in 50 seconds.")
    expect(waiting).to_be_visible()
    page.clock.fast_forward(1000 * int(PAUSE))
    expect(page.locator("[data-field=kind]")).to_have_text("Kind: meningioma.")
    expect(waiting).to_be_hidden()
    expect(heat).to_be_visible()  # the map of the sample before was taken away with it
    answer_path = "glioma-01/prediction"
    assert asked == [answer_path, answer_path, f"{answer_path}?explain=true"]


def test_an_upload_past_its_rate_waits_and_says_so(
    browser_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = browser_page("/analyse")
    page.clock.install()
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            busy(route, 429, PAUSE)
        else:
            route.continue_()

    page.route("**/api/v1/predictions*", answer)
    (tmp_path / "scan.png").write_bytes(png(white_share(1)))
    page.locator("#files").set_input_files([str(tmp_path / "scan.png")])
    card = page.get_by_role("article", name="scan.png")
    expect(card.locator(".waking")).to_have_text(
        "This address has asked for a lot lately. The file is sent again in 50 seconds."
    )
    page.clock.fast_forward(1000 * int(PAUSE))
    expect(card.locator(".card-says")).to_have_text("The network saysTumor: likely")
    expect(card.locator("[data-field=kind]")).to_have_text("Kind: glioma.")
    assert len(asked) == 2
