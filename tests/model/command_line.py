"""What the tests of `python -m model` share: runs of it, and the sentence it fails with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def error(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Standard error of a command that must fail with one line and print nothing."""
    assert main([str(argument) for argument in arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    return line
