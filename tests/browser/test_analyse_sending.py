"""Sending one's own images in Chromium: what is not sent, waiting, cancelling, trying again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.analyse_page import OpenPage, card, choose, says
from web.api.uploads import MAX_UPLOAD_BYTES

pytestmark = pytest.mark.browser
PREDICTIONS = "**/api/v1/predictions*"


def test_a_file_that_is_too_large_is_not_sent(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/analyse")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    large = tmp_path / "large.nii"
    large.write_bytes(bytes(MAX_UPLOAD_BYTES))
    choose(page, large)
    expect(card(page, "large.nii").locator(".card-failed")).to_contain_text(
        "A file may have at most 32 MiB."
    )
    assert [url for url in asked if "/api/" in url] == []


def test_cancel_and_try_again(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    held: list[Route] = []
    page.route(PREDICTIONS, lambda route: held.append(route))
    choose(page, files["scan.png"], files["other.png"], files["IM000001"])
    found = card(page, "scan.png")
    expect(found).to_have_attribute("aria-busy", "true")
    expect(card(page, "IM000001")).to_contain_text("Waiting for its turn")  # two run at a time
    assert len(held) == 2
    found.get_by_role("button", name="Cancel").click()
    expect(found.locator(".card-failed")).to_contain_text("Cancelled.")
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator(".card[data-state=cancelled]")).to_have_count(3)
    page.unroute(PREDICTIONS)
    found.get_by_role("button", name="Try again").click()
    says(page, "scan.png", "Glioma")


def test_the_same_file_is_not_sent_twice(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    choose(page, files["scan.png"])
    choose(page, files["scan.png"])
    expect(page.get_by_role("alert")).to_have_text(
        "A file that is already here was not added again."
    )
    says(page, "scan.png", "Glioma")
    expect(page.locator(".card")).to_have_count(1)
    assert len([url for url in asked if "/predictions" in url]) == 1


def test_a_sleeping_host_is_waited_for(noisy: Page, files: dict[str, Path]) -> None:
    tries: list[int] = []

    def wake(route: Route) -> None:
        tries.append(1)
        if len(tries) == 1:
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="<h1>Waking up</h1>")
        else:
            route.continue_()

    noisy.route(PREDICTIONS, wake)
    choose(noisy, files["scan.png"])
    expect(card(noisy, "scan.png").locator(".waking")).to_have_text(
        "The host is waking up or busy. The file is sent again in 1 seconds."
    )
    says(noisy, "scan.png", "Glioma")
    expect(card(noisy, "scan.png").locator(".waking")).to_be_hidden()
    assert len(tries) == 2


def test_a_slow_answer_is_explained(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    held: list[Route] = []
    page.route(PREDICTIONS, lambda route: held.append(route))
    choose(page, files["scan.png"])
    expect(card(page, "scan.png").locator(".waking")).to_contain_text("falls asleep")
    held[0].continue_()
    says(page, "scan.png", "Glioma")


def test_a_broken_connection_can_be_tried_again(noisy: Page, files: dict[str, Path]) -> None:
    noisy.route(PREDICTIONS, lambda route: route.abort())
    choose(noisy, files["scan.png"])
    found = card(noisy, "scan.png")
    expect(found.locator(".card-failed")).to_contain_text("The server cannot be reached.")
    noisy.unroute(PREDICTIONS)
    found.get_by_role("button", name="Try again").click()
    says(noisy, "scan.png", "Glioma")


def test_slices_are_read_in_parts_that_can_be_stopped(
    open_page: OpenPage, files: dict[str, Path]
) -> None:
    page = open_page("/analyse")
    choose(page, files["head.nii.gz"])
    found = card(page, "head.nii.gz")
    expect(found.locator(".contact button")).to_have_count(6)
    asked: list[str] = []
    held: list[Route] = []

    def hold_the_second(route: Route) -> None:
        asked.append(route.request.url.split("slice=")[1])
        if len(asked) == 2:
            held.append(route)
        else:
            route.continue_()

    page.route(PREDICTIONS, hold_the_second)
    every = found.get_by_role("button", name="Read all 6 slices")
    every.click()
    expect(found.locator(".volume-note")).to_have_text("Reading the slices: 4 of 6 …")
    bar = found.get_by_role("progressbar", name="Slices")
    assert float(bar.get_attribute("value") or 0) == pytest.approx(4 / 6)
    found.get_by_role("button", name="Stop").click()
    expect(found.locator(".volume-note")).to_have_text("Cancelled.")
    expect(bar).to_be_hidden()
    every.click()  # what has been read is not asked for again
    expect(found.locator(".plot polyline")).to_have_count(4)
    assert asked == ["0-3", "4-5", "4-5"]
    expect(page.locator("#announce")).to_have_text(re.compile("^head.nii.gz: Slices by answer:"))
    found.get_by_role("button", name="Read slice 3").click()
    expect(page.locator("#announce")).to_have_text(
        re.compile(
            r"^head.nii.gz: axial 3 .*: the network says: Tumor: likely\. Kind: pituitary tumor"
        )
    )


def test_one_press_reads_a_slice_once(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    choose(page, files["head.nii.gz"])
    found = card(page, "head.nii.gz")
    expect(found.locator(".contact button")).to_have_count(6)
    held: list[Route] = []
    page.route(PREDICTIONS, lambda route: held.append(route))
    read = found.get_by_role("button", name="Read slice 3")
    read.click()
    expect(read).to_have_attribute("aria-disabled", "true")
    read.click(force=True)
    found.get_by_role("button", name="Read all 6 slices").click(force=True)
    assert len(held) == 1
    found.get_by_role("button", name="Cancel").click()
    expect(found.locator(".volume-note")).to_have_text("Cancelled.")
    says(page, "head.nii.gz", "Pituitary tumor")
