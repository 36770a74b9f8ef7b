"""The model card: every figure is a report's, and what a report lacks is said, not guessed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import StartupError
from model.config import ARTIFACTS, CLASS_NAMES, PARAMETER_COUNT
from tests.conftest import StubClassifier
from web.model_card.page import SECTIONS, make_card, number, whole_percent
from web.model_card.reports import OF_ARTIFACTS, OF_REPORTS, REPORTS, ReportError, load_reports
from web.pages.display import TITLES, percent

ROOT = Path(__file__).resolve().parents[3]
IDS = [id_ for id_, _, _ in SECTIONS]


def text_of(html: str) -> str:
    """The page's text on one line, tags and repeated blanks removed."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def part_of(html: str, section: str) -> str:
    """The HTML of one section."""
    found = re.search(rf'<section[^>]*aria-labelledby="{section}">.*?</section>', html, re.DOTALL)
    assert found, section
    return found[0]


def part_text(html: str, section: str) -> str:
    return text_of(part_of(html, section))


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


def change(path: Path, edit: Callable[[Any], object]) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    edit(values)
    path.write_text(json.dumps(values), encoding="utf-8")


def report(name: str) -> Any:
    folder = ARTIFACTS if name in OF_ARTIFACTS else REPORTS
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


# what the page shows


def test_facts_put_other_collections_first_and_call_the_leaked_figure_leaked(
    client: FlaskClient,
) -> None:
    text = part_text(client.get("/model").text, "facts")
    scores = report("evaluation")["files"]["litert"]
    metadata = report("metadata")
    unseen, official = scores["test_unseen"], scores["test"]
    others = report("evaluation")["other_collections"]
    low, high = others["mean_95"]["balanced"]
    first = (
        f"people of other collections mean of both over {len(others['sets'])} collections, "
        f"{others['people']} people; 95 % interval {percent(low)} to {percent(high)} "
        f"{percent(others['mean']['balanced'])}"
    )
    for words in (
        f"Test images without a copy in Training, {unseen['correct']} of {unseen['images']} "
        + percent(unseen["accuracy"]),
        f"{metadata['parameters']:,} parameters",
        f"{metadata['training']['data']['training']:,} images",
        "patients it has never met cross-validation, 5 of 5 folds",
        percent(report("evaluation")["protocols"]["grouped"]["pooled"]["accuracy"]),
        metadata["files"]["brain_tumor_cnn.tflite"]["sha256"][:12],
    ):
        assert words in text
    copied = report("evaluation")["sets"]["test_images_with_copy_in_training"]
    leaked = (
        f"Official test images leaked {copied} of {official['images']:,} have a copy in Training: "
        f"partly a measure of memory {percent(official['accuracy'])}"
    )
    assert text.index(first) < text.index("patients it has never met") < text.index(leaked)


def test_sections_and_contents_are_in_order(client: FlaskClient) -> None:
    page = client.get("/model").text
    assert re.findall(r'<section[^>]*aria-labelledby="(\w+)">', page) == IDS
    toc = re.search(r'<nav class="toc".*?</nav>', page, re.DOTALL)
    assert toc
    assert re.findall(r'href="#(\w+)"', toc[0]) == IDS[1:]
    assert "left out" not in page
    assert 'href="/model" aria-current="page">Model<' in page


def test_tables_hold_the_reports_figures(client: FlaskClient) -> None:
    page = client.get("/model").text
    evaluation, audit = report("evaluation"), report("audit")
    scores = evaluation["files"]["litert"]
    results = part_text(page, "results")
    for name in ("test_unseen", "test", "test_with_copy_in_training", "validation", "phantoms"):
        found = scores[name]
        low, high = found["accuracy_95"]
        assert (
            f"{found['correct']:,} of {found['images']:,} {percent(found['accuracy'])} "
            f"{percent(low)} to {percent(high)} {percent(found['balanced_accuracy'])}"
        ) in results
    for name, found in scores["test_unseen"]["classes"].items():
        shown = " ".join(percent(found[key]) for key in ("recall", "precision", "f1"))
        assert re.search(rf"{TITLES[name]} \d+ of {found['support']} {shown}", results)
    data = part_text(page, "data")
    for name in CLASS_NAMES:
        copied = audit["test"]["with_copy_in_training"][name]
        unseen = audit["test"]["unseen"][name]
        assert f"{TITLES[name]} {copied} with a copy, {unseen} without" in data
    assert f"{audit['images']['Training']['all']:,}" in data


