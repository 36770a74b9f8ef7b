"""The scan viewer in Chromium, on the sample page: zoom, brightness, keys, phone and paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.viewer import asked, shown, turn_on

pytestmark = pytest.mark.browser
VIEW = "el => new DOMMatrix(getComputedStyle(el).transform).toJSON()"


def zoom_of(page: Page) -> dict[str, float]:
    """Scale and shift of the view, the shift in shares of the stage."""
    found: dict[str, Any] = page.locator(".scan-layers").evaluate(VIEW)
    size = page.locator(".scan-stage").bounding_box()
    assert size
    return {"scale": found["a"], "x": found["e"] / size["width"], "y": found["f"] / size["height"]}


def test_zoom_by_buttons_keys_and_double_click(sample: Page) -> None:
    level = sample.locator("[data-part=scale]")
    expect(level).to_have_text("100 %")
    expect(sample.get_by_role("button", name="Zoom out")).to_be_disabled()
    expect(sample.get_by_role("button", name="Move left")).to_be_hidden()
    sample.get_by_role("button", name="Zoom in").click()
    expect(level).to_have_text("150 %")
    assert zoom_of(sample) == pytest.approx({"scale": 1.5, "x": -0.25, "y": -0.25})
    sample.get_by_role("button", name="Zoom out").click()
    expect(level).to_have_text("100 %")
    for _ in range(7):
        sample.keyboard.press("+")
    expect(level).to_have_text("800 %")
    sample.keyboard.press("-")
    assert zoom_of(sample)["scale"] == pytest.approx(8 / 1.5)
    sample.keyboard.press("0")
    expect(level).to_have_text("100 %")
    box = sample.locator(".scan-stage").bounding_box()
    assert box
    sample.mouse.dblclick(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25)
    expect(level).to_have_text("250 %")
    view = zoom_of(sample)
    assert view["x"] == pytest.approx(0.75 * (1 - 2.5), abs=0.01)  # the point stays
    assert view["y"] == pytest.approx(0.25 * (1 - 2.5), abs=0.01)
    sample.get_by_role("button", name="Fit").click()
    expect(level).to_have_text("100 %")


def test_move_by_buttons_keys_and_dragging(sample: Page) -> None:
    stage = sample.locator(".scan-stage")
    stage.focus()
    sample.keyboard.press("=")
    sample.keyboard.press("+")  # 225 %, middle at -0.625
    sample.keyboard.press("ArrowRight")
    sample.keyboard.press("ArrowUp")
    assert zoom_of(sample) == pytest.approx({"scale": 2.25, "x": -0.775, "y": -0.475})
    expect(sample).to_have_url(re.compile("glioma-00$"))  # the arrows moved the view
    for name, x, y in (("left", -0.625, -0.475), ("down", -0.625, -0.625)):
        sample.get_by_role("button", name=f"Move {name}").click()
        assert zoom_of(sample) == pytest.approx({"scale": 2.25, "x": x, "y": y})
    box = stage.bounding_box()
    assert box
    sample.mouse.move(box["x"] + 100, box["y"] + 100)
    sample.mouse.down()
    sample.mouse.move(box["x"] + 100 + box["width"] / 4, box["y"] + 100, steps=4)
    sample.mouse.up()
    assert zoom_of(sample)["x"] == pytest.approx(-0.375, abs=0.01)
    for _ in range(9):  # never beyond the picture's edge
        sample.get_by_role("button", name="Move right").click()
    assert zoom_of(sample)["x"] == pytest.approx(-1.25)
    sample.get_by_role("button", name="Move up").focus()
    sample.keyboard.press("0")  # the buttons go, the focus stays in the viewer
    expect(stage).to_be_focused()
    sample.keyboard.press("ArrowRight")
    expect(sample).to_have_url(re.compile("glioma-01$"))


def test_the_wheel_scrolls_until_the_scan_is_looked_into(sample: Page) -> None:
    sample.set_viewport_size({"width": 1280, "height": 500})
    stage = sample.locator(".scan-stage")
    stage.hover()
    sample.mouse.wheel(0, 60)
    sample.wait_for_function("scrollY > 0")
    assert zoom_of(sample)["scale"] == 1
    stage.focus()
    sample.mouse.wheel(0, -120)
    expect(sample.locator("[data-part=scale]")).not_to_have_text("100 %")
    scrolled = sample.evaluate("scrollY")
    sample.mouse.wheel(0, -120)
    expect(sample.locator("[data-part=scale]")).to_have_text("182 %")
    assert sample.evaluate("scrollY") == scrolled


def test_two_fingers_zoom(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00", viewport={"width": 390, "height": 800}, has_touch=True)
    box = page.locator(".scan-stage").bounding_box()
    assert box
    middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, apart: float) -> None:
        points = [{"x": middle + side * apart, "y": y, "id": side + 1} for side in (-1, 1)]
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": points if kind != "touchEnd" else []},
        )

    touch("touchStart", 40)
    for apart in (50, 60, 70, 80):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    assert zoom_of(page)["scale"] == pytest.approx(2, abs=0.15)
    assert page.evaluate("visualViewport.scale") == 1  # the page itself stayed as it was


def test_brightness_and_contrast_change_the_view_alone(sample: Page) -> None:
    requests = asked(sample)
    stage, image = sample.locator(".scan-stage"), sample.locator(".scan-image")
    panel = sample.locator(".scan-panel")
    expect(panel).to_be_hidden()
    button = sample.get_by_role("button", name="Contrast")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(panel).to_contain_text("not the prediction: the network always reads the original.")
    answer = sample.locator("[data-field=report]").inner_text()
    white = (10, 300)  # in the left eighth
    assert shown(sample, stage).getpixel(white) == (255, 255, 255)
    sample.get_by_label("Brightness (level)").fill("50")
    expect(image).to_have_css("filter", "brightness(0.5) contrast(1)")
    level = shown(sample, stage).getpixel(white)
    assert level == pytest.approx((128, 128, 128), abs=1)
    sample.get_by_label("Contrast (window)").fill("200")
    expect(image).to_have_css("filter", "brightness(0.5) contrast(2)")
    sample.get_by_role("button", name="Reset").click()
    expect(image).to_have_css("filter", "none")
    assert shown(sample, stage).getpixel(white) == (255, 255, 255)
    assert requests == []
    assert sample.locator("[data-field=report]").inner_text() == answer


def test_the_viewers_parts_fit_a_phone(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00", viewport={"width": 320, "height": 700})
    turn_on(page)
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Contrast").click()
    for part in page.locator(".scan-tools :is(button, select, input)").all():
        box = part.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
        assert box["height"] >= 24


def test_on_paper_the_sample_is_a_report_of_one_page(sample: Page) -> None:
    turn_on(sample)
    sample.evaluate("dispatchEvent(new Event('beforeprint'))")
    sample.emulate_media(media="print", color_scheme="dark")
    for hidden in (
        ".menu",
        ".theme",
        ".steps",
        ".roll",
        ".crumbs",
        ".deeds",
        ".scan-controls",
        ".foot",
    ):
        expect(sample.locator(hidden).first).to_be_hidden()
    for visible in (".brand", ".scan-heat", ".scan-key", ".bars", ".notice", ".paper"):
        expect(sample.locator(visible)).to_be_visible()
    paper = sample.locator(".paper")
    expect(paper).to_contain_text("It is no medical device and this is no diagnosis.")
    expect(paper).to_contain_text("glioma-00")
    expect(paper).to_contain_text("5" * 64)
    expect(paper.locator("time")).to_have_text(re.compile(r"^[A-Z][a-z]+ \d+, 20\d\d at .*\d"))
    assert sample.evaluate("getComputedStyle(document.body).color") == "rgb(13, 24, 29)"
    pages = re.findall(rb"/Type\s*/Page\b", sample.pdf(format="A4"))
    assert len(pages) == 1


def test_print_button(sample: Page) -> None:
    sample.evaluate("window.print = () => { window.printed = true; }")
    sample.get_by_role("button", name="Print report").click()
    assert sample.evaluate("window.printed") is True


def test_without_javascript_the_scan_is_there_alone(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00", java_script_enabled=False)
    expect(page.locator(".scan-image")).to_be_visible()
    expect(page.locator(".scan-tools")).to_be_hidden()
    expect(page.get_by_role("button")).to_have_count(0)


def test_several_viewers_mind_their_own_business(sample: Page) -> None:
    """As a page with a card for each upload has them."""
    turn_on(sample)
    sample.keyboard.press("h")  # a new viewer's map is off, and the copy's shall be
    expect(sample.locator(".scan-heat")).to_be_hidden()
    sample.evaluate("""async () => {
        const { ScanViewer } = await import(document.querySelector("script[type=module]").src
            .replace(/pages.sample\\.js.*/, "shared/viewer.js"));
        const copy = document.querySelector(".scan").cloneNode(true);
        document.querySelector(".paper").before(copy);
        window.second = new ScanViewer(copy);
        window.wishes = [];
        copy.addEventListener("explain", ({ detail }) => window.wishes.push(detail));
        const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 20 });
        const src = canvas.toDataURL();
        await window.second.show({ src, width: 40, height: 20, alt: "Another" });
    }""")
    second = sample.locator(".scan").nth(1)
    expect(second.get_by_role("img", name="Another", exact=True)).to_be_visible()
    second.get_by_role("button", name="Heat map", exact=True).click()
    expect(second.locator(".scan-said")).to_have_text("Looking for the evidence …")
    expect(sample.locator(".scan-said").first).to_have_text("")
    values = [[1 if (x, y) == (0, 1) else 0 for x in range(2)] for y in range(2)]
    found = {"class": "notumor", "method": "", "width": 2, "height": 2, "values": values}
    sample.evaluate("found => window.second.heat(found)", found)
    expect(second.locator(".scan-said")).to_have_text(
        "Evidence for No tumor, strongest at the bottom left of the image."
    )
    heat = second.locator(".scan-heat")
    assert heat.evaluate("el => el.width / el.height") == 2
    second.get_by_label("Heat map for").select_option("Glioma")
    second.get_by_role("button", name="Heat map", exact=True).click()
    assert sample.evaluate("window.wishes") == [
        {"on": True, "class": None},
        {"on": True, "class": "glioma"},
        {"on": False, "class": "glioma"},
    ]
    assert sample.evaluate("window.second.explained") == {"on": False, "class": "glioma"}
    with pytest.raises(Exception, match="The image did not load"):
        sample.evaluate(
            "window.second.show({ src: 'data:,x', width: 1, height: 1, alt: '' })"
            ".catch((error) => { throw error.message; })"
        )
