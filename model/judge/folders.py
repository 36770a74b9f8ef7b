"""What the place of a picture says of it: its class, its contrast and its plane.

A class is the name of a folder above the picture, the nearest one that names a class. Contrast and
plane are words in folder names, or in the header of a DICOM file, which knows better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from model.batch.sources import INSIDE, SUFFIXES, find_source, read_source
from model.config import CLASS_NAMES
from model.reading.errors import ImageError
from model.reading.marks import is_dicom
from model.reading.series import group

TUMOR = len(CLASS_NAMES)
"""Label of a tumor whose kind is not known."""
LABELS = (*CLASS_NAMES, "tumor")
SPELLINGS = {
    "glioma": ("glioma", "gliomas", "gliomatumor"),
    "meningioma": ("meningioma", "meningiomas", "meningiomatumor"),
    "notumor": ("notumor", "no", "healthy", "normal", "notumour"),
    "pituitary": ("pituitary", "pituitarytumor", "pituitaryadenoma"),
    "tumor": ("tumor", "yes", "tumour"),
}
"""How a class may be written; capitals, spaces, `_` and `-` do not matter."""
ALLOWED = (
    "glioma, meningioma, notumor (or no_tumor, no, healthy, normal), pituitary, and tumor (or yes) "
    "for a tumor of unknown kind"
)
UNKNOWN = "unknown"
OTHERS = tuple(suffix for suffix in SUFFIXES if suffix not in (".dcm", ".dicom", ".ima"))
"""Files with these are no DICOM."""

_LABEL_OF = {word: LABELS.index(name) for name, words in SPELLINGS.items() for word in words}
_CONTRAST_WORDS = (  # the first that fits counts
    ("t1c", r"t1[ _+-]*(c|ce|gd|post|contrast|km)|contrast[ _-]*t1|post[ _-]*(contrast|gd)"),
    ("flair", r"flair"),
    ("t2", r"t2w?i?"),
    ("t1", r"t1w?i?|mprage"),
    ("pd", r"pd"),
)
_PLANE_WORDS = (
    ("axial", r"axial|ax|tra|transversal"),
    ("coronal", r"coronal|cor"),
    ("sagittal", r"sagittal|sag"),
)


def label_of(name: str) -> int | None:
    """The label, an index into `LABELS`, that a folder's name stands for; None for any other."""
    return _LABEL_OF.get(re.sub(r"[\s_-]+", "", name).lower())


def parts_below(path: str, folder: str) -> tuple[str, ...]:
    """The folders, and archives, between `folder` and a picture, from the outside in."""
    below = path
    if Path(path).is_relative_to(folder):
        below = Path(path).relative_to(folder).as_posix()
    return PurePosixPath(below.replace(INSIDE, "/")).parts[:-1]


def class_above(parts: Iterable[str]) -> int | None:
    """The label that the nearest of the folders names; None where none does."""
    found = [label for part in parts if (label := label_of(part)) is not None]
    return found[-1] if found else None


def contrast_in(text: str) -> str | None:
    """The contrast that a text names, of `model.reading.contrast.NAMES`, or None."""
    return _word_in(text, _CONTRAST_WORDS)


def plane_in(text: str) -> str | None:
    """The plane that a text names: of `model.reading.series.PLANES`, or None."""
    return _word_in(text, _PLANE_WORDS)


def _word_in(text: str, words: Iterable[tuple[str, str]]) -> str | None:
    for name, pattern in words:
        if re.search(rf"(?<![a-z0-9])({pattern})(?![a-z0-9])", text.lower()):
            return name
    return None


def header_facts(path: str) -> tuple[str | None, str | None]:
    """Contrast and plane by the header of a DICOM file.

    Args:
        path: As rows name it; a file of another kind, or a damaged one, says nothing.
    """
    if path.lower().endswith(OTHERS):
        return None, None
    try:
        return facts_in(read_source(find_source(path)))
    except (ImageError, OSError):
        return None, None


def facts_in(content: bytes) -> tuple[str | None, str | None]:
    """Contrast and plane by the header of a DICOM file's bytes; nothing of any other file.

    Raises:
        ImageError: The header cannot be read.
    """
    if not is_dicom(content):
        return None, None
    from model.reading.dicom.place import read_slice_header  # takes long to import

    (series,) = group({0: read_slice_header(content)})
    return None if series.contrast.name == UNKNOWN else series.contrast.name, series.plane
