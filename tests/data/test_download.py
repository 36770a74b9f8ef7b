"""`python -m data.download`, against a local server that answers as Kaggle answers kagglehub."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kagglesdk import kaggle_env

from data.download import __main__ as download
from data.download.__main__ import main
from tests.data.download_files import (
    MEBIBYTE,
    assert_nothing_left,
    dataset_files,
    read_files,
    write_files,
    zip_bytes,
)
from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[2]
RPC = "/v1/datasets.DatasetApiService/DownloadDataset"


@dataclass
class FakeKaggle:
    """What the server serves, how it misbehaves, and what it was asked."""

    archive: bytes
    status: int = 200
    cut_after: int | None = None  # bytes sent before the connection is dropped
    announced_md5: str | None = None
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKaggle]:
    state = FakeKaggle(archive=zip_bytes(dataset_files()))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the API call: answered by a redirect to storage, or an error
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append({"path": self.path, **body})
            if state.status != 200:
                self._send(state.status, json.dumps({"message": "no"}).encode())
                return
            self.send_response(302)
            self.send_header("Location", f"{state.url}/storage/archive.zip?X-Goog-Signature=1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:  # storage: whole or, asked for a range, the rest
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            digest = base64.b64encode(hashlib.md5(state.archive).digest()).decode()
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={state.announced_md5 or digest}")
            self.send_header("Content-Length", str(len(state.archive) - start))
            self.end_headers()
            self.wfile.write(state.archive[start : state.cut_after])

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, state.url)
        isolate(tmp_path, monkeypatch)
        yield state
        server.shutdown()
        thread.join()


def isolate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache, credentials, proxy or notebook of the person who runs the tests."""
    for name in [name for name in os.environ if name.upper().startswith(("KAGGLE", "TBE_"))]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("HOME", "USERPROFILE", "KAGGLE_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    # its handler holds the standard output of the test that imported it first
    monkeypatch.setattr(logging.getLogger("kagglehub"), "handlers", [])


def test_downloads_the_pinned_version(
    kaggle: FakeKaggle, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(out)]) == 0

    assert len(kaggle.asked) == 1
    assert kaggle.asked[0]["path"] == RPC
    assert kaggle.asked[0]["ownerSlug"] == "masoudnickparvar"
    assert kaggle.asked[0]["datasetSlug"] == "brain-tumor-mri-dataset"
    assert kaggle.asked[0]["datasetVersionNumber"] == 1
    assert read_files(out) == dataset_files()
    assert list(out.parent.iterdir()) == [out]
    printed = capsys.readouterr()
    assert "Training 8 (glioma 2, meningioma 2, notumor 2, pituitary 2)" in printed.out
    assert "found: Training 8" in printed.err
    assert "5712: Training 5712 (glioma 1321, meningioma 1339, notumor 1595" in printed.err


def test_a_second_run_asks_nothing(
    kaggle: FakeKaggle, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(out)]) == 0
    assert main(["--out", str(out)]) == 0
    assert len(kaggle.asked) == 1
    assert "already there" in capsys.readouterr().out


def test_a_broken_off_download_is_resumed(
    kaggle: FakeKaggle, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.archive = zip_bytes({**dataset_files(), "padding.bin": bytes(2 * MEBIBYTE)})
    kaggle.cut_after = MEBIBYTE + 1000  # kagglehub writes whole mebibytes
    assert main(["--out", str(out)]) == 1
    assert_nothing_left(out)
    printed = capsys.readouterr().err
    assert "error: The download broke off" in printed
    assert "python -m data.download --from archive.zip" in printed

    kaggle.cut_after = None
    assert main(["--out", str(out)]) == 0
    assert kaggle.ranges == [None, None, f"bytes={MEBIBYTE}-"]
    assert read_files(out) == dataset_files()


def test_a_download_with_the_wrong_checksum_is_dropped(
    kaggle: FakeKaggle, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.announced_md5 = "AAAAAAAAAAAAAAAAAAAAAA=="
    assert main(["--out", str(out)]) == 1
    assert_nothing_left(out)
    assert "damaged and was removed" in capsys.readouterr().err

    kaggle.announced_md5 = None
    assert main(["--out", str(out)]) == 0


@pytest.mark.parametrize("sent", ["page", "cut archive"])
def test_what_is_no_archive_is_dropped_and_not_resumed(
    kaggle: FakeKaggle, out: Path, capsys: pytest.CaptureFixture[str], sent: str
) -> None:
    whole = kaggle.archive
    kaggle.archive = b"<html>sign in</html>" if sent == "page" else whole[:2000]
    assert main(["--out", str(out)]) == 1
    assert_nothing_left(out)
    assert "damaged and was removed" in capsys.readouterr().err

    kaggle.archive = whole
    assert main(["--out", str(out)]) == 0
    assert kaggle.ranges == [None, None]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "refused the credentials it was given (401)"),
        (403, "refused the download (403)"),
        (404, "has no masoudnickparvar/brain-tumor-mri-dataset/versions/1 (404)"),
        (429, "asks to wait before the next download (429)"),
        (500, "answered with an error: 500 Server Error"),
    ],
)
def test_refusals_say_what_to_do_instead(
    kaggle: FakeKaggle, out: Path, capsys: pytest.CaptureFixture[str], status: int, reason: str
) -> None:
    kaggle.status = status
    assert main(["--out", str(out)]) == 1
    assert_nothing_left(out)
    printed = capsys.readouterr().err
    assert f"error: Kaggle {reason}" in printed
    assert "https://www.kaggle.com/datasets/masoudnickparvar/brain-tumor-mri-dataset" in printed


def test_broken_credentials_are_named(
    kaggle: FakeKaggle, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(tmp_path / "home", {"kaggle.json": b"not json"})
    assert main(["--out", str(out)]) == 1
    assert "error: Invalid Kaggle credentials file" in capsys.readouterr().err
    assert kaggle.asked == []


def test_no_server_gives_the_reason_and_the_way_by_hand(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    isolate(tmp_path, monkeypatch)
    nowhere = "http://127.0.0.1:9"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, nowhere)
    assert main(["--out", str(out)]) == 1
    printed = capsys.readouterr().err
    assert re.match(r"error: Kaggle cannot be reached: .*refused", printed)
    assert "Max retries" not in printed
    assert "python -m data.download --from archive.zip" in printed
    assert_nothing_left(out)


def test_no_network_is_an_error_without_a_traceback(tmp_path: Path, out: Path) -> None:
    dead = "http://127.0.0.1:9"  # nothing listens on the discard port
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("KAGGLE")},
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), dead),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
        **dict.fromkeys(("HOME", "USERPROFILE"), str(tmp_path / "home")),
        "KAGGLEHUB_CACHE": str(tmp_path / "cache"),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "data.download", "--out", str(out)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_WAIT,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "error: Kaggle cannot be reached" in ran.stderr
    assert "1. open https://www.kaggle.com/datasets/masoudnickparvar" in ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    assert_nothing_left(out)


def test_no_kagglehub_names_the_file_to_install(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert main(["--out", str(out)]) == 1
    assert "pip install -r requirements-train.txt" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "download", interrupted)
    assert main(["--out", str(out)]) == 130
    assert_nothing_left(out)
    assert "stopped" in capsys.readouterr().err
