"""The page for one's own images in Chromium: every way in, heat maps, volumes, languages."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.analyse_page import OpenPage, card, choose, says
from tests.scan_files import png, white_share

pytestmark = pytest.mark.browser


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
