"""The heat map in Chromium, on the sample page: place, opacity, class, address."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.viewer import asked, shown, turn_on

pytestmark = pytest.mark.browser

# The stub's heat is 1 at values[28][84] of 112 x 112 and 0 elsewhere: the middle of the upper right
SPOT = (84.5 / 112, 28.5 / 112)


def alpha_at(page: Page, x: float, y: float) -> int:
    """Opacity of the drawn map, 0 to 255, at shares of its width and height."""
    script = """(el, [x, y]) => {
        const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        copy.drawImage(el, -Math.floor(x * el.width), -Math.floor(y * el.height));
        return copy.getImageData(0, 0, 1, 1).data[3];
    }"""
    return int(page.locator(".scan-heat").evaluate(script, [x, y]))


def test_the_heat_map_lies_where_the_evidence_is(sample: Page) -> None:
    stage = sample.locator(".scan-stage")
    turn_on(sample)
    sample.keyboard.press("h")
    expect(sample.locator(".scan-heat")).to_be_hidden()
    before = shown(sample, stage)
    requests = asked(sample)
    sample.keyboard.press("h")
    turn_on(sample)
    assert requests == []  # it is known
    expect(sample.locator(".scan-said")).to_have_text(
        "Evidence for Glioma, strongest at the top right of the image."
    )
    assert alpha_at(sample, *SPOT) > 180
    for x, y in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.75), (0.5, 0.5)):
        assert alpha_at(sample, x, y) == 0
    after = shown(sample, stage)
    spot = tuple(int(share * side) for share, side in zip(SPOT, after.size, strict=True))
    elsewhere = (after.width // 4, after.height * 3 // 4)
    assert before.getpixel(spot) == (0, 0, 0)
    red, green, blue = after.getpixel(spot)  # type: ignore[misc]
    assert min(red, green) > blue + 20 > 20  # inferno's bright end is yellow
    assert after.getpixel(elsewhere) == before.getpixel(elsewhere)


def test_opacity_fades_the_map_alone(sample: Page) -> None:
    turn_on(sample)
    heat, slider = sample.locator(".scan-heat"), sample.get_by_label("Opacity")
    expect(heat).to_have_css("opacity", "0.55")
    slider.fill("100")
    expect(heat).to_have_css("opacity", "1")
    expect(slider).to_have_attribute("aria-valuetext", "100 %")
    slider.press("ArrowLeft")  # the slider moves, not the page
    expect(heat).to_have_css("opacity", "0.95")
    expect(sample).to_have_url(re.compile("glioma-00$"))


def test_another_class_is_asked_for(sample: Page) -> None:
    turn_on(sample)
    requests = asked(sample)
    classes = sample.get_by_label("Heat map for")
    classes.select_option("Pituitary tumor")  # turns it on as well
    expect(sample.locator(".scan-said")).to_contain_text("Evidence for Pituitary tumor")
    expect(sample.get_by_role("button", name="Heat map", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    classes.select_option("the predicted class")
    expect(sample.locator(".scan-said")).to_contain_text("Evidence for Glioma")
    classes.select_option("Pituitary tumor")  # known already
    expect(sample.locator(".scan-said")).to_contain_text("Evidence for Pituitary tumor")
    assert requests == ["samples/glioma-00/prediction?explain=true&explain_class=pituitary"]
    expect(sample.locator("[data-field=kind]")).to_have_text("Kind: glioma.")


def test_the_heat_map_stays_on_from_sample_to_sample(sample: Page) -> None:
    turn_on(sample)
    sample.keyboard.press("ArrowRight")
    expect(sample.locator("[data-field=kind]")).to_have_text("Kind: meningioma.")
    expect(sample.locator(".scan-said")).to_contain_text("Evidence for Meningioma")
    expect(sample.locator(".scan-heat")).to_be_visible()
    sample.keyboard.press("h")
    expect(sample.locator(".scan-heat")).to_be_hidden()
    expect(sample.locator(".scan-said")).to_have_text("")
    requests = asked(sample)
    sample.keyboard.press("ArrowLeft")
    expect(sample.locator("[data-field=kind]")).to_have_text("Kind: glioma.")
    assert not [url for url in requests if "explain" in url]


def test_a_map_without_evidence_and_a_map_that_fails(sample: Page) -> None:
    def nothing(route: Any) -> None:
        answer = route.fetch().json()
        answer["prediction"]["explanation"]["values"] = [[0.0] * 112] * 112
        route.fulfill(json=answer)

    sample.route("**/prediction?explain=true", nothing)
    sample.reload()
    turn_on(sample)
    expect(sample.locator(".scan-said")).to_have_text("Nothing in this image speaks for Glioma.")
    assert alpha_at(sample, *SPOT) == 0
    sample.route(
        "**/prediction?*meningioma", lambda route: route.fulfill(body="no JSON", status=200)
    )
    sample.get_by_label("Heat map for").select_option("Meningioma")
    expect(sample.locator(".scan-heat")).to_be_hidden()
    expect(sample.locator(".scan-said")).not_to_contain_text("Looking for the evidence")
    expect(sample.locator(".scan-said")).not_to_be_empty()


def test_the_address_says_whether_there_is_a_heat_map(open_page: Callable[..., Page]) -> None:
    page = open_page("/samples/glioma-00?class=glioma")
    turn_on(page)
    expect(page).to_have_url(re.compile(r"/samples/glioma-00\?class=glioma$"))
    page.get_by_label("Heat map for").select_option("pituitary")
    expect(page).to_have_url(re.compile("#heat=pituitary$"))
    page.locator(".scan-stage").press("h")
    expect(page).to_have_url(re.compile(r"/samples/glioma-00\?class=glioma#plain$"))
    page.reload()
    expect(page.locator(".scan-tools")).to_be_visible()
    expect(page.locator(".scan-heat")).to_be_hidden()


@pytest.mark.parametrize(
    ("mark", "class_", "said"),
    [("#heat", "", "Glioma"), ("#heat=notumor", "notumor", "No tumor"), ("#heat=x", "", "Glioma")],
)
def test_a_link_shows_the_heat_map_it_was_shared_with(
    open_page: Callable[..., Page], mark: str, class_: str, said: str
) -> None:
    page = open_page(f"/samples/glioma-00{mark}")
    expect(page.locator(".scan-heat")).to_be_visible()
    expect(page.get_by_label("Heat map for")).to_have_value(class_)
    expect(page.locator(".scan-said")).to_contain_text(f"Evidence for {said}")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("[data-field=id]")).to_have_text("glioma-01")
    assert page.url.endswith(f"/samples/glioma-01{f'#heat={class_}' if class_ else ''}")
    page.get_by_role("link", name="Español").click()  # comes back with the heat map
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.locator(".scan-heat")).to_be_visible()


def test_the_heat_map_keeps_its_place_while_zoomed(sample: Page) -> None:
    turn_on(sample)
    box = sample.locator(".scan-stage").bounding_box()
    assert box
    sample.mouse.dblclick(box["x"] + box["width"] * SPOT[0], box["y"] + box["height"] * SPOT[1])
    picture = shown(sample, sample.locator(".scan-stage"))
    red, green, blue = picture.getpixel(  # type: ignore[misc]
        tuple(int(share * side) for share, side in zip(SPOT, picture.size, strict=True))
    )
    assert min(red, green) > blue + 20 > 20


def test_the_heat_map_keeps_its_place_in_a_flat_window(sample: Page) -> None:
    sample.set_viewport_size({"width": 1280, "height": 450})  # the stage is no square any more
    turn_on(sample)
    picture = shown(sample, sample.locator(".scan-stage"))
    assert picture.width > picture.height * 1.2
    left = (picture.width - picture.height) / 2
    spot = int(left + picture.height * SPOT[0]), int(picture.height * SPOT[1])
    red, green, blue = picture.getpixel(spot)  # type: ignore[misc]
    assert min(red, green) > blue + 20 > 20
