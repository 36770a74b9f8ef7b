"""The page for one's own images in Chromium: every way in, progress, volumes, downloads, paper."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.scan_files import dicom, nifti, png, white_share
from web.api.uploads import MAX_UPLOAD_BYTES

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
PREDICTIONS = "**/api/v1/predictions*"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A picture, a DICOM file without an ending, a volume, and one that is none of these."""
    shares = [white_share(2 * k + 1, 32).T[::-1, ::-1] for k in (0, 1, 2, 3, 0, 1)]
    contents = {
        "scan.png": png(white_share(1)),
        "other.png": png(white_share(5)),
        "IM000001": dicom(white_share(3).astype(np.uint16)),
        "head.nii.gz": nifti(np.stack(shares, axis=2).astype(np.int16), packed=True),
        "broken.png": b"not a picture at all",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in contents}


@pytest.fixture
def noisy(browser: Browser, address: str) -> Any:
    """A page whose console may speak of errors: the browser itself writes refused answers there."""
    context = browser.new_context(base_url=address, reduced_motion="reduce")
    page = context.new_page()
    page.goto("/analyse")
    yield page
    context.close()


def choose(page: Page, *paths: Path) -> None:
    page.locator("#files").set_input_files([str(path) for path in paths])


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=name)


def says(page: Page, name: str, text: str) -> None:
    """Waits for an answer, told by the class that the stub is a little sure of."""
    found = card(page, name)
    if text == "No tumor":
        expect(found.locator(".card-says")).to_have_text("The network saysProbably no tumor")
        return
    expect(found.locator(".card-says")).to_have_text("The network saysTumor: likely")
    expect(found.locator("[data-field=kind]")).to_have_text(f"Kind: {text.lower()}.")


def transfer(page: Page, name: str, content: bytes) -> Any:
    """A DataTransfer with one file, as a paste or a drop carries it."""
    make = """([name, content]) => {
      const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name, { type: "image/png" }));
      return transfer;
    }"""
    return page.evaluate_handle(make, [name, base64.b64encode(content).decode()])


