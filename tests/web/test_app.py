"""Starting the app: what it refuses to start with, and how it says so."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import NOT_INSTALLED, StartupError, create_app, require_free_port
from tests.patience import LONGEST_WAIT
from web.settings import (
    REAL_GALLERY,
    SYNTHETIC_GALLERY,
    ConfigError,
    default_gallery,
    settings_from,
)

ROOT = Path(__file__).resolve().parents[2]


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python on ``arguments`` in the repository's root; fails the test if it does not end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LONGEST_WAIT,
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_importing_app_has_no_side_effect() -> None:
    program = "import app, threading; print(threading.active_count())"
    done = run(["-c", program], PORT="nonsense", GALLERY_DIR="/does/not/exist")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


# what takes seconds or many megabytes to import, and is imported by those who ask for it
LATE = {
    "pydicom", "nibabel", "tensorflow", "keras", "h5py", "scipy", "sklearn", "pandas", "pyarrow",
    "matplotlib", "cv2", "ray", "flask_limiter",
}  # fmt: skip


def test_the_app_starts_without_what_only_some_of_its_requests_need() -> None:
    program = (
        "import sys; from app import create_app; "
        "app = create_app({'WARM_UP': '0', 'RATE_LIMIT': 'off'}); "
        "state = app.extensions['brain_mri']; state.readiness.start().join(); "
        "client = app.test_client(); "
        "print(client.get('/').status_code, client.get('/readyz').json); "
        "print({'flask', 'ai_edge_litert'} - {*sys.modules}); print(sorted(LATE & {*sys.modules}))"
    )
    done = run(["-c", program.replace("LATE", repr(LATE))])
    assert done.stdout == "200 {'status': 'ready'}\nset()\n[]\n", done.stderr


def test_defaults() -> None:
    settings = settings_from({})
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.1", 5000, "INFO")
    assert settings.gallery_dir == default_gallery()
    assert settings.model_path is None
    assert settings.warm_up is True


def test_the_real_gallery_is_preferred_only_when_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert {REAL_GALLERY.name, SYNTHETIC_GALLERY.name} == {"gallery", "samples"}
    monkeypatch.setattr("web.settings.REAL_GALLERY", tmp_path)
    assert default_gallery() == SYNTHETIC_GALLERY
    (tmp_path / "manifest.json").write_text("{}")
    assert default_gallery() == tmp_path


@pytest.mark.parametrize(
    ("name", "value", "legal"),
    [
        ("PORT", "abc", "PORT must be a whole number from 1 to 65535"),
        ("PORT", "0", "PORT must be a whole number from 1 to 65535"),
        ("PORT", "65536", "PORT must be a whole number from 1 to 65535"),
        ("PORT", "8080.0", "PORT must be a whole number from 1 to 65535"),
        ("PORT", "-1", "PORT must be a whole number from 1 to 65535"),
        ("PORT", "\u0665\u0660\u0660\u0660", "PORT must be a whole number from 1 to 65535"),
        ("PORT", "9" * 5000, "PORT must be a whole number from 1 to 65535"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("WARM_UP", "yes", "WARM_UP must be 0 or 1"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, legal: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_from({name: value})
    assert str(caught.value).startswith(legal)
    assert f"Received: {value!r}." in str(caught.value)


def test_a_taken_port_is_named(taken_port: int) -> None:
    with pytest.raises(ConfigError) as caught:
        require_free_port("127.0.0.1", taken_port)
    assert str(caught.value) == (
        f"Port {taken_port} is already in use; choose another one: `PORT=8080 make serve`."
    )


def test_python_app_py_on_a_taken_port(taken_port: int) -> None:
    done = run(["app.py"], PORT=str(taken_port), MODEL_PATH="/does/not/exist")
    assert done.returncode == 1
    assert done.stderr == (
        f"Cannot start: Port {taken_port} is already in use; "
        "choose another one: `PORT=8080 make serve`.\n"
    )


def test_python_app_py_with_a_bad_port() -> None:
    done = run(["app.py"], PORT="http")
    assert done.returncode == 1
    assert done.stderr == (
        "Cannot start: PORT must be a whole number from 1 to 65535, "
        "for example `PORT=8080 make serve`. Received: 'http'.\n"
    )


def test_python_app_py_without_its_packages_says_what_to_run() -> None:
    done = run(["-S", "app.py"])  # -S: as if nothing were installed
    assert done.returncode == 1
    assert done.stderr == f"Cannot start: {NOT_INSTALLED}\n"
    assert "pip install -r requirements.txt" in NOT_INSTALLED


def test_an_environment_is_tried_without_a_server() -> None:
    done = run(["-m", "deploy.try_serving"])
    assert done.returncode == 0
    assert done.stdout == (
        f"Python {platform.python_version()} serves every page and reads phantom-glioma-00.png.\n"
    )


def test_a_missing_model_ends_gunicorn_without_a_traceback(gallery_dir: Path) -> None:
    done = run(
        [
            "-m",
            "gunicorn",
            "--config",
            "gunicorn.conf.py",
            "--bind",
            "127.0.0.1:0",
            "app:create_app()",
        ],
        GALLERY_DIR=str(gallery_dir),
        MODEL_PATH=str(gallery_dir / "absent.tflite"),
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("Cannot start: ")]
    assert len(sentences) == 1
    assert str(gallery_dir) in sentences[0]


def break_json(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text("{")


def rewrite(change: Callable[[dict[str, Any]], object]) -> Callable[[Path, dict[str, Any]], None]:
    def apply(folder: Path, manifest: dict[str, Any]) -> None:
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return apply


def change_first(**values: Any) -> Callable[[Path, dict[str, Any]], None]:
    return rewrite(lambda manifest: manifest["samples"][0].update(values))


def link_out(folder: Path, manifest: dict[str, Any]) -> None:
    """Replaces the first image by a link to the same bytes outside the folder."""
    image = folder / manifest["samples"][0]["file"]
    (folder.parent / "outside.png").write_bytes(image.read_bytes())
    image.unlink()
    image.symlink_to(folder.parent / "outside.png")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda folder, manifest: (folder / "manifest.json").unlink(), "cannot be read"),
        (break_json, "is not valid JSON"),
        (
            lambda folder, manifest: (folder / "manifest.json").write_text("[]"),
            "must be a JSON object",
        ),
        (rewrite(lambda m: m.update(origin="web")), "`origin` must be one of"),
        (rewrite(lambda m: m.update(samples=[])), "at least one entry"),
        (rewrite(lambda m: m.update(seed="7")), "`seed` must be an integer or null"),
        (rewrite(lambda m: m.update(samples=["x"])), "a list of objects"),
        (rewrite(lambda m: m["samples"].append(m["samples"][0])), "'glioma-00' appears twice"),
        (change_first(id="../x"), "`id` must be a string matching"),
        (change_first(id="a" * 65), "`id` must be a string matching"),
        (change_first(file="../secret.png"), "`file` must be a plain file name"),
        (change_first(file="/etc/passwd"), "`file` must be a plain file name"),
        (change_first(file="a\\b.png"), "`file` must be a plain file name"),
        (change_first(file="manifest.json"), "`file` must be named .png, .jpg, .jpeg"),
        (change_first(true_label="tumor"), "`true_label` must be one of"),
        (change_first(true_label=["glioma"]), "`true_label` must be one of"),
        (change_first(plane=3), "`plane` must be a string or null"),
        (change_first(origin="web"), "`origin` must be 'phantom' or 'dataset'"),
        (change_first(seed="1"), "`seed` must be an integer or null"),
        (change_first(width=0), "`width` must be a positive integer"),
        (change_first(height=True), "`height` must be a positive integer"),
        (change_first(file="absent.png"), "absent.png (sample 'glioma-00') is missing"),
        (change_first(sha256="0" * 64), "the SHA-256 differs"),
        (change_first(sha256=None), "the SHA-256 differs"),
        (link_out, "glioma-00.png (sample 'glioma-00') is missing"),
    ],
)
def test_a_damaged_gallery_stops_the_start(
    damage: Callable[[Path, dict[str, Any]], object],
    says: str,
    gallery_dir: Path,
    make_app: Callable[..., Flask],
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(gallery_dir, json.loads((gallery_dir / "manifest.json").read_text()))
    with pytest.raises(StartupError) as caught:
        make_app(gallery_dir)
    assert caught.value.code == 4  # gunicorn's master stops for this one
    assert says in caught.value.sentence
    assert capsys.readouterr().err == f"Cannot start: {caught.value.sentence}\n"


def test_a_bad_setting_stops_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StartupError):
        create_app({"LOG_LEVEL": "LOUD"})
    assert capsys.readouterr().err.startswith("Cannot start: LOG_LEVEL must be one of DEBUG")
