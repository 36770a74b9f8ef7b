"""What README.md and the docs say is what the code and the reports say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.figures.pages import fill, pages
from data.audit.report_markdown import render as render_audit
from data.dataset.division import load_manifest
from model.config import CLASS_NAMES, PARAMETER_COUNT, ArchitectureConfig

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


def test_the_pages_have_the_figures_of_their_reports() -> None:
    found = pages()
    names = {path.name for path in found}
    assert {"README.md", "MODEL_CARD.md", "results.md", "deployment.md", "training.md"} <= names
    for path, content in found.items():
        assert path.read_text(encoding="utf-8") == content, path


def test_a_page_without_markers_is_an_error() -> None:
    assert fill("a <!-- x:begin -->old<!-- x:end --> b", {"x": "new"}) == (
        "a <!-- x:begin -->\nnew\n<!-- x:end --> b"
    )
    with pytest.raises(ValueError, match="must have the markers <!-- y:begin -->"):
        fill("no markers", {"y": "new"})


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) <= 150


def test_the_docs_describe_the_network() -> None:
    config = ArchitectureConfig()
    text = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    assert f"{PARAMETER_COUNT:,} parameters" in text
    assert ", ".join(map(str, config.filters)) in text
    assert "{} and {} units".format(*config.hidden) in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    code = re.findall(r"`[^`]*`|```.*?```", page.read_text(encoding="utf-8"), re.DOTALL)
    named = set(re.findall(r"\bmake ([a-z-]+)\b", " ".join(code)))
    assert named <= targets
    if page.name == "README.md":
        assert {"serve", "test", "train", "notebook", "samples"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_a_page_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    linked = {path for path in re.findall(r"\]\((?!http)([^)#]+)\)", text) if "=" not in path}
    named = re.findall(
        r"`((?:model|data|notebooks|static|templates|tests|web|benchmarks|docs)/[^`]*)`", text
    )
    made_by_the_user = {"data/raw", "data/gallery", "data/cache"}
    assert [path for path in sorted(linked) if not (page.parent / path).exists()] == []
    wanted = set(named) - made_by_the_user
    assert [path for path in sorted(wanted) if not any(ROOT.glob(path.rstrip("/")))] == []


def test_the_data_readme_counts_the_copies_of_the_audit() -> None:
    text = " ".join((ROOT / "data" / "README.md").read_text(encoding="utf-8").split())
    path = ROOT / "benchmarks" / "reports" / "audit.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    copied, test = report["test"]["with_copy_in_training"], report["images"]["Testing"]
    assert f"**{copied['all']} of the {test['all']:,} test images" in text
    for name in CLASS_NAMES:
        assert re.search(rf"{copied[name]} of the {test[name]} {name}", text)


def test_the_audits_report_is_made_from_its_figures_and_its_manifest() -> None:
    path = ROOT / "benchmarks" / "reports" / "audit.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    assert render_audit(report) == path.with_suffix(".md").read_text(encoding="utf-8")
    manifest = load_manifest()
    for protocol, roles in report["roles"].items():
        for role, counts in roles.items():
            assert len(manifest.select(protocol, role)) == counts["all"]
    assert report["test"]["unseen"]["all"] == len(manifest.unseen())