def test_test_matrices_are_the_reports_and_lead_nowhere(client: FlaskClient) -> None:
    part = part_of(client.get("/model").text, "confusion")
    _gallery, unseen, official = re.findall(r"<table.*?</table>", part, re.DOTALL)
    for table, name in ((unseen, "test_unseen"), (official, "test")):
        cells = [int(n.replace(",", "")) for n in re.findall(r"<td[^>]*>([\d,]+)</td>", table)]
        rows = report("evaluation")["files"]["litert"][name]["confusion"]
        assert cells == [cell for row in rows for cell in row]
        assert "href" not in re.sub(r'<use href="[^"]*"/>', "", table)
    assert "The test matrices lead nowhere: images of the dataset are no part" in text_of(part)


def test_gallery_matrix_counts_what_was_read_and_leads_to_it(read_client: FlaskClient) -> None:
    part = part_of(read_client.get("/model").text, "confusion")
    links = re.findall(r'<a href="(/\?[^"]+)" aria-label="([^"]+)">(\d+)</a>', part)
    assert [(unescape(href), count) for href, _label, count in links] == [
        ("/?class=glioma&predicted=glioma", "1"),
        ("/?class=glioma&predicted=meningioma", "1"),
        ("/?class=meningioma&predicted=meningioma", "1"),
        ("/?class=notumor&predicted=notumor", "1"),
        ("/?class=pituitary&predicted=notumor", "1"),
        ("/?class=pituitary&predicted=pituitary", "1"),
    ]
    assert links[1][1] == "Glioma, answered Meningioma: 1. Show them"
    assert read_client.get(unescape(links[1][0])).status_code == 200
    assert "yet to be read" not in part


def test_gallery_matrix_waits_for_nothing(client: FlaskClient, classifier: StubClassifier) -> None:
    part = part_of(client.get("/model").text, "confusion")
    assert "6 of 6 are yet to be read." in text_of(part)
    assert "/?class=" not in part
    assert classifier.calls == 0


def test_abstaining_adds_up(client: FlaskClient) -> None:
    text = part_text(client.get("/model").text, "abstaining")
    found = report("evaluation")["finding"]["sets"]["test_unseen"]
    counts = [
        int(re.search(rf"(\d+) {words}", text)[1])  # type: ignore[index]
        for words in ("answered and right", "answered and wrong", "not answered")
    ]
    assert sum(counts) == found["images"]
    assert counts[0] / (counts[0] + counts[1]) == pytest.approx(found["right_of_answered"])
    assert (counts[0] + counts[1]) / found["images"] == pytest.approx(found["answered"])
    summary = report("ood")["summary"]["held_out"]
    assert f"{percent(summary['refused'])} of {summary['pictures']} pictures" in text
    kinds = re.findall(r"(\d+) of (\d+)", text[text.index("no brain MRI") :])
    refused, pictures = (sum(int(row[k]) for row in kinds) for k in (0, 1))
    assert pictures == summary["pictures"]
    assert refused / pictures == pytest.approx(summary["refused"])


def test_measures_of_looking_say_whether_the_aim_is_met(client: FlaskClient) -> None:
    text = part_text(client.get("/model").text, "looking")
    shortcuts = report("shortcuts")
    for words, key, at_most in (
        ("Tumor painted out", "painted_out_to_notumor", False),
        ("Another patch painted out", "control_changed", True),
        ("Phantom twins", "pairs_both_right", False),
        ("Heat map points at the tumor", "heat_map_hits", False),
    ):
        value, bar = shortcuts["summary"][key], shortcuts["bars"][key]
        met = value <= bar if at_most else value >= bar
        shown = f"{words} {'aim met' if met else 'aim missed'} {percent(value)}"
        assert shown in text


