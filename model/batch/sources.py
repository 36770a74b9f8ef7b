"""What to classify: files, folders, patterns and zip archives as a stream of sources.

A source is one file, or one member of a zip archive; nothing is unpacked to disk. The order is
that of the arguments, and by name inside each of them, so that two runs list alike.
"""

from __future__ import annotations

import glob
import os
import re
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from model.batch.order import in_order
from model.preprocessing import ImageError
from model.reading.marks import HEAD, is_dicom, is_mgh, is_nifti
from model.reading.pairs import is_voxels, join, pair_stem

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif",
    ".avif", ".heic", ".heif", ".jp2", ".j2k", ".dcm", ".dicom", ".ima", ".nii", ".nii.gz",
    ".mgh", ".mgz",
)  # fmt: skip
"""Files of a folder or an archive with these are taken by name; others if they start as a scan."""
MAX_FILE_BYTES = 256 * 2**20
"""Of a file, and of a zip's member once unpacked."""
INSIDE = "!/"
"""Between the path of an archive and the name of its member."""

_MACINTOSH = "__MACOSX"
_PARTS = (".parquet.parts", ".csv.parts", ".jsonl.parts")  # what `classify` keeps of its own runs
_SLASHES = re.compile(r"[/\\]+")
_ENDING = re.compile(r"\.\w{1,8}$", re.ASCII)
_INDEX = "DICOMDIR"  # lists the files of a tree, and holds no picture
_ZIP_DAMAGE = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)


@dataclass(frozen=True)
class Source:
    """One file, or one member of an archive.

    Attributes:
        path: Of the file or the archive.
        member: Number of the archive's member; None for a file.
        name: Of the member; "" for a file.
        size: Bytes, once unpacked.
        stamp: Changes when the file does: its time of change in nanoseconds, and the check sum of
            a member.
        error: Why it cannot be read, where that is known already; "" otherwise.
    """

    path: str
    member: int | None = None
    name: str = ""
    size: int = 0
    stamp: str = ""
    error: str = ""

    @property
    def label(self) -> str:
        """How rows name it; bytes that are no Unicode are written out."""
        whole = self.path if self.member is None else f"{self.path}{INSIDE}{self.name}"
        return whole.encode("utf-8", "backslashreplace").decode("utf-8")


def check_paths(paths: Sequence[str]) -> None:
    """Refuses arguments that name nothing.

    Raises:
        ValueError: There is no such file or folder, or no file fits the pattern.
    """
    for path in paths:
        if Path(path).exists():
            continue
        if not glob.has_magic(path):
            raise ValueError(f"`PATH` must be a file, a folder or a pattern. Received: {path}")
        if next(_matching(path), None) is None:
            raise ValueError(f"`PATH` must fit at least one file. Received: {path}")


def list_sources(paths: Sequence[str], passed_over: Counter[str] | None = None) -> Iterator[Source]:
    """Every source that the arguments name, as they are found.

    Args:
        paths: Files (taken whatever they are), folders (with all below), patterns and zip
            archives. Of folders, patterns and archives, pictures and scans are taken; links to
            folders are passed over, and files that begin with a dot or `_`.
        passed_over: Counts the files that are, by their kind.
    """
    listing = _Listing(Counter() if passed_over is None else passed_over)
    for path in paths:
        if Path(path).exists() or not glob.has_magic(path):
            yield from listing.below(path) if Path(path).is_dir() else listing.file(path)
            continue
        below = "**" not in path  # which matches what lies in folders by itself
        for found in in_order(_matching(path)):
            if below or not Path(found).is_dir():
                yield from listing.entry(found, Path(found).name)


def _matching(pattern: str) -> Iterator[str]:
    return glob.iglob(pattern, recursive=True)  # noqa: PTH207 -- a Path takes no absolute pattern


