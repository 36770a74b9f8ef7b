"""The requirements files: pinned, installed, and the same versions of Python everywhere."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata

import pytest
from packaging.markers import Marker

from tests.project.checkout import REQUIREMENTS, ROOT

PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z]+\])?==([0-9.]+)(?:; ([^#]+?))? +# \S.*")


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_with_a_reason_and_installed(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert pins
    for line in pins:
        match = PIN.fullmatch(line)
        assert match is not None, f"{name}: not `package==version  # why`: {line}"
        if match[3] is None or Marker(match[3]).evaluate():
            assert metadata.version(match[1]) == match[2]


@pytest.mark.parametrize(
    ("system", "processor", "package"),
    [
        ("linux", "x86_64", "tensorflow-cpu"),
        ("linux", "aarch64", "tensorflow"),
        ("darwin", "arm64", "tensorflow"),
        ("win32", "AMD64", "tensorflow-cpu"),
    ],
)
def test_each_system_gets_one_tensorflow_and_one_that_exists_for_it(
    system: str, processor: str, package: str
) -> None:
    text = (ROOT / "requirements-train.txt").read_text(encoding="utf-8")
    markers = re.findall(r"^(tensorflow[a-z-]*)==[^;]+; ([^#]+?) +#", text, re.MULTILINE)
    machine = {"sys_platform": system, "platform_machine": processor}
    assert [name for name, marker in markers if Marker(marker).evaluate(machine)] == [package]


def test_every_place_names_the_same_versions_of_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.15"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "requirements.lock 11 14\n" in makefile
    assert "requirements-dev.txt 11 13\n" in makefile
    assert "With Python 3.11, 3.12 or 3.13 and make" in (ROOT / "README.md").read_text("utf-8")
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "for version in 3.11 3.12 3.13 3.14; do" in gate
    host = (ROOT / "render.yaml").read_text(encoding="utf-8")
    assert re.search(r"key: PYTHON_VERSION\n +value: 3\.1[1-3]\.\d+ ", host)


def test_the_tests_are_given_what_is_optional_elsewhere() -> None:
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    included = set(re.findall(r"^-r (\S+)$", text, re.MULTILINE))
    assert included == set(REQUIREMENTS) - {"requirements.txt", "requirements-dev.txt"}


def test_the_app_installs_no_training_packages() -> None:
    served, trained = (
        set(re.findall(r"^([a-z0-9_-]+)==", (ROOT / name).read_text("utf-8").lower(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-train.txt")
    )
    assert {"ai-edge-litert", "flask", "gunicorn", "numpy", "pillow"} <= served
    assert {"tensorflow", "tensorflow-cpu", "keras", "kagglehub", "nbconvert"} <= trained
    assert served & trained == set()