@pytest.mark.parametrize(
    ("section", "name", "edit", "shown"),
    [
        ("facts", "evaluation",
         lambda r: r["files"]["litert"]["test_unseen"].update(accuracy=0.1234), "12.3 %"),
        ("facts", "metadata", lambda r: r.update(parameters=12345), "12,345 parameters"),
        ("data", "audit",
         lambda r: r["test"]["with_copy_in_training"].update(all=77), "77 of 1,311 test images"),
        ("training", "metadata",
         lambda r: r["training"]["config"].update(phantom_share=0.77), "77 % are phantoms"),
        ("calibration", "evaluation",
         lambda r: r["calibration"]["sets"]["test_unseen"]["after"].update(ece=0.2468), "24.7 %"),
        ("others", "evaluation",
         lambda r: r["other_collections"]["mean"].update(sensitivity=0.4321), "43.2 %"),
        ("abstaining", "evaluation", lambda r: r["calibration"].update(ceiling=0.9876), "98.8 %"),
        ("abstaining", "ood", lambda r: r["summary"]["held_out"].update(refused=0.4321), "43.2 %"),
        ("looking", "shortcuts", lambda r: r["bars"].update(pairs_both_right=0.1),
         "Phantom twins aim met"),
        ("corruptions", "corruptions", lambda r: r["clean"].update(share=0.3456), "34.6 %"),
    ],
)  # fmt: skip
def test_a_changed_report_changes_the_page(
    card_page: Callable[[], str],
    reports: Path,
    section: str,
    name: str,
    edit: Callable[[Any], object],
    shown: str,
) -> None:
    assert shown not in part_text(card_page(), section)
    change(reports / f"{name}.json", edit)
    assert shown in part_text(card_page(), section)


def test_protocols_appear_once_they_are_measured(
    card_page: Callable[[], str], reports: Path
) -> None:
    def forget(evaluation: Any) -> None:
        for name in ("grouped", "clean"):
            evaluation["protocols"].pop(name, None)

    change(reports / "evaluation.json", forget)
    assert "Not measured yet: new patients, in cross-validation; a network trained" in text_of(
        card_page()
    )

    def measure(evaluation: Any) -> None:
        run = evaluation["protocols"]["official"]["runs"][0] | {"seed": 3, "recipe": "one run"}
        old = run | {"recipe": "first release"}
        run["test"] |= {"correct": 1293, "accuracy": 0.9863, "balanced_accuracy": 0.9851}
        recalls = dict(zip(CLASS_NAMES, (0.9667, 0.98, 1.0, 0.99), strict=True))
        for name, figures in run["test"]["classes"].items():
            figures["recall"] = recalls[name]
        pooled = {**run["test"], "accuracy": 0.8765}
        clean = {**run, "test": {**run["test"], "accuracy": 0.9123}}
        evaluation["protocols"]["grouped"] = {
            "folds_wanted": 5, "pooled": pooled,
            "runs": [old | {"protocol": f"fold-{k}"} for k in range(3)],
            "accuracy": 0.8754, "accuracy_sd": 0.0321,
            "balanced_accuracy": 0.8642, "balanced_accuracy_sd": 0.0213,
        }  # fmt: skip
        evaluation["protocols"]["clean"] = {"runs": [clean, {**clean, "seed": 8}]}

    change(reports / "evaluation.json", measure)
    page = card_page()
    results = part_text(page, "results")
    assert "New patients: 3 of 5 folds first release’s recipe 1,293 of 1,311 87.6 %" in results
    assert "First release’s recipe: networks trained as in the first release" in results
    assert "fold-2 1,293 of 1,311 98.6 % 98.5 % Glioma 96.7 %" in results
    assert "Mean, and standard deviation 87.5 % ± 3.2 % 86.4 % ± 2.1 %" in results
    assert "Trained without a copy of any test image seed 3 1,293 of 1,311 91.2 %" in results
    assert "Trained without a copy of any test image seed 8" in results
    assert "Not measured yet" not in results
    facts = part_text(page, "facts")
    assert "never met cross-validation, 3 of 5 folds, first release’s recipe 87.6 %" in facts
    assert "no patient is on both sides, 87.6 % of the answers are right" in part_text(
        page, "limits"
    )


