"""The deployment files: the blueprint's fields, and a build that survives without the dataset."""

from __future__ import annotations

import copy
import json
import os
import re
import runpy
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((Path(__file__).parent / "render_blueprint.json").read_text(encoding="utf-8"))


@pytest.fixture
def blueprint() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))
    return content


def service_of(blueprint: dict[str, Any]) -> dict[str, Any]:
    (service,) = blueprint["services"]
    return dict(service)


def test_blueprint_keeps_to_the_published_fields(blueprint: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(blueprint, SCHEMA, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda service: service.update(env="python"),
        lambda service: service.update(autoDeploy=True),
        lambda service: service.update(healthCheckInterval=30),
        lambda service: service.update(maxShutdownDelaySeconds=60),
        lambda service: service.update(plan="Free"),
        lambda service: service.update(autoDeployTrigger="on"),
        lambda service: service.pop("startCommand"),
        lambda service: service["envVars"][0].update(sync=False),
    ],
    ids=[
        "env is deprecated", "autoDeploy is deprecated", "no such field", "not on the free plan",
        "no such plan", "no such trigger", "no command", "two sources of a variable",
    ],
)  # fmt: skip
def test_schema_refuses_what_render_refuses(
    blueprint: dict[str, Any], spoil: Callable[[dict[str, Any]], object]
) -> None:
    spoiled = copy.deepcopy(blueprint)
    spoil(spoiled["services"][0])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(spoiled, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_blueprint(blueprint: dict[str, Any]) -> None:
    service = service_of(blueprint)
    assert service["healthCheckPath"] == "/healthz"
    assert service["buildCommand"] == "bash deploy/render-build.sh"
    variables = {entry["key"]: str(entry["value"]) for entry in service["envVars"]}
    # in full, as Render asks; unquoted, YAML would read a version of two numbers as a fraction
    assert re.fullmatch(r"3\.11\.\d+", variables["PYTHON_VERSION"])


def test_start_command_suits_the_free_plan(blueprint: dict[str, Any]) -> None:
    assert service_of(blueprint)["startCommand"] == (
        'gunicorn --config gunicorn.conf.py --bind 0.0.0.0:$PORT "app:create_app()"'
    )


def test_the_two_proxies_in_front_are_believed(blueprint: dict[str, Any]) -> None:
    assert {"key": "TRUSTED_PROXIES", "value": "2"} in service_of(blueprint)["envVars"]


def test_gunicorn_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WEB_")]:
        monkeypatch.delenv(name)
    settings = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert (settings["workers"], settings["threads"], settings["graceful_timeout"]) == (1, 20, 20)
    assert settings["graceful_timeout"] < 30  # the host kills after 30 s
    assert settings["worker_tmp_dir"] == ("/dev/shm" if Path("/dev/shm").is_dir() else None)
    assert settings["preload_app"] is False


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("WEB_CONCURRENCY", "workers"),
        ("WEB_THREADS", "threads"),
        ("WEB_TIMEOUT", "timeout"),
        ("WEB_GRACEFUL_TIMEOUT", "graceful_timeout"),
        ("WEB_KEEPALIVE", "keepalive"),
        ("WEB_CONNECTIONS", "worker_connections"),
        ("WEB_BACKLOG", "backlog"),
        ("WEB_REQUEST_LINE", "limit_request_line"),
        ("WEB_REQUEST_FIELDS", "limit_request_fields"),
        ("WEB_REQUEST_FIELD_SIZE", "limit_request_field_size"),
    ],
)
def test_each_gunicorn_setting_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, variable: str, name: str
) -> None:
    value = {"WEB_REQUEST_FIELD_SIZE": 2000, "WEB_REQUEST_LINE": 1000}.get(variable, 50)
    monkeypatch.setenv(variable, str(value))
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))[name] == value


def test_waiting_requests_always_leave_threads_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_WAITING", "40")
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["threads"] == 44


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
        timeout=LONGEST_WAIT,
    )
    assert done.returncode == 0
    ran = calls.read_text().splitlines()
    lock = "--require-hashes -r requirements.lock"
    assert ran[0] == f"pip install --disable-pip-version-check {lock}"
    assert ran[1].startswith("python -m compileall ")
    assert {"app.py", "gunicorn.conf.py", "model", "web"} <= set(ran[1].split())
    assert "kagglehub==" in ran[2]
    assert ran[3] == "python -m data.download"
    if dataset:
        assert ran[4:] == ["python -m data.samples real --data data/raw"]
        assert done.stdout == "Gallery: real test images, in data/gallery.\n"
    else:
        assert ran[4:] == []
        assert "so the synthetic phantoms in data/samples are shown." in done.stdout
    assert (tmp_path / "data" / "gallery").exists() is dataset
