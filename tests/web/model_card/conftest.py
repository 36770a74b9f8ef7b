"""Reports that tests may change, and the page made of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from model.config import ARTIFACTS
from tests.web.model_card.pages import PageWith
from web.model_card.reports import OF_ARTIFACTS, OF_REPORTS, REPORTS


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the reports in one folder, which the app then reads; tests may change them."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for name in OF_ARTIFACTS:
        shutil.copy(ARTIFACTS / f"{name}.json", folder)
    for name in OF_REPORTS:
        shutil.copy(REPORTS / f"{name}.json", folder)
    shutil.copy(ARTIFACTS / "history.csv", folder)
    monkeypatch.setattr("web.model_card.reports.ARTIFACTS", folder)
    monkeypatch.setattr("web.model_card.reports.REPORTS", folder)
    return folder


@pytest.fixture
def card_page(
    reports: Path, make_app: Callable[..., Flask], gallery_dir: Path
) -> Callable[[], str]:
    """Starts an app on the reports as they are then, and gives the page's HTML."""

    def open_page() -> str:
        answer = make_app(gallery_dir).test_client().get("/model")
        assert answer.status_code == 200
        return answer.text

    return open_page


@pytest.fixture
def page_with(card_page: Callable[[], str], reports: Path) -> PageWith:
    """Changes a report, by its name and what edits its values, and gives the page that follows."""

    def open_changed(name: str, edit: Callable[[Any], object]) -> str:
        path = reports / f"{name}.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        edit(values)
        path.write_text(json.dumps(values), encoding="utf-8")
        return card_page()

    return open_changed
