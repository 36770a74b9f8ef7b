"""Where the images of the dataset lie on disk, how many there are, and whether they can be read.

The contract: a dataset is a folder ``root`` with ``root/Training/<class>/*`` and
``root/Testing/<class>/*``, the classes being ``model.config.CLASS_NAMES``. Nothing here writes,
downloads or prints; `data.download` does.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, UnidentifiedImageError

from model.config import CLASS_NAMES
from model.reading.pictures.guards import MAX_PIXELS
from model.reading.pictures.picture import DAMAGE

SPLITS = ("Training", "Testing")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
NESTING = 3  # folders a zip may wrap around Training/ and Testing/

# images of each class and split, as published; the key is what `DatasetReport.layout` says
KNOWN_LAYOUTS: dict[str, dict[str, dict[str, int]]] = {
    "5712": {
        "Training": {"glioma": 1321, "meningioma": 1339, "notumor": 1595, "pituitary": 1457},
        "Testing": {"glioma": 300, "meningioma": 306, "notumor": 405, "pituitary": 300},
    },
    "5708": {
        "Training": {"glioma": 1321, "meningioma": 1339, "notumor": 1591, "pituitary": 1457},
        "Testing": {"glioma": 300, "meningioma": 306, "notumor": 405, "pituitary": 300},
    },
    "7200": {
        "Training": {"glioma": 1400, "meningioma": 1400, "notumor": 1400, "pituitary": 1400},
        "Testing": {"glioma": 400, "meningioma": 400, "notumor": 400, "pituitary": 400},
    },
}

_Verdict = Literal["ok", "unreadable", "not an image"]
Progress = Callable[[Iterable[_Verdict]], Iterable[_Verdict]]


class DatasetError(ValueError):
    """A folder does not hold the dataset: a split or class is missing, empty or ambiguous."""


@dataclass(frozen=True)
class ImageFile:
    """One file of the dataset: where it lies and what its folders say about it."""

    path: Path
    label: str
    split: str


@dataclass(frozen=True)
class DatasetReport:
    """What `check_images` found.

    Attributes:
        counts: readable images as ``counts[split][class]``; every class is present, 0 included.
        layout: ``"5708"``, ``"5712"`` or ``"7200"`` when the counts are exactly that layout's,
            else ``"other"``.
        unreadable: images that are truncated, corrupt or absurdly large, sorted.
        non_images: files that hold no image at all, whatever they are called, sorted.
    """

    counts: dict[str, dict[str, int]]
    layout: str
    unreadable: tuple[Path, ...]
    non_images: tuple[Path, ...]

    @property
    def rejected(self) -> tuple[Path, ...]:
        """Every file that is not a readable image, sorted."""
        return tuple(sorted(self.unreadable + self.non_images))


def list_images(directory: Path, *, splits: Sequence[str] = SPLITS) -> list[ImageFile]:
    """List the image files of a dataset, by name only: nothing is opened.

    Args:
        directory: the dataset's root, or a folder that wraps it.
        splits: ``"Training"``, ``"Testing"`` or both; only these need to exist.

    Returns:
        Files ordered by split as asked, then class as in `CLASS_NAMES`, then name. Hidden files,
        and files without an image's suffix, are left out.

    Raises:
        DatasetError: a split or a class folder is missing or holds no image.
        ValueError: `splits` names something else.
    """
    if not splits or not set(splits) <= set(SPLITS):
        raise ValueError(f"`splits` must be some of {SPLITS}. Received: {tuple(splits)}")
    root = find_root(directory, splits)
    return [
        ImageFile(path, label, split)
        for split in splits
        for label in CLASS_NAMES
        for path in _class_images(root, split, label)
    ]


def list_strays(directory: Path, *, splits: Sequence[str] = SPLITS) -> list[Path]:
    """List the visible files in class folders that `list_images` leaves out for their suffix."""
    root = find_root(directory, splits)
    return [
        path
        for split in splits
        for label in CLASS_NAMES
        if (root / split / label).is_dir()
        for path in _visible_files(root / split / label)
        if path.suffix.lower() not in IMAGE_SUFFIXES
    ]


def check_images(
    images: Iterable[ImageFile], *, workers: int | None = None, progress: Progress | None = None
) -> DatasetReport:
    """Decode every image and count those that can be read.

    Args:
        images: what `list_images` returned.
        workers: decoding threads (Pillow releases the interpreter lock); when None, one a core,
            at most 8.
        progress: wraps the iteration over results, for instance in a progress bar.

    Returns:
        The counts and the names of what could not be read.
    """
    files = list(images)
    readable: list[ImageFile] = []
    faults: dict[_Verdict, list[Path]] = {"unreadable": [], "not an image": []}
    with warnings.catch_warnings(), ThreadPoolExecutor(workers or _default_workers()) as pool:
        warnings.simplefilter("ignore")  # a bad tag is no reason to refuse pixels that decode
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        verdicts: Iterable[_Verdict] = pool.map(_decode, [file.path for file in files])
        for file, verdict in zip(files, progress(verdicts) if progress else verdicts, strict=True):
            if verdict == "ok":
                readable.append(file)
            else:
                faults[verdict].append(file.path)
    counts = count_by_class(readable)
    return DatasetReport(
        counts=counts,
        layout=layout_of(counts),
        unreadable=tuple(sorted(faults["unreadable"])),
        non_images=tuple(sorted(faults["not an image"])),
    )


def is_readable(path: Path) -> bool:
    """Whether a file is an image of a known format that decodes as a whole."""
    return _decode(path) == "ok"


def count_by_class(images: Iterable[ImageFile]) -> dict[str, dict[str, int]]:
    """Count files as ``counts[split][class]`` without opening them."""
    counts = {split: dict.fromkeys(CLASS_NAMES, 0) for split in SPLITS}
    for image in images:
        counts[image.split][image.label] += 1
    return counts


def layout_of(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Name the known layout with exactly these counts, or ``"other"``."""
    for name, known in KNOWN_LAYOUTS.items():
        if counts == known:
            return name
    return "other"


