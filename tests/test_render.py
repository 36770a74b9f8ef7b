"""The deployment files: the blueprint's fields, and a build that survives without the dataset."""

from __future__ import annotations

import itertools
import os
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIELDS = (
    "runtime: python",
    "plan: free",
    "buildCommand: bash deploy/render-build.sh",
    "healthCheckPath: /healthz",
    "autoDeployTrigger: commit",
)


def blueprint_lines() -> list[str]:
    text = (ROOT / "render.yaml").read_text(encoding="utf-8")
    return [line.partition(" #")[0].strip() for line in text.splitlines()]


def test_blueprint() -> None:
    lines = blueprint_lines()
    for field in FIELDS:
        assert lines.count(field) == 1
    version = lines[lines.index("- key: PYTHON_VERSION") + 1]
    assert version.startswith("value: 3.11.")
    assert version.removeprefix("value: 3.11.").isdigit()
    assert not [line for line in lines if line.startswith(("env:", "autoDeploy:"))]  # deprecated


def test_start_command_suits_the_free_plan() -> None:
    (command,) = [line for line in blueprint_lines() if line.startswith("startCommand: ")]
    words = command.removeprefix("startCommand: ").split()
    options = dict(itertools.pairwise(words))
    assert words[0] == "gunicorn"
    assert words[-1] == '"app:create_app()"'
    assert options["--bind"] == "0.0.0.0:$PORT"
    assert options["--workers"] == "1"
    assert int(options["--threads"]) > 1
    assert options["--worker-tmp-dir"] == "/dev/shm"
    assert int(options["--graceful-timeout"]) < 30  # the host kills after 30 s


def test_gunicorn_settings() -> None:
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert (settings["workers"], settings["threads"], settings["graceful_timeout"]) == (1, 4, 20)
    assert settings["preload_app"] is False


@pytest.mark.parametrize("dataset", [True, False])
def test_build_never_fails_for_want_of_the_dataset(tmp_path: Path, dataset: bool) -> None:
    """Runs the script on stand-ins of pip and python that write down how they are called."""
    for name in ("requirements.txt", "requirements-train.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    script = tmp_path / "deploy" / "render-build.sh"
    script.parent.mkdir()
    script.write_text((ROOT / "deploy" / "render-build.sh").read_text())
    (tmp_path / "data" / "gallery").mkdir(parents=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    outcome = "exit 0" if dataset else 'case "$*" in *download*) exit 1;; esac'
    for name in ("pip", "python"):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "$CALLS"\n{outcome}\n')
        program.chmod(0o755)
    calls = tmp_path / "calls"
    done = subprocess.run(
        ["bash", str(script)],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    ran = calls.read_text().splitlines()
    assert ran[0] == "pip install --disable-pip-version-check -r requirements.txt"
    assert "kagglehub==" in ran[1]
    assert ran[2] == "python -m data.download"
    if dataset:
        assert ran[3:] == ["python -m data.samples real --data data/raw"]
        assert done.stdout == "Gallery: real test images, in data/gallery.\n"
    else:
        assert ran[3:] == []
        assert "so the synthetic phantoms in data/samples are shown." in done.stdout
    assert (tmp_path / "data" / "gallery").exists() is dataset
