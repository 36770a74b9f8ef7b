"""The model card: every figure is a report's, and what a report lacks is said, not guessed."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model.config import CLASS_NAMES, PARAMETER_COUNT
from tests.conftest import StubClassifier
from tests.web.html import text_of
from tests.web.model_card.pages import IDS, part_of, part_text, report
from web.model_card.page import number, whole_percent
from web.pages.display import TITLES, percent

ROOT = Path(__file__).resolve().parents[3]


# what the page shows


def test_facts_put_other_collections_first_and_call_the_leaked_figure_leaked(
    client: FlaskClient,
) -> None:
    text = part_text(client.get("/model").text, "facts")
    scores = report("evaluation")["files"]["litert"]
    metadata = report("metadata")
    learned = metadata["training"]["data"]
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
        f"{learned['training'] + sum(learned['collections']['images'].values()):,} images",
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


def test_a_map_tells_where_it_works(client: FlaskClient) -> None:
    text = part_text(client.get("/model").text, "others")
    styles = report("evaluation")["other_collections"]["styles"]
    assert len(styles) >= 5
    for row in styles:
        name = row["contrast"].replace("mixed", "several contrasts")
        shares = [row["sensitivity"], row["specificity"]]
        told = " ".join("none" if share is None else percent(share) for share in shares)
        skull = ", without skull" * row["stripped"]
        assert f"{name}, {row['plane']}{skull} {row['images']} {row['people']} {told}" in text


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
