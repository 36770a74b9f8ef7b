"""Pictures that are not one head: a frame to crop by, which pointer and keys move."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.scan_files import png, white_share

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
KINDS = ["PNG", "TIFF", "PNG of 16 bits"]  # shown by the browser, not shown, and shown too dark


def panels(kind: str = "PNG") -> bytes:
    """Two white squares beside each other, at 0.1 to 0.4 and 0.6 to 0.9 of the width."""
    pixels = np.zeros((200, 400), np.uint8)
    pixels[40:160, 40:160] = pixels[40:160, 240:360] = 255
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    if kind == "PNG of 16 bits":
        picture = Image.fromarray(pixels.astype(np.uint16))
    picture.save(buffer, "TIFF" if kind == "TIFF" else "PNG")
    return buffer.getvalue()


def choose(page: Page, tmp_path: Path, content: bytes, name: str = "panels.png") -> Locator:
    (tmp_path / name).write_bytes(content)
    page.locator("#files").set_input_files(tmp_path / name)
    found = page.get_by_role("article", name=name)
    expect(found).to_have_attribute("data-state", "done")
    return found


def sides(card: Locator) -> list[float]:
    """Left, top, right and bottom of the frame, as shares of the picture."""
    frame = card.locator(".crop-frame")
    expect(frame).to_have_attribute("style", re.compile("height"))  # its script is loaded late
    left, top, width, height = frame.evaluate(
        "({ style }) => [style.left, style.top, style.width, style.height].map(parseFloat)"
    )
    return [left / 100, top / 100, (left + width) / 100, (top + height) / 100]


def expect_cropped(page: Page, text: str) -> None:
    card = page.get_by_role("article", name="panels (cropped).png")
    expect(card.locator("[data-field=kind]")).to_have_text(text)
    expect(card.locator(".crop")).to_be_hidden()
    expect(card.locator(".card-name")).to_be_focused()


@pytest.mark.parametrize("kind", KINDS)
def test_the_frame_lies_around_a_head_at_first(
    open_page: OpenPage, tmp_path: Path, kind: str
) -> None:
    page = open_page("/analyse")
    name = "panels.tif" if kind == "TIFF" else "panels.png"
    card = choose(page, tmp_path, panels(kind), name)
    expect(card.locator("[data-field=says]")).to_have_text("Not a brain MRI")
    expect(card.locator("[data-field=reason]")).to_contain_text("far from square")
    expect(card.locator(".crop-frame")).to_be_visible()
    assert sides(card) == pytest.approx([0.088, 0.176, 0.412, 0.824], abs=0.02)
    card.get_by_role("button", name="Read what is in the frame").click()
    expect_cropped(page, "Kind: pituitary tumor.")  # nearly all of it is white


def test_keys_move_the_frame(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/analyse")
    card = choose(page, tmp_path, panels())
    frame = card.get_by_role("button", name="Frame", exact=True)
    frame.focus()
    before = sides(card)
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert sides(card) == pytest.approx([before[0] + 0.16, before[1], before[2] + 0.16, before[3]])
    expect(card.locator("[data-field=crop-said]")).to_contain_text("wide and")
    for _ in range(20):
        page.keyboard.press("ArrowUp")
    assert sides(card)[1] == 0  # and no further
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect_cropped(page, "Kind: meningioma.")  # less than half of it is white


def test_keys_and_pointer_move_a_corner(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/analyse")
    card = choose(page, tmp_path, panels())
    corner = card.get_by_role("button", name="Top left corner")
    before = sides(card)
    corner.press("ArrowLeft")
    corner.press("ArrowUp")
    left, top, *rest = sides(card)
    assert [left, top] == pytest.approx([before[0] - 0.02, before[1] - 0.02])
    stage = card.locator(".crop-stage img").bounding_box()
    grip = corner.bounding_box()
    assert stage is not None
    assert grip is not None
    x, y = grip["x"] + 12, grip["y"] + 12
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 0.04 * stage["width"], y - 0.1 * stage["height"], steps=3)
    page.mouse.up()
    assert sides(card) == pytest.approx([left - 0.04, top - 0.1, *rest], abs=0.005)
    card.get_by_role("button", name="Read what is in the frame").click()
    says = page.get_by_role("article", name="panels (cropped).png").locator("[data-field=says]")
    expect(says).to_have_text("Probably no tumor")  # more than half of it is white


def test_a_pointer_drags_the_frame_to_the_other_head(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/analyse")
    card = choose(page, tmp_path, panels())
    frame = card.locator(".crop-frame")
    frame.scroll_into_view_if_needed()
    before, box = sides(card), frame.bounding_box()
    stage = card.locator(".crop-stage img").bounding_box()
    assert box is not None
    assert stage is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + stage["width"] / 2, y, steps=4)
    page.mouse.up()
    page.mouse.move(x, y)  # which moves it no more
    moved = [before[0] + 0.5, before[1], before[2] + 0.5, before[3]]
    assert sides(card) == pytest.approx(moved, abs=0.005)
    card.get_by_role("button", name="Read what is in the frame").click()
    expect_cropped(page, "Kind: pituitary tumor.")


def test_one_head_is_not_to_be_cropped(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/analyse")
    card = choose(page, tmp_path, png(white_share(1)), "one.png")
    expect(card.locator("[data-field=kind]")).to_have_text("Kind: glioma.")
    expect(card.locator(".crop")).to_be_hidden()
    loaded = "performance.getEntriesByType('resource').filter(({ name }) => /crop/.test(name))"
    assert page.evaluate(f"{loaded}.length") == 0


@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_the_frame_is_accessible(open_page: OpenPage, tmp_path: Path, view: str) -> None:
    width = 390 if view == "phone" else 1280
    scheme = "dark" if view == "dark" else "light"
    page = open_page(
        "/analyse",
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale="es-ES",
    )  # fmt: skip
    card = choose(page, tmp_path, panels())
    expect(card.locator(".crop-frame")).to_be_visible()
    expect(card.locator("summary")).to_have_text("Recortarla a una sola cabeza")
    found = Axe().run(page).response["violations"]
    assert [(entry["id"], [node["target"] for node in entry["nodes"]]) for entry in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
