"""The Makefile: what each target runs, and with what."""

from __future__ import annotations

import os
import re

import pytest

from tests.project.checkout import REQUIREMENTS, ROOT, Checkout, called, needs_make, pip

TARGETS = {
    "help", "serve", "try-serving", "check", "test", "lint", "types", "format", "data", "audit",
    "train", "notebook", "lab",
    "score", "export", "calibrate", "evaluate", "reports", "reproduce", "samples",
    "translations", "clean", "lock", "audit-packages", "sbom",
}  # fmt: skip


@needs_make
def test_help_lists_every_target_and_is_the_default(checkout: Checkout) -> None:
    shown = checkout.make("help")
    assert set(re.findall(r"^  make (\S+) +\S", shown.stdout, re.MULTILINE)) == TARGETS
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS
    assert checkout.make().stdout == shown.stdout
    groups = re.findall(r"^[A-Z][a-z ]+$", shown.stdout, re.MULTILINE)
    assert groups == ["Use it", "Change it", "Release it", "Train it", "Look into it"]


@needs_make
def test_serve_installs_once_and_again_when_the_requirements_change(checkout: Checkout) -> None:
    checkout.python("python3.11")
    install, serve = (
        called(".venv/bin/python", pip("requirements.lock")),
        called(".venv/bin/python", "app.py"),
    )
    assert checkout.make("serve").returncode == 0
    assert checkout.calls() == [install, serve]
    assert checkout.make("serve").returncode == 0
    assert checkout.calls() == [serve]

    stamp = checkout.folder / ".venv" / ".requirements"
    later = stamp.stat().st_mtime + 10
    os.utime(checkout.folder / "requirements.lock", (later, later))
    assert checkout.make("serve").returncode == 0
    assert checkout.calls() == [install, serve]


@needs_make
def test_the_port_reaches_the_app_either_way(checkout: Checkout) -> None:
    checkout.python("python3.11")
    assert checkout.make("serve", PORT="8080").returncode == 0
    assert checkout.calls()[-1] == called(".venv/bin/python", "app.py", port="8080")
    assert checkout.make("serve", "PORT=8081").returncode == 0
    assert checkout.calls() == [called(".venv/bin/python", "app.py", port="8081")]


@needs_make
def test_test_is_lint_then_types_then_tests(checkout: Checkout) -> None:
    checkout.python("python3")
    assert checkout.make("test", "PYTEST_ARGS=-k name").returncode == 0
    assert checkout.calls() == [
        called(".venv-dev/bin/python", what)
        for what in (
            pip("requirements-dev.txt"),
            "-m ruff check .",
            "-m ruff format --check .",
            "-m mypy",
            "-m pytest -k name",
        )
    ]


@needs_make
def test_all_tests_run_side_by_side_file_by_file(checkout: Checkout) -> None:
    checkout.python("python3")
    assert checkout.make("test").returncode == 0
    options = "-n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder"
    assert checkout.calls()[-1] == called(".venv-dev/bin/python", f"-m pytest {options}")


@needs_make
@pytest.mark.parametrize("changed", REQUIREMENTS)
def test_every_requirements_file_renews_the_development_environment(
    checkout: Checkout, changed: str
) -> None:
    checkout.python("python3")
    checkout.make("types")
    checkout.calls()
    later = (checkout.folder / ".venv-dev" / ".requirements").stat().st_mtime + 10
    os.utime(checkout.folder / changed, (later, later))
    checkout.make("types")
    assert checkout.calls()[0] == called(".venv-dev/bin/python", pip("requirements-dev.txt"))


@needs_make
def test_arguments_reach_the_programs(checkout: Checkout) -> None:
    checkout.python("python3.11")
    checkout.make("lint")
    checkout.make("serve")
    checkout.calls()
    inside = f"{checkout.folder}/data/raw"
    notebook = "notebooks/tumor-classification-cnn.ipynb"
    convert = f"-m jupyter nbconvert --to notebook --execute --inplace {notebook}"
    for arguments, data, expected in [
        (["data"], "", ["-m data.download"]),
        (["audit"], "", ["-m model audit --data data/raw --keep data/splits.csv --plant 75"]),
        (
            ["audit", "DATA=/x", "OUTLINES=o.json", "ALSO=/y"],
            "/x",
            [
                "-m model audit --data /x --outlines o.json --also /y"
                " --keep data/splits.csv --plant 75"
            ],
        ),
        (
            ["train"],
            "",
            ["-m model train --out runs/official --data data/raw --protocol official"],
        ),
        (
            ["train", "DATA=/x", "OUT=y", "PROTOCOL=clean", "OUTLINES=o.json", "ALSO=a b/c"],
            "/x",
            ["-m model train --out y --data /x --protocol clean --outlines o.json --also a b/c"],
        ),
        (
            ["train", "PROTOCOL=fold-3"],
            "",
            ["-m model train --out runs/fold-3 --data data/raw --protocol fold-3"],
        ),
        (["audit-packages"], "", ["-m deploy.audit_packages"]),
        (
            ["lock"],
            "",
            [
                "-m uv pip compile requirements.txt --quiet --universal --python-version 3.11"
                " --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate"
                " --custom-compile-command make lock --output-file requirements.lock"
            ],
        ),
        (["score", "OUT=y"], "", ["-m model score --data data/raw --run y"]),
        (["calibrate"], "", ["-m model calibrate --data data/raw"]),
        (["export", "OUT=y"], "", ["-m model export --run y --data data/raw"]),
        (
            ["evaluate"],
            "",
            [
                "-m model evaluate --data data/raw",
                "-m benchmarks.figures",
            ],
        ),
        (["notebook"], inside, [convert]),
        (["notebook", "DATA=/x"], "/x", [convert]),
        (["lab"], inside, [f"-m jupyter lab {notebook}"]),
    ]:
        assert checkout.make(*arguments).returncode == 0
        expected_calls = [called(".venv-dev/bin/python", call, data=data) for call in expected]
        assert checkout.calls() == expected_calls, arguments
    assert checkout.make("samples", "DATA=my images").returncode == 0
    served = called(".venv/bin/python", "-m data.samples real --data my images", data="my images")
    assert checkout.calls() == [served]
