"""Find the slices of the figshare collection in a folder, its subfolders, and the zips in them."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from data.dataset.outline_files import OutlinesError

SLICES = 3064
MAX_FILE_BYTES = 64 * 1024**2
MAX_ZIP_BYTES = 4 * 1024**3  # the whole collection is about 900 MB
NUMBERED = re.compile(r"0*([1-9][0-9]{0,5})\.mat", re.IGNORECASE)


@dataclass(frozen=True)
class MatFile:
    """One ``.mat`` file that is named by a slice's number, wherever it lies."""

    number: int
    name: str
    read: Callable[[], bytes]


@dataclass
class Collection:
    """What was found.

    Attributes:
        files: by slice number, ascending.
        repeated: names of files whose number had been found before; the first one counts.
        others: names of ``.mat`` files that are no slice, such as ``cvind.mat``.
    """

    files: dict[int, MatFile] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, name: str, read: Callable[[], bytes]) -> None:
        """Sort one ``.mat`` file in by the last part of its name."""
        match = NUMBERED.fullmatch(PurePosixPath(name.replace("\\", "/")).name)
        if match is None:
            self.others.append(name)
        elif (number := int(match[1])) in self.files:
            self.repeated.append(name)
        else:
            self.files[number] = MatFile(number, name, read)


@contextmanager
def open_collection(source: Path) -> Iterator[Collection]:
    """Find the slices; the zips they lie in stay open inside the ``with`` block.

    Args:
        source: a folder with ``1.mat`` and so on, or with zips of them, at any depth; or a zip,
            in which zips may lie, as in figshare's *Download all*.

    Raises:
        OutlinesError: no such folder or zip, a damaged or encrypted zip, or no slice in it.
    """
    found = Collection()
    with ExitStack() as stack:
        if source.is_dir():
            paths = sorted(path for path in source.rglob("*") if path.is_file())
            shown = [path for path in paths if not path.name.startswith(".")]
            for path in (path for path in shown if path.suffix.lower() == ".mat"):
                found.add(str(path), partial(_read_file, path))
            for path in (path for path in shown if path.suffix.lower() == ".zip"):
                _add_zip(path, str(path), found, stack)
        elif source.is_file():
            _add_zip(source, str(source), found, stack)
        else:
            raise OutlinesError(f"`--mat` must be a folder or a zip. There is no {source}")
        if not found.files:
            raise OutlinesError(_nothing(source, found))
        found.files = dict(sorted(found.files.items()))
        yield found


def _nothing(source: Path, found: Collection) -> str:
    others = f" Other .mat files: {', '.join(found.others[:5])}." if found.others else ""
    return (
        f"No slice (1.mat to {SLICES}.mat, or brainTumorDataPublic_*.zip) in {source}.{others} "
        "data/README.md says where to get the collection."
    )


def _read_file(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise OutlinesError(f"{path} is too large for a slice: over {MAX_FILE_BYTES} bytes")
    return path.read_bytes()


def _add_zip(
    path: Path, name: str, found: Collection, stack: ExitStack, *, nested: bool = False
) -> None:
    with _zip_errors(name):
        outer = stack.enter_context(zipfile.ZipFile(path))
    inner = []
    for info in outer.infolist():
        member = PurePosixPath(info.filename.replace("\\", "/"))
        if info.is_dir() or member.name.startswith(".") or "__MACOSX" in member.parts:
            continue
        if member.suffix.lower() == ".mat":
            found.add(f"{name}/{info.filename}", partial(_read_member, outer, info, name))
        elif member.suffix.lower() == ".zip":
            inner.append(info)
    if inner and nested:
        raise OutlinesError(f"{name} has zips in it again; unpack them by hand")
    for info in inner:
        _add_inner_zip(outer, info, name, found, stack)


def _add_inner_zip(
    outer: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, found: Collection, stack: ExitStack
) -> None:
    """Unpack a zip in a zip to a nameless file, where one can seek, and add it."""
    if info.file_size > MAX_ZIP_BYTES:
        raise OutlinesError(f"{name}/{info.filename} is too large: over {MAX_ZIP_BYTES} bytes")
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="outlines-")))
    path = folder / "inner.zip"
    with _zip_errors(name), outer.open(info) as packed, path.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)
    _add_zip(path, f"{name}/{info.filename}", found, stack, nested=True)


def _read_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    if info.file_size > MAX_FILE_BYTES:
        raise OutlinesError(f"{name}/{info.filename} is too large: over {MAX_FILE_BYTES} bytes")
    with _zip_errors(name):
        return opened.read(info)


@contextmanager
def _zip_errors(name: str) -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OutlinesError(f"{name} is not a zip, or it is damaged: {error}") from error
    except (RuntimeError, NotImplementedError) as error:  # zipfile's for passwords, odd methods
        raise OutlinesError(f"{name} cannot be unpacked: {error}") from error
