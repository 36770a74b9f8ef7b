"""What is served is locked with hashes, audited, and listed in a bill of materials."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from deploy import audit_packages
from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[2]
ENTRY = re.compile(
    r"^([A-Za-z0-9._-]+)==([0-9][^ ;]*)(?: ; ([^\\\n]+?))? \\\n((?: +--hash=.*\n)+)", re.M
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def locked() -> dict[str, str]:
    """Versions by name, of what this system installs."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {
        name: version
        for name, version, marker, _ in ENTRY.findall(text)
        if not marker or Marker(marker).evaluate()
    }


def test_the_lock_is_nothing_but_versions_with_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    rest = ENTRY.sub("", text)
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []
    for name, _, _, hashes in ENTRY.findall(text):
        found = HASH.findall(hashes)
        assert len(found) == len(hashes.splitlines()) >= 1, name
    assert "://" not in text
    assert "index" not in text.replace("importlib", "")


def test_the_lock_and_the_requirements_agree() -> None:
    pins = dict(
        re.findall(
            r"^([A-Za-z0-9._-]+)==([0-9.]+)", (ROOT / "requirements.txt").read_text("utf-8"), re.M
        )
    )
    found = locked()
    assert {canonicalize_name(name): version for name, version in pins.items()} == {
        canonicalize_name(name): found.get(canonicalize_name(name)) for name in pins
    }


def test_the_lock_holds_all_that_the_requirements_need_and_nothing_else() -> None:
    found = locked()
    todo = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.txt").read_text("utf-8"), re.M)
    needed: set[str] = set()
    while todo:
        name = canonicalize_name(todo.pop())
        if name in needed:
            continue
        needed.add(name)
        for line in metadata.requires(name) or ():
            requirement, _, marker = line.partition(";")
            if not marker or Marker(marker).evaluate({"extra": ""}):
                match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
                assert match is not None
                todo.append(match[0])
    assert set(found) == needed


class Stub:
    """Stands in for pip-audit: prints what it is told and ends as told."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.module = folder / "pip_audit.py"
        monkeypatch.setenv("PYTHONPATH", str(folder))

    def says(self, output: Any, *, error: str = "", status: int = 0) -> None:
        text = output if isinstance(output, str) else json.dumps({"dependencies": output})
        self.module.write_text(
            f"import sys\nprint({text!r})\nsys.stderr.write({error!r})\nsys.exit({status})\n"
        )


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stub:
    return Stub(tmp_path, monkeypatch)


GOOD = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "x", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
SKIPPED = {"name": "y", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("output", "error", "ends", "says"),
    [
        ([GOOD, GOOD], "", 0, "2 packages audited, 0 known vulnerabilities."),
        ([GOOD, BAD], "", 1, "VULNERABLE x 1: PYSEC-1, mended in 2"),
        ([GOOD, SKIPPED], "", 1, "NOT AUDITED y: Dependency not found"),
        ([SKIPPED, SKIPPED], "", 0, "NOT AUDITED: the advisory service cannot be used from here"),
        ("", "requests.exceptions.ConnectionError: no route", 0, "NOT AUDITED: the advisory"),
        ("", "TypeError: a fault of its own", 1, ""),
        ([], "", 1, "0 packages audited"),
    ],
)
def test_the_audit_fails_for_findings_and_says_when_it_could_not_look(
    stub: Stub, capsys: pytest.CaptureFixture[str], output: Any, error: str, ends: int, says: str
) -> None:
    stub.says(output, error=error, status=1 if error or BAD in output else 0)
    assert audit_packages.main() == ends
    assert says in capsys.readouterr().out


def test_each_exception_of_the_audit_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in audit_packages.EXCEPTIONS.values())


def test_the_bill_of_materials_lists_what_is_locked(tmp_path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = makefile.split("\nsbom:", 1)[1].split("\n\n", 1)[0]
    arguments = recipe.split("\n", 1)[1].replace("\\\n", " ").split()[1:]  # without $(DEV)
    output = tmp_path / "sbom.json"
    arguments[arguments.index("sbom.json")] = str(output)
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | {"PYTHONWARNINGS": "ignore"},
        check=True, timeout=LONGEST_WAIT, capture_output=True,
    )  # fmt: skip
    document = json.loads(output.read_text("utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "mri-brain-tumor-detection"
    listed = {(c["name"], c["version"]): c for c in document["components"]}
    for name, version in locked().items():
        component = listed[name, version]
        assert component["purl"].startswith(f"pkg:pypi/{name}@{version}")
