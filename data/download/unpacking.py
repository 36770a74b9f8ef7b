"""Unpacking a zip that may have been made to do harm: unsafe names, links, endless files."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from data.download.progress import bar
from data.layout import DatasetError

MAX_FILES = 50_000
MAX_FILE_BYTES = 64 * 1024**2
MAX_TOTAL_BYTES = 4 * 1024**3  # the dataset is about 150 MB
CHUNK_BYTES = 1024**2


def extract_zip(archive: Path, target: Path) -> None:
    """Unpack a zip below `target`, refusing what could write elsewhere or fill the disk.

    Raises:
        DatasetError: not a zip, damaged, encrypted, too large, or with an unsafe name in it.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [info for info in opened.infolist() if not info.is_dir()]
            _check_sizes(members)
            for info in bar(members, "unpacking"):
                _extract_member(opened, info, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DatasetError(f"{archive} is not a zip, or it is damaged: {error}") from error
    except RuntimeError as error:  # what zipfile raises for a password
        raise DatasetError(f"{archive} cannot be unpacked: {error}") from error


def _check_sizes(members: Sequence[zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in members)
    largest = max((info.file_size for info in members), default=0)
    for what, found, limit in (
        ("files", len(members), MAX_FILES),
        ("bytes unpacked", total, MAX_TOTAL_BYTES),
        ("bytes in one file", largest, MAX_FILE_BYTES),
    ):
        if found > limit:
            raise DatasetError(f"The zip has {found} {what}; at most {limit} are accepted.")


def _extract_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in info.filename:
        raise DatasetError(f"The zip has an unsafe name in it: {info.filename!r}")
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DatasetError(f"The zip has a symbolic link in it: {info.filename!r}")
    if name.name.startswith(".") or "__MACOSX" in name.parts:
        return
    path = target.joinpath(*name.parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(info) as packed, path.open("xb") as unpacked:  # x: no name twice
        shutil.copyfileobj(packed, unpacked, CHUNK_BYTES)  # never more than the size checked above
