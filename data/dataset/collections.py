"""Extra collections of brain MRIs beside the dataset: other hospitals, contrasts and styles.

A collection is a folder of class folders, ``COLLECTION/CLASS/*``: CLASS is one of the four classes
or `tumor`, a tumor whose kind nobody wrote down. Beside them may lie

- ``outlines.json``: ``{"file.jpg": [[[x, y], ...], ...]}``, polygons around the tumor;
- ``boxes.json``: ``{"file.jpg": [[x0, y0, x1, y1], ...]}``, boxes around it;

both as fractions of width and height. The first number in a file's name is its person: a person is
in one part alone, in whatever collection of one family (``lgg-flair``, ``lgg-t1c``: `lgg`) a
picture of that person lies. The parts follow from the names, so a new person changes no other's.
People of whom the audit found a copy in the dataset are in no part: ``collection-copies.csv``.
A name that ends with its contrast (``-t1c``), or begins with its plane (``coronal-``), tells it.

Data contract: images uint8 (n, 224, 224, 1), preprocessed, times 255; labels int64 (n,), indices
into `LABELS`; lesions uint8 (n, 224, 224), 255 inside.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data.dataset.image_set import to_uint8
from data.dataset.outline_files import fill_polygon
from model.config import CLASS_NAMES, IMAGE_SIZE, NO_TUMOUR
from model.preprocessing import ImageError, load_image
from model.reading.scan import PLANES

TUMOR = len(CLASS_NAMES)
"""Label of a tumor whose kind is not known."""

LABELS = (*CLASS_NAMES, "tumor")
PARTS = ("training", "validation", "report")
COPIES = Path(__file__).resolve().parents[1] / "collection-copies.csv"
_REPORT, _VALIDATION = 0.15, 0.28  # shares of the people: 15% and 13%
_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif"}


class CollectionError(ValueError):
    """A folder is no collection, or a file in it is not as it should be; says why."""


@dataclass(frozen=True)
class Collections:
    """The images of some collections.

    Attributes:
        images: uint8 (n, 224, 224, 1).
        labels: int64 (n,), indices into `LABELS`.
        lesions: uint8 (n, 224, 224), 255 inside the tumor.
        known: bool (n,), whether `lesions` tells where the tumor is; healthy images have none.
        names: "collection/class/file" of each image.
        sha256: Hash over names and file contents, in order.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    lesions: NDArray[np.uint8]
    known: NDArray[np.bool_]
    names: tuple[str, ...]
    sha256: str

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def collections(self) -> NDArray[np.str_]:
        """Name of each image's collection, str (n,)."""
        return np.array([name.split("/")[0] for name in self.names], dtype=np.str_)

    @property
    def healthy(self) -> NDArray[np.bool_]:
        """Which images show no tumor, bool (n,)."""
        return np.asarray(self.labels == NO_TUMOUR)

    def take(self, rows: NDArray[np.int64]) -> Collections:
        """The images at `rows`, int64 (k,), in that order."""
        names = tuple(self.names[row] for row in rows)
        digest = hashlib.sha256("\n".join((self.sha256, *names)).encode()).hexdigest()
        return Collections(
            self.images[rows],
            self.labels[rows],
            self.lesions[rows],
            self.known[rows],
            names,
            digest,
        )

    def part(self, name: str) -> Collections:
        """The images of the people of one part, without the copies of the dataset's images.

        Args:
            name: One of `PARTS`.

        Raises:
            ValueError: Another name.
        """
        if name not in PARTS:
            raise ValueError(f"`name` must be one of {', '.join(PARTS)}. Received: {name!r}")
        copies = people_of_the_dataset()
        found = [part_of(i) == name and person_of(i) not in copies for i in self.names]
        return self.take(np.flatnonzero(np.array(found, dtype=np.bool_)))


def person_of(name: str) -> str:
    """The person of an image, "family/number".

    Args:
        name: "collection/class/file".

    Raises:
        CollectionError: The file's name has no number.
    """
    collection, _, file = name.split("/")
    number = re.search(r"\d+", Path(file).stem)
    if number is None:
        raise CollectionError(
            f"The name of a file must hold its person's number, which keeps a person in one part. "
            f"Received: {name}"
        )
    return f"{collection.split('-')[0]}/{number.group()}"


def part_of(name: str) -> str:
    """The part of an image's person: one of `PARTS`. Otherwise as `person_of`."""
    chance = zlib.crc32(person_of(name).encode()) / 2**32
    return "report" if chance < _REPORT else "validation" if chance < _VALIDATION else "training"


CONTRASTS = {"t1": "T1", "t1c": "T1 with contrast agent", "t2": "T2", "flair": "FLAIR", "pd": "PD"}
_STRIPPED = {"oasis-t1": "T1", "brats-stripped": "FLAIR"}


