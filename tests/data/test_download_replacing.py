"""`python -m data.download` where something is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.download import __main__ as download
from data.download.__main__ import main
from data.layout import DatasetError
from data.staging import staging
from tests.data.download_files import dataset_files, image_bytes, read_files, write_files, zip_bytes


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
