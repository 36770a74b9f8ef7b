"""What README.md says is what the code and the reports say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from benchmarks.figures import scaling
from benchmarks.figures.readme import render, sections
from data.audit.report_markdown import render as render_audit
from data.dataset.division import load_manifest
from model.config import CLASS_NAMES, PARAMETER_COUNT, ArchitectureConfig

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_figures_are_those_of_the_reports() -> None:
    assert render(README, sections()) == README


def test_the_readme_describes_the_network() -> None:
    config = ArchitectureConfig()
    assert f"{PARAMETER_COUNT:,} parameters" in README
    assert ", ".join(map(str, config.filters)) in README
    assert "{} and\n{} units".format(*config.hidden) in README


def test_every_make_target_in_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"it", "the"}
    assert {"serve", "test", "train", "notebook", "samples"} <= named
    assert named <= targets


def test_every_path_in_the_readme_exists() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    named = re.findall(
        r"`((?:model|data|notebooks|static|templates|tests|web|benchmarks)/[^`]*)`", README
    )
    wanted = {path for path in (*linked, *named) if "=" not in path}
    made_by_the_user = {"data/raw", "data/gallery"}
    assert len(wanted) > 8
    assert [path for path in sorted(wanted - made_by_the_user) if not (ROOT / path).exists()] == []


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


def test_the_pages_on_scaling_have_the_figures_of_their_reports() -> None:
    for page, parts in scaling.pages().items():
        text = page.read_text(encoding="utf-8")
        assert render(text, parts) == text
