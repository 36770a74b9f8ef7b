"""The files of an uploaded study: as they were sent, or in zip archives, unpacked one at a time.

An archive's index is bounded before it is read, and nothing of an archive is kept unpacked.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from model.reading.errors import ImageError

MAX_FILES = 2048
"""Of a study, and of an archive's members."""
MAX_INDEX_BYTES = 2 * 2**20
"""Of an archive's index: its reader keeps ten times as much."""
MAX_BYTES = 512 * 2**20
"""Of the files of a series, once unpacked: 1,024 slices of 512 x 512."""

_DAMAGE = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    struct.error, zlib.error,
)  # fmt: skip
_END = struct.Struct("<4s8xL6x")
_LONGEST_END = _END.size + 2**16  # with its comment


@dataclass(frozen=True)
class StudyFile:
    """A file that was sent, or one in an archive.

    Attributes:
        name: As it was sent, or in the archive.
        content: The file, or the archive.
        member: Of the archive; None for a file.
    """

    name: str
    content: bytes
    member: zipfile.ZipInfo | None = None
    archive: zipfile.ZipFile | None = None

    def read(self, most: int) -> bytes:
        """The file, or its first bytes where it has more than `most`.

        Raises:
            ImageError: It cannot be unpacked.
        """
        if self.archive is None or self.member is None:
            return self.content[:most]
        try:
            with self.archive.open(self.member) as file:
                return file.read(most)
        except _DAMAGE as error:
            raise ImageError(
                f"`file` must be an archive that can be unpacked. Received: {error}"
            ) from error


def study_files(files: Iterable[tuple[str, bytes]]) -> Iterator[StudyFile]:
    """Every file, those in archives too; hidden ones, folders and indexes are left out.

    Raises:
        ImageError: An archive cannot be read, or there are too many files.
    """
    count = 0
    for name, content in files:
        for found in _members(content) if is_zip(content) else [StudyFile(name, content)]:
            count += 1
            if count > MAX_FILES:
                raise ImageError(
                    f"`file` must be at most {MAX_FILES:,} files in all. Received: more",
                    kind="too-large",
                )
            yield found


def is_zip(content: bytes) -> bool:
    return content.startswith((b"PK\3\4", b"PK\5\6"))


def _members(content: bytes) -> Iterator[StudyFile]:
    _check_index(content)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGE as error:
        raise ImageError(f"`file` is a damaged zip archive. Received: {error}") from error
    for member in archive.infolist():
        parts = PurePosixPath(member.filename).parts
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if not member.is_dir() and parts and not hidden and parts[-1] != "DICOMDIR":
            yield StudyFile(member.filename, b"", member, archive)


def _check_index(content: bytes) -> None:
    tail = content[-_LONGEST_END:]
    start = tail.rfind(b"PK\5\6")
    if start < 0 or len(tail) - start < _END.size:
        raise ImageError("`file` is a damaged zip archive. Received: one without its index")
    _, size = _END.unpack(tail[start : start + _END.size])
    if size > MAX_INDEX_BYTES or b"PK\6\7" in tail[max(start - 20, 0) : start]:
        raise ImageError(
            f"`file` must be an archive of at most {MAX_FILES:,} files. Received: one with a "
            "longer index",
            kind="too-large",
        )
