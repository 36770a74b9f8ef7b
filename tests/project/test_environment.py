"""deploy/environment.sh, as make calls it: which Python is taken, and when it is filled."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.project.checkout import FAKE_PYTHON, Checkout, called, needs_make, pip


@needs_make
@pytest.mark.parametrize(
    ("target", "minor", "needed"),
    [
        ("serve", 10, "3.11 to 3.14 is needed for requirements.lock"),
        ("serve", 15, "3.11 to 3.14 is needed for requirements.lock"),
        ("lint", 10, "3.11 to 3.13 is needed for requirements-dev.txt"),
        ("lint", 14, "3.11 to 3.13 is needed for requirements-dev.txt"),
    ],
)
def test_a_python_that_will_not_do_is_refused_clearly(
    checkout: Checkout, target: str, minor: int, needed: str
) -> None:
    checkout.python("python3", minor=minor)
    ran = checkout.make(target)
    assert ran.returncode == 2
    assert f"error: Python {needed}" in ran.stderr
    assert f"found: Python 3.{minor}.99" in ran.stderr
    assert ("`make serve` runs on Python 3.14 too" in ran.stderr) == (target == "lint")
    assert not (checkout.folder / ".venv").exists()
    assert not (checkout.folder / ".venv-dev").exists()


@needs_make
@pytest.mark.parametrize("minor", [11, 12, 13, 14])
@pytest.mark.parametrize("name", ["python3.{minor}", "python3", "python"])
def test_each_supported_python_is_found_alone(checkout: Checkout, name: str, minor: int) -> None:
    checkout.python(name.format(minor=minor), minor=minor)
    ran = checkout.make("serve")
    assert ran.returncode == 0
    assert f"Making .venv with Python 3.{minor}.99." in ran.stdout


@needs_make
def test_no_python_at_all_is_refused_clearly(checkout: Checkout) -> None:
    ran = checkout.make("serve")
    assert ran.returncode == 2
    assert "error: Python 3.11 to 3.14 is needed" in ran.stderr


@needs_make
def test_a_second_choice_of_python_is_taken(checkout: Checkout) -> None:
    checkout.script("python3.11", "#!/bin/sh\nexit 127\n")  # a shim that leads nowhere
    checkout.python("python3.12", minor=12, venv_ok=1)
    checkout.python("python3", minor=13)
    assert "Making .venv with Python 3.13.99." in checkout.make("serve").stdout


@needs_make
def test_a_named_python_is_taken_or_refused_and_never_another(checkout: Checkout) -> None:
    checkout.python("python3.11")
    checkout.python("mine", minor=12)
    named = f"PYTHON={checkout.bin}/mine"
    assert "Making .venv with Python 3.12.99." in checkout.make("serve", named).stdout
    shutil.rmtree(checkout.folder / ".venv")
    checkout.python("mine", minor=10)
    ran = checkout.make("serve", named)
    assert ran.returncode == 2
    assert "found: Python 3.10.99" in ran.stderr


@needs_make
def test_an_environment_that_will_do_is_kept_and_another_made_anew(checkout: Checkout) -> None:
    checkout.python("python3", minor=13)
    checkout.make("serve")
    (checkout.bin / "python3").unlink()
    os.utime(checkout.folder / "requirements.lock", (4e9, 4e9))
    ran = checkout.make("serve")
    assert (ran.returncode, "Making" in ran.stdout) == (0, False)
    checkout.python("python3", minor=12)
    shutil.copy(checkout.bin / "python3", checkout.folder / ".venv" / "bin" / "python")
    checkout.script("../.venv/bin/python", FAKE_PYTHON.format(minor=10, venv_ok=0, pip=0))
    assert "Making .venv with Python 3.12.99." in checkout.make("serve").stdout


@needs_make
def test_a_missing_venv_module_is_named(checkout: Checkout) -> None:
    checkout.python("python3.11", venv_ok=1)
    ran = checkout.make("serve")
    assert ran.returncode == 2
    assert "has no venv module" in ran.stderr
    assert "apt-get install python3-venv" in ran.stderr
    assert not (checkout.folder / ".venv").exists()


@needs_make
def test_a_failed_installation_is_tried_again(checkout: Checkout) -> None:
    checkout.python("python3.11", pip=1)
    ran = checkout.make("serve")
    assert ran.returncode == 2
    assert "error: pip could not install requirements.lock" in ran.stderr
    assert "needs a network" in ran.stderr
    assert checkout.calls() == [called(".venv/bin/python", pip("requirements.lock"))]
    assert not (checkout.folder / ".venv" / ".requirements").exists()

    checkout.python("python3.11")
    shutil.rmtree(checkout.folder / ".venv")
    assert checkout.make("serve").returncode == 0
