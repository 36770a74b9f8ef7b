"""`python -m data.download --from`: a folder or an archive on this machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from data import layout
from data.download import unpacking
from data.download.__main__ import main
from model.config import CLASS_NAMES
from tests.data.download_files import (
    assert_nothing_left,
    dataset_files,
    image_bytes,
    read_files,
    write_files,
    zip_bytes,
)


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
    monkeypatch.setattr(unpacking, limit, value)
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