def test_several_files_by_button(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    choose(page, files["scan.png"], files["IM000001"])
    says(page, "scan.png", "Glioma")
    says(page, "IM000001", "Meningioma")
    found = card(page, "scan.png")
    expect(found.locator("[data-class=glioma] .bar-value")).to_have_text("75.0 %")
    expect(found.locator("[data-field=time]")).to_have_text("12.5 ms")
    expect(found.locator(".scan-image")).to_have_attribute("src", re.compile("^data:image/webp"))
    expect(found.locator(".doubt")).to_be_hidden()
    expect(page.locator("#tally")).to_have_text("2 of 2 answered")
    expect(page.get_by_role("status").first).to_have_text(re.compile("the network says"))
    expect(page.locator("#rows tr")).to_have_count(2)


def test_paste_and_drop(open_page: OpenPage) -> None:
    page = open_page("/analyse")
    pasted = transfer(page, "pasted.png", png(white_share(1)))
    page.evaluate(
        """(clipboardData) => document.body.dispatchEvent(
          new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))""",
        pasted,
    )
    says(page, "pasted.png", "Glioma")
    dropped = transfer(page, "dropped.png", png(white_share(7)))
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#drop")).to_have_class(re.compile("is-over"))
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop")).not_to_have_class(re.compile("is-over"))
    says(page, "dropped.png", "Pituitary tumor")


def test_a_sample_of_the_gallery(open_page: OpenPage) -> None:
    page = open_page("/analyse")
    page.get_by_role("button", name="Try one of our phantoms").click()
    expect(page.locator(".card-says")).to_have_count(1)
    expect(page.locator("[data-field=truth]")).to_have_text(
        re.compile("^(Glioma|Meningioma|No tumor|Pituitary tumor)$")
    )


def test_a_heat_map_is_made_once_for_each_class(
    open_page: OpenPage, files: dict[str, Path]
) -> None:
    page = open_page("/analyse")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    choose(page, files["scan.png"])
    says(page, "scan.png", "Glioma")
    found = card(page, "scan.png")
    found.get_by_role("button", name="Heat map").click()
    expect(found.locator(".scan-heat")).to_be_visible()
    expect(found.locator(".scan-said")).to_contain_text("Evidence for Glioma")
    found.get_by_role("combobox").select_option("pituitary")
    expect(found.locator(".scan-said")).to_contain_text("Evidence for Pituitary tumor")
    found.get_by_role("combobox").select_option("")
    expect(found.locator(".scan-said")).to_contain_text("Evidence for Glioma")
    sent = [url for url in asked if "/predictions" in url]
    assert len(sent) == 2
    assert "explain_class=pituitary" in sent[1]


def test_a_broken_file_among_good_ones(noisy: Page, files: dict[str, Path]) -> None:
    choose(noisy, files["broken.png"], files["scan.png"])
    says(noisy, "scan.png", "Glioma")
    broken = card(noisy, "broken.png")
    expect(broken.locator(".card-failed")).to_contain_text("This kind of file is not supported.")
    expect(broken.locator(".card-failed")).to_contain_text("Choose a picture, a DICOM file or")
    expect(broken.locator("[lang=en]")).to_contain_text("Received: 20 bytes of none of these")
    expect(broken.get_by_role("button", name="Try again")).to_be_hidden()
    broken.get_by_role("button", name="Remove").click()
    expect(noisy.locator(".card")).to_have_count(1)
    expect(noisy.locator("#batch")).to_be_hidden()
    assert noisy.evaluate("document.activeElement.textContent") == "scan.png"


def test_a_spanish_reader_is_told_in_spanish(
    browser_page: OpenPage, files: dict[str, Path], tmp_path: Path
) -> None:
    page = browser_page("/analyse", locale="es-ES")
    cut = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    cut.write_bytes(png(noise)[:1000])
    choose(page, files["broken.png"], cut)
    for name, words in (("broken.png", "Elija una imagen"), ("cut.png", "Puede estar cortado")):
        failed = card(page, name).locator(".card-failed")
        expect(failed).to_contain_text(words)
        english = failed.locator("[lang=en]")
        expect(english).to_contain_text("Received: ")
        left = failed.evaluate(
            """(it) => { const copy = it.cloneNode(true); copy.querySelector("[lang=en]").remove();
                         return copy.textContent; }"""
        )
        assert "En detalle:" in left
        assert "Received" not in left


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


def test_a_volume_slice_by_slice_and_as_a_whole(
    open_page: OpenPage, files: dict[str, Path]
) -> None:
    page = open_page("/analyse")
    choose(page, files["head.nii.gz"])
    says(page, "head.nii.gz", "Pituitary tumor")  # slice 3, the middle one of six
    found = card(page, "head.nii.gz")
    expect(found.locator("[data-field=slice]")).to_have_text("axial 3 (0–5)")
    expect(found.locator(".contact button")).to_have_count(6)
    found.get_by_role("button", name="Slice 2", exact=True).click()
    number = found.get_by_role("spinbutton", name="Slice")
    expect(number).to_have_value("2")
    found.get_by_role("button", name="Previous slice").click()
    found.get_by_role("button", name="Read slice 1").click()
    says(page, "head.nii.gz", "Meningioma")
    found.get_by_role("slider", name="Slice", exact=True).press("End")
    expect(number).to_have_value("5")
    number.fill("0")
    number.press("Enter")
    says(page, "head.nii.gz", "Glioma")
    found.get_by_role("button", name="Read all 6 slices").click()
    expect(found.locator(".plot polyline")).to_have_count(4)
    expect(found.locator(".plot [data-class=glioma] [data-field=value]")).to_have_text("75.0 %")
    expect(
        found.get_by_role("img", name=re.compile("^Slices by answer: Glioma: 2"))
    ).to_be_visible()
    found.get_by_role("radio", name="sagittal").check(force=True)
    expect(found.get_by_role("button", name="Read all 32 slices")).to_be_visible()
    expect(found.locator(".plot")).to_be_hidden()
    found.get_by_role("button", name="Read slice 16").click()
    expect(found.locator("[data-field=slice]")).to_have_text("sagittal 16 (0–31)")


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


def download(page: Page, name: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=name).click()
    return Path(waiting.value.path()).read_text(encoding="utf-8-sig", errors="strict")


def test_downloads(noisy: Page, files: dict[str, Path]) -> None:
    formula = files["scan.png"].with_name("=1+1.png")
    files["other.png"].rename(formula)
    choose(noisy, files["scan.png"], files["head.nii.gz"], formula, files["broken.png"])
    expect(noisy.locator(".card[aria-busy=false]")).to_have_count(4)
    volume = card(noisy, "head.nii.gz")
    volume.get_by_role("button", name="Read all 6 slices").click()
    expect(volume.locator(".plot")).to_be_visible()
    expect(noisy.locator("#rows tr")).to_have_count(4)
    rows = list(csv.DictReader(io.StringIO(download(noisy, "Download CSV"), newline="")))
    assert [(row["filename"], row["slice"], row["label"]) for row in rows] == [
        ("scan.png", "", "glioma"),
        ("head.nii.gz", "0", "glioma"),
        ("head.nii.gz", "1", "meningioma"),
        ("head.nii.gz", "2", "notumor"),
        ("head.nii.gz", "3", "pituitary"),
        ("head.nii.gz", "4", "glioma"),
        ("head.nii.gz", "5", "meningioma"),
        ("'=1+1.png", "", "notumor"),
        ("broken.png", "", ""),
    ]
    assert rows[0]["probability_glioma"] == "0.75"
    assert rows[0]["model_sha256"] == "5" * 64
    assert rows[1]["plane"] == "axial"
    assert rows[-1]["error"].startswith("This kind of file is not supported.")
    document = json.loads(download(noisy, "Download JSON"))
    assert document["model"] == {"name": "stub", "version": "0.0.0", "sha256": "5" * 64}
    entries = document["predictions"]
    assert len(entries) == 9
    assert entries[0]["probabilities"]["glioma"] == 0.75
    assert "preview" not in entries[0]
    assert entries[-1]["error"]["title"] == "This kind of file is not supported."


def test_a_report_on_paper(open_page: OpenPage, files: dict[str, Path]) -> None:
    page = open_page("/analyse")
    page.evaluate("window.print = () => { window.printed = true; }")
    choose(page, files["scan.png"], files["other.png"])
    says(page, "other.png", "No tumor")
    card(page, "other.png").get_by_role("button", name="Print or save as PDF").click()
    expect(page.locator("html[data-sheet]")).to_have_count(1)
    assert page.evaluate("window.printed") is True
    expect(page.locator("#sheet")).to_be_hidden()
    page.emulate_media(media="print")
    sheet = page.locator("#sheet")
    expect(sheet).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator(".top")).to_be_hidden()
    expect(sheet).to_contain_text("Probably no tumor")
    expect(sheet).to_contain_text("other.png")
    expect(sheet).to_contain_text("5" * 64)
    expect(sheet).to_contain_text("No medical device and no diagnosis.")
    for name in ("image", "heat"):
        assert (
            sheet.locator(f"img[data-field={name}]").evaluate("(image) => image.naturalWidth") > 0
        )
    pages = page.pdf(format="A4").count(b"/Type /Page\n")
    assert pages == 1
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#sheet")).to_be_hidden()


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