def require_every_class(
    counts: Mapping[str, Mapping[str, int]], *, splits: Sequence[str] = SPLITS
) -> None:
    """Raise `DatasetError` when a class of a split has no readable image."""
    empty = [
        f"{split}/{label}" for split in splits for label in CLASS_NAMES if not counts[split][label]
    ]
    if empty:
        raise DatasetError(f"No readable image in {', '.join(empty)}: every class needs some.")


def describe_counts(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Say the counts on one line: ``Training 5712 (glioma 1321, ...), Testing 1311 (...)``."""
    parts = []
    for split, classes in counts.items():
        each = ", ".join(f"{name} {number}" for name, number in classes.items())
        parts.append(f"{split} {sum(classes.values())} ({each})")
    return ", ".join(parts)


def find_root(directory: Path, splits: Sequence[str] = SPLITS) -> Path:
    """The folder that holds the splits.

    Args:
        directory: That folder, or one that wraps it (as archives do), at most three folders deep.
        splits: ``"Training"``, ``"Testing"`` or both.

    Raises:
        DatasetError: There is no such folder, or there are several.
    """
    if not directory.is_dir():
        raise DatasetError(
            f"`directory` must be a folder that holds {_join(splits)}. Received: {directory}"
        )
    level = [directory]
    for _ in range(NESTING + 1):
        found = [folder for folder in level if all((folder / split).is_dir() for split in splits)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(str(folder) for folder in found)
            raise DatasetError(f"Several folders hold {_join(splits)}; name one of them: {names}")
        level = [child for folder in level for child in _subfolders(folder)]
    raise DatasetError(f"No folder that holds {_join(splits)} in {directory}.")


def _join(splits: Sequence[str]) -> str:
    return " and ".join(f"{split}/" for split in splits)


def _subfolders(folder: Path) -> list[Path]:
    children = (child for child in folder.iterdir() if child.is_dir() and not child.is_symlink())
    return sorted(child for child in children if not child.name.startswith((".", "__MACOSX")))


def _class_images(root: Path, split: str, label: str) -> list[Path]:
    folder = root / split / label
    if not folder.is_dir():
        raise DatasetError(f"The class folder {split}/{label} is missing in {root}.")
    found = [path for path in _visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]
    if not found:
        raise DatasetError(f"The class folder {split}/{label} in {root} holds no image.")
    return found


def _visible_files(folder: Path) -> list[Path]:
    """Files of a folder by name, without the system's hidden ones (``.DS_Store``, ``._a.jpg``)."""
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )


def _decode(path: Path) -> _Verdict:
    try:
        with Image.open(path, formats=IMAGE_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return "unreadable"
            image.load()
    except UnidentifiedImageError:
        return "not an image"
    except (*DAMAGE, Image.DecompressionBombWarning):
        return "unreadable"
    return "ok"


def _default_workers() -> int:
    return min(8, os.cpu_count() or 1)