def style_of(name: str) -> tuple[str, str, bool]:
    """Contrast ("mixed" where the name does not tell), plane and whether the skull was removed.

    Args:
        name: "collection/class/file", such as "hospital-flair/glioma/coronal-07-12.png"; a name
            that tells no plane is of an axial image.
    """
    collection, _, file = name.split("/")
    contrast = _STRIPPED.get(collection, CONTRASTS.get(collection.split("-")[-1], "mixed"))
    plane = next((plane for plane in PLANES if file.startswith(plane)), PLANES[0])
    return contrast, plane, collection in _STRIPPED


@cache
def people_of_the_dataset() -> frozenset[str]:
    """The people, as `person_of`, of whom a picture is a turned copy of an image of the dataset."""
    with COPIES.open(newline="", encoding="utf-8") as file:
        return frozenset(person_of(row["name"]) for row in csv.DictReader(file))


def find_collections(folders: Sequence[Path]) -> list[Path]:
    """The collections among folders: each folder itself, or the collections in it.

    Raises:
        CollectionError: A folder is no collection and holds none, or two have the same name.
    """
    found: list[Path] = []
    for folder in folders:
        inside = [folder] if _is_collection(folder) else []
        if not inside and folder.is_dir():
            inside = sorted(child for child in folder.iterdir() if _is_collection(child))
        if not inside:
            raise CollectionError(
                f"A collection must hold a folder named {', '.join(LABELS[:-1])} or {LABELS[-1]}. "
                f"Received: {folder}"
            )
        found += inside
    names = [folder.resolve().name for folder in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CollectionError(f"Collections must have different names. Twice: {', '.join(twice)}")
    return found


def load_collections(folders: Sequence[Path]) -> Collections:
    """Reads collections, or folders of collections.

    Args:
        folders: As for `find_collections`.

    Raises:
        CollectionError: As `find_collections`, or an image or a file of outlines cannot be read.
    """
    images, labels, lesions, known, names = [], [], [], [], []
    digest = hashlib.sha256()
    for folder in find_collections(folders):
        polygons, boxes = (_read(folder / f"{kind}.json") for kind in ("outlines", "boxes"))
        for path in _pictures(folder):
            content = path.read_bytes()
            try:
                image = to_uint8(load_image(content))
            except ImageError as error:
                raise CollectionError(f"{path} cannot be read: {error}") from error
            label = LABELS.index(path.parent.name)
            lesion = _lesion(polygons.get(path.name), boxes.get(path.name), path)
            images.append(image)
            labels.append(label)
            lesions.append(np.zeros(image.shape[:2], np.uint8) if lesion is None else lesion)
            known.append(label == NO_TUMOUR or lesion is not None)
            names.append(f"{folder.resolve().name}/{path.parent.name}/{path.name}")
            part_of(names[-1])
            digest.update(names[-1].encode() + hashlib.sha256(content).digest())
    return Collections(
        np.stack(images), np.array(labels, dtype=np.int64), np.stack(lesions),
        np.array(known, dtype=np.bool_), tuple(names), digest.hexdigest(),
    )  # fmt: skip


def _is_collection(folder: Path) -> bool:
    return any((folder / label).is_dir() for label in LABELS)


def _pictures(folder: Path) -> list[Path]:
    found = [
        path
        for label in LABELS
        for path in sorted((folder / label).glob("*"))
        if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise CollectionError(f"A collection must hold images. Received: {folder}, without any")
    return found


def _read(path: Path) -> dict[str, Any]:
    """What a file of outlines or boxes says of each image; nothing where there is no such file."""
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CollectionError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise CollectionError(f"{path} must be an object. Received: {type(content).__name__}")
    return content


def _lesion(polygons: Any, boxes: Any, path: Path) -> NDArray[np.uint8] | None:
    """The tumor's mask, uint8 (224, 224), or None where nothing tells it."""
    try:
        shapes = [np.array(points, dtype=np.float64) for points in polygons or ()]
        shapes += [_ellipse(np.array(box, dtype=np.float64)) for box in boxes or ()]
        mask = np.zeros((IMAGE_SIZE, IMAGE_SIZE), dtype=np.bool_)
        for points in shapes:
            if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
                raise ValueError(f"shape {points.shape}")
            mask |= fill_polygon(points * IMAGE_SIZE, IMAGE_SIZE, IMAGE_SIZE)
    except (TypeError, ValueError) as error:
        raise CollectionError(
            f"An outline must be points (x, y) and a box (x0, y0, x1, y1), as fractions of width "
            f"and height. Received for {path}: {error}"
        ) from error
    return mask.astype(np.uint8) * np.uint8(255) if mask.any() else None


def _ellipse(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ellipse in a box, points (k, 2): a tumor seldom reaches into the box's corners."""
    if box.shape != (4,):
        raise ValueError(f"a box of shape {box.shape}")
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    points = np.array(cv2.ellipse2Poly((0, 0), (1000, 1000), 0, 0, 360, 10), dtype=np.float64)
    return np.asarray(middle + points / 1000 * half)
