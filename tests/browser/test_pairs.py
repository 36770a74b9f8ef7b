"""NIfTI pairs on the page Analyse: a header and its voxels are one volume."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.analyse_page import OpenPage, card, choose

pytestmark = pytest.mark.browser


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    voxels = np.zeros((16, 18, 5), np.int16)
    voxels[:2] = 255
    header, content = tmp_path / "study" / "head.hdr", tmp_path / "study" / "head.img"
    header.parent.mkdir()
    nibabel.save(nibabel.Nifti1Pair(voxels, np.diag([1, 1, 4, 1])), header)
    return header, content


@pytest.mark.parametrize("packed", [False, True])
def test_a_pair_that_is_chosen_is_one_volume(
    open_page: OpenPage, pair: tuple[Path, Path], packed: bool
) -> None:
    files = list(pair)
    if packed:
        files = [path.with_name(f"{path.name}.gz") for path in pair]
        for path, whole in zip(pair, files, strict=True):
            whole.write_bytes(gzip.compress(path.read_bytes()))
    page = open_page("/analyse")
    choose(page, *files[::-1])  # the voxels first
    expect(page.locator(".card")).to_have_count(1)
    found = card(page, files[0].name)
    expect(found).to_have_attribute("data-state", "done")
    expect(found.locator("[data-field=slice]")).to_have_text("axial 2 (0–4)")
    expect(found.locator("[data-field=planes] .count")).to_have_text(["5", "18", "16"])


def test_a_pair_in_a_folder_is_one_volume(open_page: OpenPage, pair: tuple[Path, Path]) -> None:
    page = open_page("/analyse")
    page.locator("#folder").set_input_files(pair[0].parent)
    expect(page.locator(".card")).to_have_count(1)
    expect(page.locator(".card")).to_have_attribute("data-state", "done")
    expect(page.locator(".card [data-field=planes] .count")).to_have_text(["5", "18", "16"])


def test_voxels_without_their_header_are_said_to_be_so(
    noisy: Page, pair: tuple[Path, Path]
) -> None:
    choose(noisy, pair[1])
    expect(noisy.locator(".card")).to_have_attribute("data-state", "failed")
    expect(noisy.locator(".card [data-field=detail]")).to_contain_text("without its header (.hdr)")
