"""The Makefile, `.ci/run` and the requirements: what a first-time user and the gate run.

Interpreters are stood in for by shell scripts that write down how they were called, so nothing is
installed and each test takes milliseconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker

from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[2]
MAKE = shutil.which("make")
REQUIREMENTS = (
    "requirements.txt", "requirements-train.txt", "requirements-jax.txt", "requirements-scale.txt",
    "requirements-dev.txt",
)  # fmt: skip
PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[a-z]+\])?==([0-9.]+)(?:; ([^#]+?))? +# \S.*")
TARGETS = {
    "help", "serve", "try-serving", "check", "test", "lint", "types", "format", "data", "audit",
    "train", "notebook", "lab",
    "score", "export", "calibrate", "evaluate", "reports", "reproduce", "samples",
    "translations", "clean", "lock", "audit-packages", "sbom",
}  # fmt: skip

needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")

# stands in for Python 3.{minor}: passes the checks it is told to, makes environments of itself
FAKE_PYTHON = """#!/bin/sh
case "$*" in
  *version_info*)
    oldest=${{2#*(3, }} newest=${{2##*(3, }}
    [ {minor} -ge "${{oldest%%)*}}" ] && [ {minor} -le "${{newest%%)*}}" ] || exit 1
    case "$2" in *ensurepip*) exit {venv_ok} ;; *) exit 0 ;; esac ;;
  *ensurepip*) exit {venv_ok} ;;
  --version) echo "Python 3.{minor}.99" ; exit 0 ;;
  "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ; exit 0 ;;
esac
echo "${{0##*/../}} PORT=$PORT DATA=$DATA $*" >> "$CALLS"
case "$*" in *"-m pip install"*) exit {pip} ;; esac
"""


class Checkout:
    """A copy of the Makefile in an empty folder, with a path on which only some tools are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "tools"
        self.bin.mkdir(parents=True)
        self.calls_file = folder / "calls"
        for name in ("sh", "awk", "cp", "find", "mkdir", "rm", "sed", "seq", "touch"):
            self.link(name)
        for name in ("Makefile", "requirements.lock", *REQUIREMENTS):
            shutil.copy(ROOT / name, folder / name)
        (folder / "deploy").mkdir()
        shutil.copy(ROOT / "deploy" / "environment.sh", folder / "deploy")

    def link(self, name: str) -> None:
        found = shutil.which(name)
        assert found is not None, f"{name} is not on the path"
        (self.bin / name).symlink_to(found)

    def script(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def python(self, name: str, *, minor: int = 11, venv_ok: int = 0, pip: int = 0) -> None:
        self.script(name, FAKE_PYTHON.format(minor=minor, venv_ok=venv_ok, pip=pip))

    def run(self, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "CALLS": str(self.calls_file), **extra}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True,
            timeout=LONGEST_WAIT, check=False,
        )  # fmt: skip

    def make(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        assert MAKE is not None
        return self.run(MAKE, *arguments, **extra)

    def calls(self) -> list[str]:
        """How Python was called since the last time this was asked."""
        if not self.calls_file.exists():
            return []
        lines = self.calls_file.read_text(encoding="utf-8").splitlines()
        self.calls_file.unlink()
        return lines


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a folder")


def called(where: str, what: str, port: str = "", data: str = "") -> str:
    return f"{where} PORT={port} DATA={data} {what}"


def pip(requirements: str) -> str:
    hashes = "--require-hashes " if requirements.endswith(".lock") else ""
    options = f"--quiet --no-compile --disable-pip-version-check {hashes}"
    return f"-m pip install {options}-r {requirements}"


# --- make ---


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


# --- .ci/run ---

CLOSING = "====== 12 passed, 1 skipped in 3.21s ======"


@pytest.fixture
def gate(checkout: Checkout) -> Checkout:
    (checkout.folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", checkout.folder / ".ci" / "run")
    for name in ("bash", "dirname", "grep", "id", "mktemp", "tail", "tee"):
        checkout.link(name)
    checkout.python("python3.11")
    for name in ("chromium", "chromedriver"):
        checkout.script(name, "#!/bin/sh\n")
    checkout.script("apt-get", '#!/bin/sh\necho "apt-get $*" >> "$CALLS"\n')
    checkout.script("sudo", '#!/bin/sh\nshift\nexec "$@"\n')
    return checkout


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


# --- requirements ---


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
