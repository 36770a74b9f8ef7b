"""The page Model where a report or a figure is missing or damaged: it is said, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import StartupError
from tests.conftest import StubClassifier
from tests.web.html import text_of
from tests.web.model_card.pages import IDS, PageWith, part_of, part_text, report
from web.model_card.page import make_card
from web.model_card.reports import OF_ARTIFACTS, ReportError, load_reports

# what is missing or damaged


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("evaluation", {"facts", "others", "results", "confusion", "calibration", "abstaining"}),
        ("metadata", {"facts", "network", "training"}),
        ("audit", {"data"}),
        ("shortcuts", {"looking"}),
        ("corruptions", {"corruptions"}),
        ("ood", set()),
        ("serving", set()),
    ],
)
def test_an_absent_report_costs_its_sections_alone(
    card_page: Callable[[], str], reports: Path, name: str, gone: set[str]
) -> None:
    (reports / f"{name}.json").unlink()
    page = card_page()
    folder = "model/artifacts" if name in OF_ARTIFACTS else "benchmarks/reports"
    for section in IDS:
        part = part_text(page, section)
        assert ("This part is left out" in part) is (section in gone)
        assert (f"{folder}/{name}.json" in part) is (section in gone)


def test_with_no_report_at_all_the_page_stands(card_page: Callable[[], str], reports: Path) -> None:
    for path in reports.iterdir():
        path.unlink()
    page = card_page()
    assert page.count("This part is left out") == len(IDS) - 3  # use, limits, licence
    assert "model/artifacts/metadata.json" in part_text(page, "network")
    assert "No tumor has a style of its own." in part_text(page, "limits")


@pytest.mark.parametrize(
    ("section", "name", "edit", "missing"),
    [
        ("looking", "shortcuts", lambda r: r["control"].pop("changed"),
         "benchmarks/reports/shortcuts.json: control.changed"),
        ("facts", "evaluation", lambda r: r["files"]["litert"].pop("test_unseen"),
         "model/artifacts/evaluation.json: files.litert.test_unseen"),
        ("data", "audit", lambda r: r["test"]["unseen"].pop("glioma"),
         "benchmarks/reports/audit.json: test.unseen.glioma"),
        ("corruptions", "corruptions", lambda r: r.update(clean="all of them"), "TypeError"),
        ("abstaining", "evaluation",
         lambda r: r["finding"]["sets"]["test_unseen"].update(images=0), "ZeroDivisionError"),
        ("calibration", "evaluation",
         lambda r: r["calibration"]["sets"]["test"]["after"].update(reliability=[]), "ValueError"),
    ],
)  # fmt: skip
def test_a_missing_figure_is_named(
    page_with: PageWith,
    section: str,
    name: str,
    edit: Callable[[Any], object],
    missing: str,
) -> None:
    part = part_text(page_with(name, edit), section)
    assert "This part is left out: its figures are not in the reports." in part
    assert missing in part


def test_heat_maps_may_be_missing_alone(page_with: PageWith) -> None:
    part = part_text(page_with("shortcuts", lambda r: r.pop("heat_maps")), "looking")
    assert "Phantom twins" in part
    assert "How well the heat maps point is not measured." in part


def test_without_a_history_there_are_no_curves(card_page: Callable[[], str], reports: Path) -> None:
    (reports / "history.csv").unlink()
    part = part_of(card_page(), "training")
    assert "There are no training curves" in part
    assert "polyline" not in part


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("evaluation.json", "{", "The report {path} cannot be read: Expecting property name"),
        ("ood.json", "[]", "The report {path} must hold a JSON object. Received: list."),
        ("audit.json", '{"a": NaN}', "The report {path} cannot be read: NaN is no figure."),
        ("history.csv", "epoch,loss\n1,x\n", "The history {path} cannot be read: could not"),
        ("history.csv", "epoch,loss\n1,nan\n", "The history {path} cannot be read: nan is no"),
        ("history.csv", "epoch,loss\n1\n", "The history {path} cannot be read"),
    ],
)
def test_a_damaged_report_stops_the_app(
    make_app: Callable[..., Flask],
    gallery_dir: Path,
    reports: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str,
    sentence: str,
) -> None:
    (reports / name).write_text(content, encoding="utf-8")
    with pytest.raises(ReportError):
        load_reports()
    with pytest.raises(StartupError) as stopped:
        make_app(gallery_dir)
    assert sentence.format(path=reports / name) in str(stopped.value)
    assert capsys.readouterr().err.startswith("Cannot start: The ")


def test_figures_of_another_model_are_called_that(
    card_page: Callable[[], str], page_with: PageWith, classifier: StubClassifier
) -> None:
    sha256 = report("evaluation")["model"]["files"]["brain_tumor_cnn.tflite"]
    page = text_of(card_page())
    assert (
        f"These figures were measured on another model file (SHA-256 {sha256[:12]}) than the one "
        f"that answers here ({'5' * 12})."
    ) in page
    classifier.sha256 = sha256
    assert "another model file" not in text_of(card_page())
    page = page_with("shortcuts", lambda r: r.update(model_sha256="0" * 64))
    stale = "Measured on another network than the rest of this page: shortcuts"
    assert stale in text_of(page)


def test_the_committed_reports_are_of_one_network() -> None:
    card = make_card(load_reports())
    assert card.stale == ()
    assert [section.id for section in card.sections.values() if section.figures is None] == []
