"""`.ci/run`, the gate: what it calls, and how it ends."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.project.checkout import ROOT, Checkout

CLOSING = "====== 12 passed, 1 skipped in 3.21s ======"


def fake_make(gate: Checkout, last_line: str, status: int) -> None:
    gate.script(
        "make",
        f'#!/bin/sh\necho "make $1 $2 REQUIRE_BROWSER=$REQUIRE_BROWSER" >> "$CALLS"\n'
        f'echo collecting\necho "{last_line}"\necho "make: done"\nexit {status}\n',
    )


GATE_CALLS = [
    "make audit-packages  REQUIRE_BROWSER=1",
    "make try-serving PYTHON=python3.11 REQUIRE_BROWSER=1",
    "make test  REQUIRE_BROWSER=1",
]


def test_the_gate_is_executable() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("status", [0, 2])
def test_the_gate_ends_with_pytests_line_and_makes_status(gate: Checkout, status: int) -> None:
    fake_make(gate, CLOSING, status)
    ran = gate.run("bash", ".ci/run")
    assert ran.returncode == status
    assert ran.stdout.splitlines()[-1] == CLOSING
    assert gate.calls() == GATE_CALLS


@pytest.mark.parametrize("status", [0, 2])
def test_the_gate_fails_when_the_tests_did_not_run(gate: Checkout, status: int) -> None:
    fake_make(gate, "error: lint", status)
    ran = gate.run("bash", ".ci/run")
    assert ran.returncode == (status or 1)
    assert "did not run to their end" in ran.stderr


def test_the_gate_installs_what_is_missing(gate: Checkout) -> None:
    fake_make(gate, CLOSING, 0)
    for name in ("chromium", "chromedriver"):
        (gate.bin / name).unlink()
    gate.python("python3.11", venv_ok=1)
    assert gate.run("bash", ".ci/run").returncode == 0
    assert gate.calls() == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends "
        "python3-venv chromium fonts-dejavu-core chromium-driver",
        GATE_CALLS[0],
        GATE_CALLS[-1],  # the stand-in still has no venv, so nothing is served with it
    ]


def test_the_gate_serves_with_each_python_it_finds_pyenvs_too(gate: Checkout) -> None:
    gate.python("python3.14", minor=14)
    gate.script("python3.13", "#!/bin/sh\nexit 127\n")  # pyenv's shim of a version not in use
    inside = gate.folder / "pyenv" / "versions" / "3.13.2" / "bin"
    inside.mkdir(parents=True)
    shutil.copy(gate.bin / "python3.14", inside / "python")
    fake_make(gate, CLOSING, 0)
    assert gate.run("bash", ".ci/run", PYENV_ROOT=str(gate.folder / "pyenv")).returncode == 0
    assert [call.partition(" PYTHON=")[2] for call in gate.calls()[1:-1]] == [
        f"{python} REQUIRE_BROWSER=1" for python in ("python3.11", inside / "python", "python3.14")
    ]


def test_the_gate_fails_where_one_python_does_not_serve(gate: Checkout) -> None:
    gate.script("make", f'#!/bin/sh\necho "{CLOSING}"\n[ "$1" != try-serving ]\n')
    assert gate.run("bash", ".ci/run").returncode == 1


def test_the_gate_fails_for_a_vulnerable_package_after_all_tests_have_passed(
    gate: Checkout,
) -> None:
    gate.script("make", f'#!/bin/sh\necho "{CLOSING}"\n[ "$1" != audit-packages ]\n')
    ran = gate.run("bash", ".ci/run")
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1] == CLOSING


def test_the_gate_says_again_at_its_end_that_nothing_was_audited(gate: Checkout) -> None:
    said = "NOT AUDITED: the advisory service cannot be used from here."
    gate.script(
        "make", f'#!/bin/sh\n[ "$1" != audit-packages ] || echo "{said}"\necho "{CLOSING}"\n'
    )
    ran = gate.run("bash", ".ci/run")
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-2:] == [said, CLOSING]
