"""The page for one's own images by keyboard, at every width, in the dark, without JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.analyse_page import OpenPage, card, choose, says

pytestmark = pytest.mark.browser


def test_with_the_keyboard_alone(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    # Playwright turns to choosers from its first listener on, which takes a moment to arrive.
    page.on("filechooser", lambda _: None)
    page.wait_for_load_state("networkidle")
    page.locator("#files").focus()
    label = page.locator("label[for=files]")
    assert label.evaluate("(it) => getComputedStyle(it).outlineStyle") == "solid"
    with page.expect_file_chooser() as waiting:
        page.keyboard.press("Enter")
    waiting.value.set_files(str(files["head.nii.gz"]))
    found = card(page, "head.nii.gz")
    expect(found.locator(".contact button")).to_have_count(6)
    found.get_by_role("button", name="Slice 5").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(found.get_by_role("spinbutton", name="Slice")).to_be_focused()
    page.keyboard.press("Enter")
    says(page, "head.nii.gz", "Meningioma")
    found.locator(".scan-stage").focus()
    page.keyboard.press("+")
    expect(found.locator("[data-part=scale]")).to_have_text("150 %")
    found.get_by_role("button", name="Remove").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#files")).to_be_focused()


SMALL = """
  [...document.querySelectorAll("main a, main button, main input, main label.button, main select")]
    .filter((it) => it.offsetParent && it.closest("p") === null)
    .filter((it) => !it.matches(".drop-input, .planes input"))
    .map((it) => [it.outerHTML, it.getBoundingClientRect()])
    .filter(([, box]) => box.width < 24 || box.height < 24)
    .map(([text]) => text)
"""


@pytest.mark.parametrize(
    "view",
    [
        *({"viewport": {"width": width, "height": 800}} for width in (320, 390, 1280)),
        {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},  # 1280 at 200%
    ],
    ids=["320", "390", "1280", "zoomed"],
)
def test_nothing_overflows_sideways(
    open_page: OpenPage, files: dict[str, Path], view: dict[str, Any]
) -> None:
    page = open_page("/analyse", **view)
    choose(page, files["scan.png"], files["head.nii.gz"])
    volume = card(page, "head.nii.gz")
    volume.get_by_role("button", name="Read all 6 slices").click()
    expect(volume.locator(".plot")).to_be_visible()
    card(page, "scan.png").get_by_role("button", name="Heat map").click()
    expect(page.locator(".scan-heat:visible")).to_have_count(1)
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    assert page.evaluate(SMALL) == []


def test_dark_follows_the_system(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse", color_scheme="dark")
    choose(page, files["scan.png"])
    says(page, "scan.png", "Glioma")
    background = "(it) => getComputedStyle(it).backgroundColor"
    assert page.locator(".card").evaluate(background) == "rgb(16, 23, 27)"


def test_without_javascript(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse", java_script_enabled=False)
    expect(page.locator("main button:visible")).to_have_text("Read these files")
    page.locator("#files").set_input_files([str(files["scan.png"]), str(files["head.nii.gz"])])
    page.get_by_role("button", name="Read these files").click()
    expect(page.locator(".card-says")).to_have_text(
        [
            "The network saysTumor: likely. Kind: glioma.",
            "The network saysTumor: likely. Kind: pituitary tumor.",
        ]
    )
    assert page.locator(".plain-film").first.evaluate("(image) => image.naturalWidth") == 64
