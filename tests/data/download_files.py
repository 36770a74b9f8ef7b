"""A small dataset as files and as an archive, for the tests of the download."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from PIL import Image

from data import layout
from model.config import CLASS_NAMES

MEBIBYTE = 1024**2


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


def assert_nothing_left(out: Path) -> None:
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []
