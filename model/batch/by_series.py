"""`python -m model classify --by series`: studies sorted out by their headers, a row a series.

The headers of all files are read first, about a kilobyte of memory for each. Then the slices go
through the same workers and parts as any batch, series by series, and their rows are gathered.
Every file is in the count of exactly one row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from model.batch.rows import PROBABILITY
from model.batch.sources import Source, read_source
from model.config import CLASS_NAMES, NO_TUMOUR
from model.inference.series_answer import SliceAnswer, answer_fields
from model.reading.dicom.place import read_slice_header
from model.reading.errors import ImageError
from model.reading.marks import is_dicom
from model.reading.series import Series, choose, described, group
from model.reading.slice_header import HEAD, SliceHeader

ABOUT = (
    "study", "series", "path", "description", "modality", "body_part", "plane", "contrast",
    "contrast_source", "files", "repeats", "slices", "millimeters", "chosen", "not_answered",
)  # fmt: skip
"""What the headers tell; `not_answered` is one of `model.reading.series.UNFIT`, or None."""
ANSWER = (
    "finding", "neighbors", "neighbors_needed", "first_neighbor", "last_neighbor",
    "slices_with_tumor", "highest_tumor_probability", "highest_slice", "slices_like_brain_mri",
    "slices_not_readable",
)  # fmt: skip
"""What the network says; None for what is not answered."""
SERIES_COLUMNS = (*ABOUT, *ANSWER, "error", "model_sha256")

_NO_TUMOR = PROBABILITY + CLASS_NAMES[NO_TUMOUR]


@dataclass(frozen=True)
class Study:
    """Files sorted out.

    Attributes:
        sources: The files, each once.
        series: Of their numbers.
        unread: Why a file's header cannot be read, by its number.
        chosen: Numbers of the series that suit the network best, one of each study.
    """

    sources: list[Source]
    series: list[Series]
    unread: dict[int, str]
    chosen: frozenset[int]

    def to_read(self) -> Iterator[Source]:
        """The files of the series that are answered, in order."""
        for one in self.series:
            if one.unfit is None:
                yield from (self.sources[number] for number in one.files)

    def rows(self, slices: Iterable[dict[str, Any]], model: str) -> Iterator[dict[str, Any]]:
        """A row for each series, then one for each file whose header cannot be read.

        Args:
            slices: Rows of `to_read`, in its order; see `model.batch.rows`.
            model: SHA-256 of the network.
        """
        slices = iter(slices)
        ahead = next(slices, None)
        studies: dict[str, int] = {}
        for number, one in enumerate(self.series):
            labels = {self.sources[file].label for file in one.files}
            found = []
            while one.unfit is None and ahead is not None and ahead["path"] in labels:
                found.append(ahead)
                ahead = next(slices, None)
            study = studies.setdefault(one.header.study, len(studies) + 1)
            about = described(one) | {
                "study": study,
                "series": number + 1,
                "path": self.sources[one.files[0]].label,
                "chosen": number in self.chosen,
            }
            yield about | _answer(found, one) | {"model_sha256": model}
        for file, error in self.unread.items():
            row: dict[str, Any] = dict.fromkeys(SERIES_COLUMNS)
            label = self.sources[file].label
            yield row | {"path": label, "files": 1, "error": error, "model_sha256": model}


class SeriesTally:
    """Counts rows as they pass.

    Attributes:
        left_out: Files that are not answered, by why.
    """

    def __init__(self) -> None:
        self.rows = self.errors = 0
        self.left_out: Counter[str] = Counter()

    def counted(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Passes rows on."""
        for row in rows:
            self.rows += 1
            self.errors += row["error"] is not None
            if row["not_answered"] is not None:
                self.left_out[row["not_answered"]] += row["files"]
            elif row["repeats"]:
                self.left_out["at a place that has a picture"] += row["repeats"]
            yield row


def sort_out(sources: Iterable[Source]) -> Study:
    """Reads the headers of files, and puts them into series; pictures and volumes are their own."""
    kept: list[Source] = []
    seen: set[str] = set()
    headers: dict[int, SliceHeader] = {}
    unread: dict[int, str] = {}
    for source in sources:
        if source.label in seen:
            continue
        seen.add(source.label)
        try:
            headers[len(kept)] = _header(source)
        except (ImageError, OSError) as error:
            unread[len(kept)] = str(error)
        kept.append(source)
    series = group(headers)
    return Study(kept, series, unread, frozenset(_chosen(series)))


def _header(source: Source) -> SliceHeader:
    head = read_source(source, HEAD)
    if not is_dicom(head):
        return SliceHeader()
    try:
        return read_slice_header(head)
    except ImageError:  # of a deflated file the head is not enough
        return read_slice_header(read_source(source))


def _chosen(series: list[Series]) -> Iterator[int]:
    studies: dict[str, list[int]] = {}
    for number, one in enumerate(series):
        if one.header.series:
            studies.setdefault(one.header.study, []).append(number)
    for numbers in studies.values():
        best = choose([series[number] for number in numbers])
        if best is not None:
            yield numbers[best.number]


def _answer(rows: list[dict[str, Any]], one: Series) -> dict[str, Any]:
    if one.unfit is not None:
        return dict.fromkeys((*ANSWER, "error"))
    slices = [_seen(row) for row in rows]
    unread = slices.count(None)
    if unread == len(slices):
        empty: dict[str, Any] = dict.fromkeys(ANSWER)
        return empty | {"slices_not_readable": unread, "error": rows[0]["error"]}
    names = [_place(row) for row in rows]
    return answer_fields(slices, one.gap, names) | {"slices": len(slices), "error": None}


def _seen(row: dict[str, Any]) -> SliceAnswer | None:
    if row["error"] is not None:
        return None
    return SliceAnswer(1 - row[_NO_TUMOR], row["in_distribution"])


def _place(row: dict[str, Any]) -> str:
    path: str = row["path"]
    return path if row["slice"] is None else f"{path} [{row['slice']}]"