class _Listing:
    """Finds sources, and counts the other files."""

    def __init__(self, passed_over: Counter[str]) -> None:
        self._passed_over = passed_over

    def below(self, folder: str) -> Iterator[Source]:
        try:
            with os.scandir(folder) as entries:
                names = in_order(entry.name for entry in entries)
                for name in names:
                    path = os.path.join(folder, name)  # noqa: PTH118 -- a Path for each is slow
                    yield from self.entry(path, name)
        except OSError as error:
            yield Source(folder, error=f"The folder could not be read: {error.strerror}.")

    def entry(self, path: str, name: str) -> Iterator[Source]:
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                mode = os.stat(path).st_mode  # noqa: PTH116
                if stat.S_ISDIR(mode):
                    return  # it may lead back up
        except OSError as error:
            if not _is_left_out(name):
                yield Source(path, error=f"The file could not be read: {error.strerror}.")
            return
        if stat.S_ISDIR(mode):
            if not _is_hidden_folder(name):
                yield from self.below(path)
        elif _is_left_out(name) or not stat.S_ISREG(mode):
            self._passed_over[_LEFT_OUT] += 1
        elif is_wanted(name) or _is_zip(name) or _starts_as_scan(path):
            yield from self.file(path)
        elif not _belongs_to_header(path):
            self._passed_over[_kind(name)] += 1

    def file(self, path: str) -> Iterator[Source]:
        try:
            found = Path(path).stat()
        except OSError as error:
            yield Source(path, error=f"The file could not be read: {error.strerror}.")
            return
        if not stat.S_ISREG(found.st_mode):
            yield Source(path, error="The file could not be read: it is no regular file.")
        elif _is_zip(path):
            yield from self.members(path, str(found.st_mtime_ns))
        else:
            yield Source(path, size=found.st_size, stamp=str(found.st_mtime_ns))

    def members(self, path: str, stamp: str) -> Iterator[Source]:
        try:
            with zipfile.ZipFile(path) as archive:
                for number, info in enumerate(archive.infolist()):
                    if self._is_member_wanted(archive, info):
                        yield Source(
                            path, number, info.filename, info.file_size, f"{stamp} {info.CRC:08x}"
                        )
        except (*_ZIP_DAMAGE, OSError) as error:
            yield Source(path, error=f"The zip archive could not be read: {error}.")

    def _is_member_wanted(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
        *folders, name = _SLASHES.split(info.filename)  # Windows writes backslashes at times
        if not name:  # a folder
            return False
        if any(map(_is_hidden_folder, folders)) or _is_left_out(name):
            self._passed_over[_LEFT_OUT] += 1
            return False
        if is_wanted(name) or _is_zip(name):
            return True  # an archive in an archive becomes a row that says it was not read
        try:
            with archive.open(info) as member:
                if is_scan(member.read(HEAD)):
                    return True
        except _ZIP_DAMAGE:
            pass
        self._passed_over[_kind(name)] += 1
        return False


_LEFT_OUT = "hidden"


def _is_left_out(name: str) -> bool:
    return name.startswith((".", "_")) or name == _INDEX


def _is_hidden_folder(name: str) -> bool:
    return name.startswith((".", _MACINTOSH)) or name.endswith(_PARTS)


def _kind(name: str) -> str:
    """What a file that is passed over is counted as."""
    found = _ENDING.search(name)
    return found[0].lower() if found else "without an ending"


def _belongs_to_header(path: str) -> bool:
    """Whether a file is the voxels of a NIfTI pair, which are read with its header."""
    return is_voxels(path) and any(
        Path(f"{pair_stem(path)}{ending}").is_file() for ending in (".hdr", ".hdr.gz")
    )


def _with_voxels(path: str, header: bytes) -> bytes:
    """A NIfTI file of a pair's header and the voxels beside it; other files as they are."""
    stem = pair_stem(path)
    for ending in (".img", ".img.gz"):
        voxels = Path(f"{stem}{ending}")
        if stem is not None and not is_voxels(path) and voxels.is_file():
            with voxels.open("rb") as file:
                return join(header, file.read(MAX_FILE_BYTES + 1)) or header
    return header


def is_wanted(name: str) -> bool:
    """Whether a name says that the file is a picture or a scan."""
    return name.lower().endswith(SUFFIXES)


def is_scan(head: bytes) -> bool:
    """Whether a file that starts so is DICOM, NIfTI or MGH."""
    return is_dicom(head) or is_nifti(head) or is_mgh(head)


def _is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def _starts_as_scan(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return is_scan(file.read(HEAD))
    except OSError:
        return False


def read_source(source: Source, most: int = MAX_FILE_BYTES + 1) -> bytes:
    """The bytes of a source, or the first of them where fewer are wanted.

    Raises:
        ImageError: It is too large, or an archive's member cannot be unpacked.
        OSError: The file cannot be read.
    """
    if source.error:
        raise ImageError(source.error)
    if source.size > MAX_FILE_BYTES:
        raise _too_large(source.size)
    if source.member is None:
        with Path(source.path).open("rb") as file:
            content = file.read(most)
        if most > MAX_FILE_BYTES:  # all of it is wanted
            content = _with_voxels(source.path, content)
    else:
        try:
            archive, members = _opened(source.path, source.stamp.split()[0])
            with archive.open(members[source.member]) as member:
                content = member.read(most)  # what the index says may be a lie
        except (*_ZIP_DAMAGE, IndexError) as error:
            raise ImageError(f"The archive's member could not be unpacked: {error}.") from error
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(len(content))
    return content


def _too_large(size: int) -> ImageError:
    return ImageError(
        f"`file` must have at most {MAX_FILE_BYTES // 2**20} MiB. Received: {size:,} bytes",
        kind="too-large",
    )


@lru_cache(maxsize=1)
def _opened(path: str, stamp: str) -> tuple[zipfile.ZipFile, list[Any]]:
    """The archive read last: its index is read once for all its members."""
    archive = zipfile.ZipFile(path)
    return archive, archive.infolist()


def find_source(label: str) -> Source:
    """The source that a row's `path` names, to show its picture again.

    Raises:
        ImageError: The file is gone.
    """
    if Path(label).is_file():
        return next(_Listing(Counter()).file(label))
    path, inside, name = label.partition(INSIDE)
    while inside and not Path(path).is_file():
        more, inside, name = name.partition(INSIDE)
        path = f"{path}{INSIDE}{more}"
    if inside:
        for source in _Listing(Counter()).members(path, str(Path(path).stat().st_mtime_ns)):
            if source.name == name and not source.error:
                return source
    raise ImageError(f"There is no such file any more: {label}")