def test_calibration_by_protocol_shows_what_was_measured(
    card_page: Callable[[], str], reports: Path
) -> None:
    def measure(evaluation: Any) -> None:
        protocols = evaluation["protocols"]
        run = protocols["official"]["runs"][0] | {"recipe": "one run"}
        protocols["grouped"]["runs"][0]["recipe"] = "first release"
        found = {"images": 1311, "ece": 0.0412, "adaptive_ece": 0.04, "brier": 0.0567}
        both = {"before": found, "after": found | {"ece": 0.0123}}
        other = {k: v for k, v in run["test"].items() if k != "calibration"}
        protocols["clean"] = {
            "runs": [run | {"seed": 8, "test": run["test"] | {"calibration": both}},
                     run | {"seed": 9, "test": other}],
        }  # fmt: skip
        protocols["grouped"]["pooled"]["calibration"] = found | {"images": 7019, "ece": 0.0345}

    change(reports / "evaluation.json", measure)
    page = part_text(card_page(), "calibration")
    assert "New patients, fold by fold first release’s recipe 7,019 3.4 % none 0.057" in page
    assert "copy of any test image seed 8 1,311 4.1 % 1.2 % 0.057" in page
    assert "seed 9" not in page

    def forget(evaluation: Any) -> None:
        evaluation["protocols"] = {}

    change(reports / "evaluation.json", forget)
    assert "Mean gap as trained" not in part_text(card_page(), "calibration")


def test_a_single_fold_has_no_spread(card_page: Callable[[], str], reports: Path) -> None:
    def measure(evaluation: Any) -> None:
        run = evaluation["protocols"]["official"]["runs"][0]
        evaluation["protocols"]["grouped"] = {
            "folds_wanted": 5, "pooled": run["test"], "runs": [run | {"protocol": "fold-0"}],
            "accuracy": 0.8754, "accuracy_sd": None,
            "balanced_accuracy": 0.8642, "balanced_accuracy_sd": None,
        }  # fmt: skip

    change(reports / "evaluation.json", measure)
    results = part_text(card_page(), "results")
    assert "New patients: 1 of 5 folds" in results
    assert "Mean, and standard deviation 87.5 % 86.4 %" in results


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
    card_page: Callable[[], str],
    reports: Path,
    section: str,
    name: str,
    edit: Callable[[Any], object],
    missing: str,
) -> None:
    change(reports / f"{name}.json", edit)
    part = part_text(card_page(), section)
    assert "This part is left out: its figures are not in the reports." in part
    assert missing in part


def test_heat_maps_may_be_missing_alone(card_page: Callable[[], str], reports: Path) -> None:
    change(reports / "shortcuts.json", lambda r: r.pop("heat_maps"))
    part = part_text(card_page(), "looking")
    assert "Phantom twins" in part
    assert "How well the heat maps point is not measured." in part


def test_training_says_what_was_drawn_and_names_the_other_collections(
    card_page: Callable[[], str], reports: Path
) -> None:
    def retrain(metadata: Any) -> None:
        run = metadata["training"]
        run["config"].update(
            epochs=20, collection_share=0.26, graft_share=0.16, phantom_share=0.14,
            paint_out_share=0.15, control_share=0.12,
        )  # fmt: skip
        run["data"]["collections"] = {"sha256": "0", "images": {"web": 1176, "hospital": 31}}

    change(reports / "metadata.json", retrain)
    part = part_text(card_page(), "training")
    assert "Trained in one run of 20 epochs" in part
    assert "44 % are images of the dataset" in part
    assert "a share of 15 % has it painted out" in part
    assert "26 % are images of other collections" in part
    assert "16 % are healthy heads with a tumor of another image blended in" in part
    assert "14 % are phantoms" in part
    assert "web 1,176 Br35H" in part
    assert "hospital 31 not public" in part
    change(reports / "metadata.json", lambda r: r["training"]["data"].update(collections={}))
    assert "Other collections trained on" not in part_text(card_page(), "training")


