"""The answers on one's own images taken away from Chromium: downloads, and a report on paper."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.analyse_page import OpenPage, card, choose, says

pytestmark = pytest.mark.browser


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
