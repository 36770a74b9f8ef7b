"""A folder of labelled pictures, judged in the browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from web.pages import judge

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Page]


@pytest.fixture
def folder(gallery_dir: Path, tmp_path: Path) -> Path:
    """Two gliomas, one of them among the healthy, a healthy head, a damaged file, hidden ones."""
    glioma = (gallery_dir / "glioma-00.png").read_bytes()
    healthy = (gallery_dir / "notumor-00.png").read_bytes()
    root = tmp_path / "mine"
    for name, content in {
        "glioma/1.png": glioma,
        "no/2.png": glioma,
        "no/3.png": healthy,
        "no/damaged.png": glioma[:90],
        "no/.DS_Store": b"hidden",
        "__MACOSX/no/3.png": b"hidden",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_folder_becomes_a_report(open_page: OpenPage, folder: Path) -> None:
    page = open_page("/judge", accept_downloads=True)
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("#note")).to_have_text(
        "3 pictures judged; 0 are copies of training images and counted apart; 1 could not be read."
    )
    rows = {
        row.split("\t")[0]: row for row in page.locator("#found tbody").inner_text().split("\n")
    }
    assert "100.0 %" in rows["Tumors called tumors"]
    assert "1 / 1" in rows["Tumors called tumors"]
    assert "50.0 %" in rows["Healthy heads called healthy"]
    expect(page.locator("#found-title")).to_be_focused()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the report").click()
    assert saved.value.suggested_filename == "judged.html"
    assert "The surest mistakes" in Path(saved.value.path()).read_text(encoding="utf-8")
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save its figures (JSON)").click()
    figures = json.loads(Path(saved.value.path()).read_text(encoding="utf-8"))
    assert figures["mistakes"][0]["file"] == "mine/no/2.png"


def test_too_many_pictures_are_not_sent(
    open_page: OpenPage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "MAX_CASES", 2)
    page = open_page("/judge")
    page.locator("#folder").set_input_files(folder)
    expect(page.locator("#note")).to_contain_text("Choose at most 2 pictures. This folder has 4;")
    expect(page.locator("#found")).to_be_hidden()


def test_a_folder_without_classes_says_what_is_wrong(
    open_page: OpenPage, folder: Path, tmp_path: Path
) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    (loose / "1.png").write_bytes((folder / "no" / "3.png").read_bytes())
    page = open_page("/judge")
    page.locator("#folder").set_input_files(loose)
    expect(page.locator("#note")).to_contain_text("A picture must lie in a class folder")
