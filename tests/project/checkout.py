"""A copy of the Makefile in an empty folder, where shell scripts stand in for interpreters.

They write down how they were called, so nothing is installed and each test takes milliseconds.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[2]
MAKE = shutil.which("make")
REQUIREMENTS = (
    "requirements.txt", "requirements-train.txt", "requirements-jax.txt", "requirements-scale.txt",
    "requirements-dev.txt",
)  # fmt: skip


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


def called(where: str, what: str, port: str = "", data: str = "") -> str:
    return f"{where} PORT={port} DATA={data} {what}"


def pip(requirements: str) -> str:
    hashes = "--require-hashes " if requirements.endswith(".lock") else ""
    options = f"--quiet --no-compile --disable-pip-version-check {hashes}"
    return f"-m pip install {options}-r {requirements}"
