"""Slices of a study as series: grouped, in order, and which of them the network should look at.

Data contract: headers of files in, each with its number; series of these numbers out. A file is in
exactly one series.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from model.reading.contrast import Contrast, contrast_of
from model.reading.slice_header import SliceHeader

MANY = 10
"""Slices that a series should have: with fewer, most of the head lies between them."""
PREFERRED = ("t1c", "flair", "t2", "t1", "pd", "unknown")
"""Contrasts, the best for the network first; all others come after them."""
PLANES = ("axial", "coronal", "sagittal", "oblique")
UNFIT = ("modality", "secondary-capture", "body-part", "localizer", "map")
"""Why a series is not answered as a brain MRI."""

_Direction = tuple[float, ...] | None
_ALONG = {0: "sagittal", 1: "coronal", 2: "axial"}
_STEEP = 0.8  # cosine of the angle to a plane's normal, up to which it counts as that plane
_CLOSE = 0.01  # of the directions of one series
_SAME_PLACE = 0.01  # millimetres
_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # secondary capture, and with more numbers its kinds
_HEADS = (
    "HEAD", "BRAIN", "SKULL", "NEURO", "CRAN", "CEREB", "CABEZA", "ENCEF", "ENCEPH", "KOPF",
    "HIRN", "CERVEAU", "TETE", "TESTA", "PITUIT", "HIPOF", "HYPOPH", "SELLA", "UNKNOWN",
)  # fmt: skip
_LOCALIZER = re.compile(r"LOCALI|SCOUT|SURVEY|3[- ]?PLANE|\bLOC\b")
_MAPS = (
    "ADC", "EADC", "FA", "TRACEW", "PHASE MAP", "P", "PHASE", "CBF", "CBV", "RELCBF", "RELCBV",
    "RCBF", "RCBV", "MTT", "TTP", "TMAX", "PROJECTION IMAGE", "MIN IP", "MIP", "MINIP", "SUB",
    "SUBTRACTION", "T1 MAP", "T2 MAP", "T2_STAR MAP",
)  # fmt: skip
"""Words of an image type that stand for pictures computed from others."""


@dataclass(frozen=True)
class Series:
    """Files that belong together, in the order of their positions.

    Attributes:
        files: Their numbers; of those at one place the first alone.
        repeats: Numbers of further files at places that have one, such as later times.
        header: Of the first file.
        gap: Millimetres from one slice to the next; None where that is not known.
        slices: Pictures in `files`, a multi-frame file having several.
    """

    files: tuple[int, ...]
    repeats: tuple[int, ...]
    header: SliceHeader
    gap: float | None
    slices: int

    @cached_property
    def plane(self) -> str | None:
        """One of `PLANES`; None where the header has no orientation."""
        normal = _normal(self.header.orientation)
        if normal is None:
            return None
        axis = max(range(3), key=lambda k: abs(normal[k]))
        return _ALONG[axis] if abs(normal[axis]) >= _STEEP else "oblique"

    @cached_property
    def contrast(self) -> Contrast:
        return contrast_of(self.header)

    @cached_property
    def unfit(self) -> str | None:
        """Why it is not answered, one of `UNFIT`; None where it is."""
        return unfit(self.header)


def unfit(header: SliceHeader) -> str | None:
    """Why a file is not answered as a brain MRI, one of `UNFIT`; None where it is."""
    storage = f"{header.storage}."
    words = f"{header.description} {header.protocol}".upper()
    part = unicodedata.normalize("NFKD", header.body_part.upper())
    part = "".join(c for c in part if not unicodedata.combining(c))
    if header.modality not in ("MR", ""):
        return "modality"
    if storage.startswith(f"{_CAPTURE}.") or "SCREEN SAVE" in header.kind:
        return "secondary-capture"
    if part and not any(name in part for name in _HEADS):
        return "body-part"
    if "LOCALIZER" in header.kind or _LOCALIZER.search(words):
        return "localizer"
    return "map" if any(word in _MAPS for word in header.kind[2:]) else None


@dataclass(frozen=True)
class Choice:
    """The series to look at.

    Attributes:
        number: Of the series.
        why: In a sentence.
    """

    number: int
    why: str


def group(headers: Mapping[int, SliceHeader]) -> list[Series]:
    """Files as series, by their series number, then by the first of their files.

    Args:
        headers: By the number of the file; a file without a series is one by itself.
    """
    alone = [[n] for n, header in headers.items() if not header.series or header.frames > 1]
    groups: dict[object, list[tuple[_Direction, list[int]]]] = {}
    for number, header in headers.items():
        if header.series and header.frames == 1:
            _members(groups.setdefault(_key(header), []), header.orientation).append(number)
    together = [numbers for facing in groups.values() for _, numbers in facing]
    found = [_ordered(numbers, headers) for numbers in (*alone, *together)]
    last = math.inf
    return sorted(
        found,
        key=lambda one: (
            one.header.study, last if one.header.number is None else one.header.number,
            min(one.files),
        ),
    )  # fmt: skip


def described(one: Series) -> dict[str, Any]:
    """What the headers tell, ready for JSON; `not_answered` is one of `UNFIT`, or None."""
    header = one.header
    return {
        "description": header.description or header.protocol or None,
        "modality": header.modality or None,
        "body_part": header.body_part or None,
        "plane": one.plane,
        "contrast": one.contrast.name,
        "contrast_source": one.contrast.source,
        "files": len(one.files) + len(one.repeats),
        "repeats": len(one.repeats),
        "slices": one.slices,
        "millimeters": one.gap,
        "not_answered": one.unfit,
    }


def choose(series: list[Series]) -> Choice | None:
    """The series that suits the network best; None where none is a brain MRI.

    Contrast counts first among those of enough slices, then the plane, as most of the pictures
    that it learned from are axial, then the number of slices.
    """
    fit = [number for number, one in enumerate(series) if one.unfit is None]
    if not fit:
        return None
    best = min(fit, key=lambda number: _rank(series[number]))
    return Choice(best, _why(series[best], len(fit)))


def _rank(one: Series) -> tuple[bool, int, int, int]:
    contrast, plane = one.contrast.name, one.plane
    return (
        one.slices < MANY,
        PREFERRED.index(contrast) if contrast in PREFERRED else len(PREFERRED),
        PLANES.index(plane) if plane in PLANES else len(PLANES),
        -one.slices,
    )


def _why(one: Series, fit: int) -> str:
    slices = f"{one.slices} slice{'' if one.slices == 1 else 's'}."
    if fit == 1:
        return f"It is the only series that is a brain MRI as far as its header tells: {slices}"
    if one.contrast.name == "t1c":
        return f"It is T1 after a contrast agent, which the network reads best: {slices}"
    names = {"unknown": "a contrast that its header does not tell"}
    name = names.get(one.contrast.name, one.contrast.name.upper())
    return (
        f"No series is T1 after a contrast agent that has {MANY} slices or more; this one suits "
        f"best: {name}, {slices}"
    )


def _key(header: SliceHeader) -> object:
    """Of what its series shares, besides the direction: one UID may hold several echoes."""
    return (
        header.study, header.series, header.description, header.echo, header.rows, header.columns,
        header.kind, header.modality,
    )  # fmt: skip


def _members(groups: list[tuple[_Direction, list[int]]], facing: _Direction) -> list[int]:
    """Those of the same direction; the last digits differ within a series."""
    for known, numbers in groups:
        if known is None or facing is None:
            if known is facing:
                return numbers
        elif all(abs(a - b) <= _CLOSE for a, b in zip(known, facing, strict=True)):
            return numbers
    groups.append((facing, []))
    return groups[-1][1]


def _ordered(numbers: list[int], headers: Mapping[int, SliceHeader]) -> Series:
    first = headers[numbers[0]]
    normal = _normal(first.orientation)

    def along(number: int) -> float:
        position = headers[number].position
        if normal is None or position is None:
            return 0.0
        return sum(a * b for a, b in zip(normal, position, strict=True))

    def place(number: int) -> tuple[float, float, int]:
        said = headers[number].place
        return along(number), math.inf if said is None else said, number

    ordered = sorted(numbers, key=place)
    known = normal is not None and all(headers[n].position is not None for n in numbers)
    files: list[int] = []
    repeats: list[int] = []
    for number in ordered:
        again = known and files and along(number) - along(files[-1]) <= _SAME_PLACE
        (repeats if again else files).append(number)
    gaps = [along(b) - along(a) for a, b in pairwise(files)] if known else []
    gap = Counter(round(value, 2) for value in gaps).most_common(1)[0][0] if gaps else None
    slices = sum(headers[number].frames for number in files)
    return Series(tuple(files), tuple(repeats), headers[files[0]], gap, slices)


def _normal(orientation: _Direction) -> tuple[float, float, float] | None:
    """Unit vector through the slices, towards left, back and head; None where there is none."""
    if orientation is None:
        return None
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    cross = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = math.hypot(*cross)
    if not 0.5 < length < 2:  # the two are no directions at right angles
        return None
    x, y, z = (value / length for value in cross)
    return x, y, z
