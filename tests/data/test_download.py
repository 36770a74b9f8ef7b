"""`python -m data.download`, against a local server that answers as Kaggle answers kagglehub."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from kagglesdk import kaggle_env
from PIL import Image

from data import download, layout
from data.download import main
from data.layout import DatasetError
from data.staging import staging
from model.config import CLASS_NAMES
from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 1024**2
RPC = "/v1/datasets.DatasetApiService/DownloadDataset"


def image_bytes(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (16, 16), value).save(buffer, "JPEG")
    return buffer.getvalue()


def dataset_files(each: int = 2) -> dict[str, bytes]:
    return {
        f"{split}/{label}/{split[:2]}-{label[:2]}_{index:04d}.jpg": image_bytes(40 * index)
        for split in layout.SPLITS
        for label in CLASS_NAMES
        for index in range(each)
    }


def zip_bytes(files: dict[str, bytes], prefix: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(prefix + name, content)
    return buffer.getvalue()


def write_files(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def read_files(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


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


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw"


def assert_nothing_left(out: Path) -> None:
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []


# --- from Kaggle ---


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


# --- from a folder or zip ---


@pytest.mark.parametrize("prefix", ["", "archive/", "a/b/"])
def test_from_zip(tmp_path: Path, out: Path, prefix: str) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(zip_bytes(dataset_files(), prefix))
    assert main(["--from", str(archive), "--out", str(out)]) == 0
    assert read_files(out) == dataset_files()
    assert list(out.parent.iterdir()) == [out]


def test_from_folder_leaves_the_folder_alone(tmp_path: Path, out: Path) -> None:
    source = write_files(tmp_path / "source", dataset_files(3))
    assert main(["--from", str(source), "--out", str(out)]) == 0
    assert read_files(out) == read_files(source) == dataset_files(3)


def test_unreadable_files_are_named_and_left_out(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = image_bytes(0)
    extra = {
        "Training/notumor/Tr-no_1011.jpg": whole[: len(whole) // 2],
        "Training/notumor/Tr-no_1012.jpg": b"not an image",
        "Testing/glioma/Thumbs.db": b"x",
        "Testing/glioma/.DS_Store": b"x",
    }
    source = write_files(tmp_path / "source", {**dataset_files(), **extra})
    assert main(["--from", str(source), "--out", str(out)]) == 0
    assert read_files(out) == dataset_files()
    printed = capsys.readouterr().err
    assert "warning: 1 unreadable images left out: Training/notumor/Tr-no_1011.jpg" in printed
    assert (
        "warning: 2 files that are no images left out: Testing/glioma/Thumbs.db, "
        "Training/notumor/Tr-no_1012.jpg"
    ) in printed


def test_a_class_without_a_readable_image_is_an_error(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {
        name: b"broken" if name.startswith("Testing/pituitary") else content
        for name, content in dataset_files().items()
    }
    assert main(["--from", str(write_files(tmp_path / "s", files)), "--out", str(out)]) == 1
    assert "No readable image in Testing/pituitary" in capsys.readouterr().err
    assert_nothing_left(out)


def test_known_counts_give_no_warning(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {split: dict.fromkeys(CLASS_NAMES, 2) for split in layout.SPLITS}
    monkeypatch.setitem(layout.KNOWN_LAYOUTS, "7200", small)
    source = write_files(tmp_path / "source", dataset_files())
    assert main(["--from", str(source), "--out", str(out)]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "name",
    [
        "../escaped.jpg",
        "Training/../../escaped.jpg",
        "/escaped.jpg",
        "..\\escaped.jpg",
        "C:\\e.jpg",
    ],
)
def test_a_zip_cannot_write_elsewhere(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    archive = tmp_path / "evil.zip"
    archive.write_bytes(zip_bytes({**dataset_files(), name: b"escaped"}))
    assert main(["--from", str(archive), "--out", str(out)]) == 1
    assert "unsafe name" in capsys.readouterr().err
    assert_nothing_left(out)
    assert list(tmp_path.rglob("*e.jpg")) + list(tmp_path.rglob("escaped*")) == []


def test_a_zip_with_a_link_is_refused(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "link.zip"
    link = zipfile.ZipInfo("Training/glioma/link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(link, "/etc/passwd")
    assert main(["--from", str(archive), "--out", str(out)]) == 1
    assert "symbolic link" in capsys.readouterr().err
    assert_nothing_left(out)


@pytest.mark.parametrize(
    ("limit", "value", "what"),
    [
        ("MAX_FILES", 15, "16 files; at most 15"),
        ("MAX_FILE_BYTES", 20, "bytes in one file; at most 20"),
        ("MAX_TOTAL_BYTES", 1000, "bytes unpacked; at most 1000"),
    ],
)
def test_a_zip_that_would_fill_the_disk_is_refused(
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    limit: str,
    value: int,
    what: str,
) -> None:
    monkeypatch.setattr(download, limit, value)
    archive = tmp_path / "bomb.zip"
    archive.write_bytes(zip_bytes(dataset_files()))
    assert main(["--from", str(archive), "--out", str(out)]) == 1
    assert what in capsys.readouterr().err
    assert_nothing_left(out)


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path, out: Path) -> None:
    content = zip_bytes({"Training/glioma/a.jpg": b"A" * 5000})
    lie = content.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    assert lie != content
    archive = tmp_path / "lie.zip"
    archive.write_bytes(lie)
    assert main(["--from", str(archive), "--out", str(out)]) == 1
    assert_nothing_left(out)


@pytest.mark.parametrize("content", [b"not a zip", b""])
def test_what_is_no_zip_is_said(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(content)
    assert main(["--from", str(archive), "--out", str(out)]) == 1
    assert "is not a zip, or it is damaged" in capsys.readouterr().err
    assert_nothing_left(out)


def test_a_source_that_is_absent_or_inside_the_destination_is_an_error(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--from", str(tmp_path / "absent"), "--out", str(out)]) == 1
    assert "There is no" in capsys.readouterr().err
    write_files(out, dataset_files())
    assert main(["--from", str(out), "--out", str(out), "--force"]) == 1
    assert "must lie outside" in capsys.readouterr().err
    assert read_files(out) == dataset_files()


# --- what is already there ---


def test_what_is_there_is_kept_unless_forced(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(out, dataset_files(1))
    source = write_files(tmp_path / "source", dataset_files(2))
    assert main(["--from", str(source), "--out", str(out)]) == 0
    assert "already there: Training 4 (glioma 1" in capsys.readouterr().out
    assert read_files(out) == dataset_files(1)

    assert main(["--from", str(source), "--out", str(out), "--force"]) == 0
    assert read_files(out) == dataset_files(2)
    assert list(out.parent.iterdir()) == [out]


def test_what_is_there_survives_a_failed_replacement(tmp_path: Path, out: Path) -> None:
    write_files(out, dataset_files(1))
    source = write_files(tmp_path / "source", {"Training/glioma/a.jpg": b"", "Testing/x": b""})
    assert main(["--from", str(source), "--out", str(out), "--force"]) == 1
    assert read_files(out) == dataset_files(1)
    assert list(out.parent.iterdir()) == [out]


def test_what_is_there_is_put_back_when_renaming_fails(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(out, dataset_files(1))
    source = write_files(tmp_path / "source", dataset_files(2))
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "complete":
            raise PermissionError("in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    assert main(["--from", str(source), "--out", str(out), "--force"]) == 1
    assert read_files(out) == dataset_files(1)


def test_an_incomplete_folder_is_replaced_only_when_forced(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(out, {"Training/glioma/a.jpg": image_bytes(0)})
    source = write_files(tmp_path / "source", dataset_files())
    assert main(["--from", str(source), "--out", str(out)]) == 1
    assert "is incomplete; --force replaces it" in capsys.readouterr().err
    assert main(["--from", str(source), "--out", str(out), "--force"]) == 0
    assert read_files(out) == dataset_files()


def test_force_never_replaces_other_things(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(out, {"thesis.txt": b"years of work"})
    source = write_files(tmp_path / "source", dataset_files())
    assert main(["--from", str(source), "--out", str(out), "--force"]) == 1
    assert "holds more than the dataset; not replacing it: thesis.txt" in capsys.readouterr().err
    assert read_files(out) == {"thesis.txt": b"years of work"}


def test_an_empty_folder_is_filled(tmp_path: Path, out: Path) -> None:
    out.mkdir(parents=True)
    source = write_files(tmp_path / "source", dataset_files())
    assert main(["--from", str(source), "--out", str(out)]) == 0
    assert read_files(out) == dataset_files()


def test_a_destination_that_is_a_file_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "raw"
    target.write_bytes(b"x")
    assert main(["--from", str(tmp_path), "--out", str(target)]) == 1
    assert "`--out` must be a folder" in capsys.readouterr().err


def test_the_staging_folder_is_ignored_by_git(tmp_path: Path) -> None:
    with staging(tmp_path / "raw") as folder:
        assert folder.parent == tmp_path
        assert (folder / ".gitignore").read_text(encoding="utf-8") == "*\n"
    assert list(tmp_path.iterdir()) == []


def test_extracting_by_itself_keeps_names(tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(
        zip_bytes({"Training/x.jpg": b"1", "__MACOSX/y.jpg": b"2", "._z.jpg": b"3"})
    )
    download.extract_zip(archive, tmp_path / "to")
    assert read_files(tmp_path / "to") == {"Training/x.jpg": b"1"}
    with pytest.raises(DatasetError, match="is not a zip"):
        download.extract_zip(tmp_path / "to" / "Training" / "x.jpg", tmp_path / "other")