FIELDS = "epoch,loss,accuracy,val_loss,val_accuracy,val_sensitivity,val_specificity\n"


def test_the_curves_of_other_collections_are_there_where_they_were_measured(
    card_page: Callable[[], str], reports: Path
) -> None:
    rows = "1,0.9,0.6,0.8,0.7,{0},{0}\n2,0.5,0.7,0.4,0.8,{1},{1}\n"
    (reports / "history.csv").write_text(FIELDS + rows.format("0.4321", "0.5432"))
    part = part_of(card_page(), "training")
    assert part.count("<polyline") == 6
    assert "54.3 % 54.3 %" in text_of(part)
    (reports / "history.csv").write_text(FIELDS + rows.format("nan", "nan"))
    part = part_of(card_page(), "training")
    assert part.count("<polyline") == 4
    assert "other collections by epoch" not in part


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
    card_page: Callable[[], str], reports: Path, classifier: StubClassifier
) -> None:
    sha256 = report("evaluation")["model"]["files"]["brain_tumor_cnn.tflite"]
    page = text_of(card_page())
    assert (
        f"These figures were measured on another model file (SHA-256 {sha256[:12]}) than the one "
        f"that answers here ({'5' * 12})."
    ) in page
    classifier.sha256 = sha256
    assert "another model file" not in text_of(card_page())
    change(reports / "shortcuts.json", lambda r: r.update(model_sha256="0" * 64))
    stale = "Measured on another network than the rest of this page: shortcuts"
    assert stale in text_of(card_page())


def test_the_committed_reports_are_of_one_network() -> None:
    card = make_card(load_reports())
    assert card.stale == ()
    assert [section.id for section in card.sections.values() if section.figures is None] == []


# nothing typed in


@pytest.mark.parametrize("name", ["model.html", "model_macros.html"])
def test_no_figure_is_typed_into_a_template(name: str) -> None:
    source = (ROOT / "templates" / name).read_text(encoding="utf-8")
    said = re.findall(r"""_\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")""", source)
    texts = [re.sub(r"%\(\w+\)s", "", one or other) for one, other in said]
    rest = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", source, flags=re.DOTALL)
    rest = text_of(rest)
    names = re.compile(r"SHA-256|<[^>]*>")  # a name; tags inside a text
    assert len(texts) > 20 or name == "model_macros.html"
    assert [t for t in (*texts, rest) if re.search(r"\d", names.sub("", t))] == []


def test_the_page_holds_nothing_the_policy_would_block_and_is_small(
    read_client: FlaskClient,
) -> None:
    page = read_client.get("/model")
    assert not re.search(r"\sstyle=|<style|\son\w+=", page.text)
    assert not re.search(r"<script(?![^>]* src=)", page.text)
    weight = len(page.data)
    for address in re.findall(r'(?:href|src)="(/static/[^"]+\.(?:css|js|svg)[^"]*)"', page.text):
        with read_client.get(address) as answer:
            assert answer.status_code == 200
            weight += len(answer.data)
    assert weight < 150_000


def test_ids_are_unique_and_references_hold(read_client: FlaskClient) -> None:
    page = read_client.get("/model").text
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    named = " ".join(re.findall(r'aria-labelledby="([^"]+)"', page)).split()
    named += re.findall(r'href="#([^"]+)"', page)
    assert set(named) <= set(ids)


def test_a_spanish_visitor_reads_spanish_numbers(client: FlaskClient) -> None:
    page = client.get("/model", headers={"Accept-Language": "es"})
    assert f"{PARAMETER_COUNT:,}".replace(",", ".") in page.text
    unseen = report("evaluation")["files"]["litert"]["test_unseen"]["accuracy"]
    assert f"{100 * unseen:.1f} %".replace(".", ",") in page.text.replace("\u00a0", " ")


def test_numbers_read_as_they_should(web_app: Flask) -> None:
    with web_app.test_request_context():
        assert number(3763940) == "3,763,940"
        assert number(0.12345, 3) == "0.123"
        assert whole_percent(0.954) == "95\N{NO-BREAK SPACE}%"
