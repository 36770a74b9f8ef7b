"""Studies on the page Analyse: folders and archives, their series, and one answer for one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Locator, Page, Route, expect

from tests.scan_files import dicom, png, white_share
from web.pages.script_words import ANALYSE_WORDS as WORDS

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]
GLIOMA, NO_TUMOR = 1, 5  # white eighths
SERIES = "1.2.1"


DROP = """files => {
  const file = ([name, content]) => new File([new Uint8Array(content)], name);
  const entry = (one) => ({ isFile: true, file: (take) => take(file(one)) });
  const batches = [files.slice(0, 5), files.slice(5), []];
  const readEntries = (take) => take(batches.shift().map(entry));
  const folder = { isDirectory: true, name: "T1", createReader: () => ({ readEntries }) };
  const items = [{ webkitGetAsEntry: () => folder }];
  const dataTransfer = { types: ["Files"], items, files: [{ name: "T1" }] };
  const drop = new Event("drop", { cancelable: true });
  document.dispatchEvent(Object.assign(drop, { dataTransfer }));
}"""


def slice_of(place: int, eighths: int, **about: Any) -> bytes:
    tags: dict[str, Any] = {
        "SeriesInstanceUID": SERIES, "SeriesNumber": 2, "SeriesDescription": "AX T1 GD",
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, 6 * place],
    }  # fmt: skip
    return dicom(white_share(eighths).astype(np.uint16), **(tags | about))


def contents() -> dict[str, bytes]:
    """Twelve slices, of which 4 to 7 show a tumor, named against their order; two other series."""
    found = {
        f"T1/{20 - place}": slice_of(place, GLIOMA if 4 <= place <= 7 else NO_TUMOR)
        for place in range(12)
    }
    scout = {"SeriesInstanceUID": "1.2.0", "SeriesNumber": 1, "SeriesDescription": "Scout"}
    found["scout/1"] = slice_of(0, NO_TUMOR, **scout)
    flair = {"SeriesInstanceUID": "1.2.2", "SeriesNumber": 3, "SeriesDescription": "AX FLAIR"}
    for place in range(3):
        found[f"FLAIR/{place}"] = slice_of(place, NO_TUMOR, **flair)
    found["report.pdf"] = b"%PDF-1.4"
    found["__MACOSX/T1/._20"] = b"hidden"
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "study"
    for name, content in contents().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for k, (name, content) in enumerate(contents().items()):
            packed.writestr(name, content, zipfile.ZIP_DEFLATED if k % 2 else zipfile.ZIP_STORED)
    return path


def series(page: Page) -> Locator:
    return page.locator("#study-series li")


def expect_the_answer(page: Page) -> Locator:
    card = page.locator(".card").first
    expect(card.locator(".series-says")).to_have_text("Tumor seen")
    expect(card.locator("[data-field=series-why]")).to_have_text("In 4 neighboring slices: 4 to 7.")
    return card


def expect_the_series(page: Page) -> None:
    expect(series(page)).to_have_count(3)
    expect(series(page).nth(0)).to_contain_text("Not answered: a localizer.")
    expect(series(page).nth(1)).to_contain_text("axial · T1 with contrast agent · 12 slices")
    expect(series(page).nth(2)).to_contain_text("axial · FLAIR · 3 slices")
    expect(page.locator("#study-note")).to_have_text(str(WORDS["study_best"]))
    expect(page.locator("#study-left")).to_contain_text("left out: 1.")


def test_a_folder(open_page: OpenPage, folder: Path) -> None:
    page = open_page("/analyse")
    page.locator("#folder").set_input_files(folder)
    expect_the_series(page)
    card = expect_the_answer(page)
    expect(card.locator(".card-name")).to_have_text("AX T1 GD")
    expect(card).to_have_attribute("data-state", "done")
    # the highest probability first, and the plot over all slices
    shown = card.locator("[data-field=highest] img")
    expect(shown).to_have_count(8)
    for place in range(4):
        expect(shown.nth(place)).to_have_attribute("alt", f"Slice {4 + place}")
    expect(card.locator("[data-field=plot] polyline")).to_have_count(4)
    expect(card.locator("[data-field=lines] .plot-tumor")).to_have_count(1)
    expect(card.locator("[data-field=tumor]")).to_have_text("91.7 %")
    expect(card.locator("[data-field=slice]")).to_have_text("4 (0–11)")
    card.locator("[data-field=highest] button").nth(2).click()
    expect(card.locator("[data-field=slice]")).to_have_text("6 (0–11)")


def test_an_archive_of_which_each_file_is_sent_once(open_page: OpenPage, archive: Path) -> None:
    page = open_page("/analyse")
    sent: list[int] = []

    def count(route: Route) -> None:
        sent.append((route.request.post_data_buffer or b"").count(b'name="file"'))
        route.continue_()

    page.route("**/api/v1/predictions*", count)
    page.locator("#files").set_input_files(archive)
    expect_the_series(page)
    expect_the_answer(page)
    assert sent == [1, 8, 4]  # the middle one first


def test_another_series_is_read_when_it_is_asked_for(open_page: OpenPage, archive: Path) -> None:
    page = open_page("/analyse")
    page.locator("#files").set_input_files(archive)
    expect_the_answer(page)
    expect(series(page).nth(1).locator("button")).to_be_disabled()
    expect(series(page).nth(0).locator("button")).to_have_count(0)
    series(page).nth(2).locator("button").click()
    other = page.locator(".card").nth(1)
    expect(other.locator(".series-says")).to_have_text("No tumor seen")
    expect(other.locator("[data-field=series-why]")).to_have_text("In none of 3 slices.")


def test_a_folder_that_is_dropped(open_page: OpenPage) -> None:
    page = open_page("/analyse")
    files = [[name, list(content)] for name, content in contents().items() if "T1/" in name[:3]]
    page.evaluate(
        DROP,
        files,
    )
    expect_the_answer(page)
    expect(page.locator("#study-note")).to_have_text(str(WORDS["study_only"]))


def test_a_slice_that_cannot_be_read_does_not_end_the_series(
    browser_page: OpenPage, folder: Path
) -> None:
    page = browser_page("/analyse")
    for name in ("T1/11", "T1/14"):  # places 9 and 6, of which the latter is the middle one
        path = folder / name
        path.write_bytes(path.read_bytes()[:2000])
    page.locator("#folder").set_input_files(folder)
    card = page.locator(".card").first
    expect(card.locator(".series-says")).to_have_text("Cannot tell")
    expect(card.locator("[data-field=series-why]")).to_have_text(
        "In 2 neighboring slices: 4 to 5. The answer is a tumor from 3 on. "
        "Slices that cannot be read: 6, 9."
    )
    expect(card).to_have_attribute("data-state", "done")
    # the plot has a line of each class for each run of slices that are read: 0-5, 7-8 and 10-11
    expect(card.locator("[data-field=plot] polyline")).to_have_count(12)
    expect(card.locator("[data-field=lines] .plot-tumor")).to_have_count(3)
    contact = card.locator("[data-field=contact] button")
    expect(contact).to_have_count(12)
    expect(contact.nth(6).locator("img")).to_have_attribute(
        "alt", "Slice 6: This file cannot be read."
    )
    expect(contact.nth(7).locator("img")).to_have_attribute("alt", "Slice 7")
    contact.nth(6).click()
    expect(card.locator("[data-field=tumor]")).to_have_text("–")
    contact.nth(5).click()
    expect(card.locator("[data-field=tumor]")).to_have_text("91.7 %")


def test_pictures_of_an_archive_are_read_each_for_itself(
    open_page: OpenPage, tmp_path: Path
) -> None:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("some/one.png", png(white_share(GLIOMA)))
        packed.writestr("some/other.png", png(white_share(NO_TUMOR)))
        packed.writestr("read me", "nothing")
    page = open_page("/analyse")
    page.locator("#files").set_input_files(path)
    says = page.locator(".card .card-says [data-field=says]")
    expect(says).to_have_text(["Tumor: likely", "Probably no tumor"])
    expect(page.locator("#study")).to_be_hidden()


def test_what_a_study_needs_is_loaded_with_the_first_one(open_page: OpenPage, folder: Path) -> None:
    page = open_page("/analyse")
    loaded = """performance.getEntriesByType("resource").map(({ name }) => name.split("/").pop())
        .filter((name) => /^(study|series-job|series-view|zip)/.test(name)).length"""
    assert page.evaluate(loaded) == 0
    page.locator("#folder").set_input_files(folder)
    expect_the_series(page)
    assert page.evaluate(loaded) == 4


def test_the_picture_says_how_such_pictures_are_told(
    open_page: OpenPage, web_app: Flask, tmp_path: Path
) -> None:
    card = web_app.extensions["model_card"]
    told = {
        "": {"right": 84, "images": 466, "people": 46},
        "t1c": {"right": 91, "images": 120, "people": 20},
    }
    others = card.sections["others"]
    figures = replace(others, figures={"told": told})
    web_app.extensions["model_card"] = replace(
        card, sections={**card.sections, "others": figures}, sha256="5" * 64
    )
    page = open_page("/analyse")
    (tmp_path / "t1c.dcm").write_bytes(slice_of(0, GLIOMA))
    (tmp_path / "pd.dcm").write_bytes(slice_of(0, GLIOMA, SeriesDescription="AX PD"))
    (tmp_path / "plain.png").write_bytes(png(white_share(GLIOMA)))
    for name, contrast, text in (
        ("t1c.dcm", "T1 with contrast agent", "(T1 with contrast agent), half"),
        ("pd.dcm", "proton density", "it tells 84 in 100 right (466 pictures of 46 people)"),
        ("plain.png", "", "it tells 84 in 100 right (466 pictures of 46 people)"),
    ):
        page.locator("#files").set_input_files(tmp_path / name)
        found = page.get_by_role("article", name=name)
        expect(found.locator("[data-field=told]")).to_contain_text(text)
        expect(found.locator("[data-field=contrast]")).to_have_text(contrast)
    first = page.get_by_role("article", name="t1c.dcm").locator("[data-field=told]")
    expect(first).to_contain_text("tells 91 in 100 right (120 pictures of 20 people)")


def test_nothing_is_said_of_another_network_than_was_measured(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page("/analyse")  # the stub's
    (tmp_path / "plain.png").write_bytes(png(white_share(GLIOMA)))
    page.locator("#files").set_input_files(tmp_path / "plain.png")
    found = page.get_by_role("article", name="plain.png")
    expect(found.locator("[data-field=kind]")).to_have_text("Kind: glioma.")
    expect(found.locator("[data-field=told]")).to_be_hidden()
    expect(found.locator("[data-field=contrast]")).to_be_hidden()


def test_an_archive_that_is_none_says_so(open_page: OpenPage, tmp_path: Path) -> None:
    path = tmp_path / "broken.zip"
    path.write_bytes(b"PK\3\4 and nothing")
    page = open_page("/analyse")
    page.locator("#files").set_input_files(path)
    expect(page.locator("#study-note")).to_have_text(str(WORDS["study_damaged"]))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_it_is_accessible_and_nothing_overflows_sideways(
    open_page: OpenPage, archive: Path, width: int, scheme: str
) -> None:
    page = open_page("/analyse", viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.locator("#files").set_input_files(archive)
    expect_the_answer(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(entry["id"], [node["target"] for node in entry["nodes"]]) for entry in found] == []


def test_a_spanish_reader_is_told_in_spanish(open_page: OpenPage, archive: Path) -> None:
    page = open_page("/analyse", locale="es-ES")
    page.locator("#files").set_input_files(archive)
    card = page.locator(".card").first
    expect(card.locator(".series-says")).to_have_text("Se ve un tumor")
    expect(card.locator("[data-field=series-why]")).to_have_text("En 4 cortes vecinos: del 4 al 7.")
    expect(series(page).nth(0)).to_contain_text("Sin respuesta: un localizador.")
