"""Reads what a DICOM file says of its place in a study, with pydicom.

Data contract: the bytes of a file, or its first `HEAD` bytes, in; a `SliceHeader` out. No pixel is
looked at, and nothing that names a person is read.
"""

from __future__ import annotations

import struct
import warnings
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from model.reading.dicom.header import DAMAGE, open_dataset
from model.reading.errors import ImageError
from model.reading.slice_header import SliceHeader

MAX_READS = 6_000
"""Of a header: a study has thousands, and scanners write a few hundred elements before these."""
MAX_VALUE_BYTES = 1024
"""Of a value that is read; a longer one counts as absent."""
MAX_TEXT = 64  # characters, as the standard allows for descriptions

_KEYWORDS = (
    "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription",
    "AcquisitionContrast", "ContrastBolusAgent", "BodyPartExamined", "ScanningSequence",
    "RepetitionTime", "EchoTime", "InversionTime", "ProtocolName", "StudyInstanceUID",
    "SeriesInstanceUID", "SeriesNumber", "InstanceNumber", "ImagePositionPatient",
    "ImageOrientationPatient", "NumberOfFrames", "Rows", "Columns",
)  # fmt: skip
_TAGS: dict[str, Any] = {name: tag_for_keyword(name) for name in _KEYWORDS}
_LARGEST = 1e9  # of a number: none here is near it
_LAST = max(_TAGS.values())


def read_slice_header(content: bytes) -> SliceHeader:
    """Reads what a DICOM file says of its place in a study.

    Args:
        content: The file, or its first `HEAD` bytes.

    Raises:
        ImageError: Its header cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about values that are not read here
            return _described(_Values(_read(content)))
    except ImageError:
        raise
    except DAMAGE as error:
        raise ImageError(
            f"`file` is a damaged DICOM file: its header cannot be read. Received: {error}"
        ) from error


def _read(content: bytes) -> Dataset:
    file, _, meta = open_dataset(content, MAX_READS)
    return read_dataset(
        file,
        meta.TransferSyntaxUID.is_implicit_VR,
        meta.TransferSyntaxUID.is_little_endian,
        stop_when=lambda tag, *_: tag > _LAST,
        defer_size=MAX_VALUE_BYTES,
        specific_tags=list(_TAGS.values()),
    )


class _Values:
    """Values as they stand in the file; pydicom would complain of odd ones."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def raw(self, name: str) -> bytes:
        tag = _TAGS[name]
        element = self._dataset.get_item(tag, keep_deferred=True) if tag in self._dataset else None
        value = element.value if isinstance(element, RawDataElement) else None
        return value if isinstance(value, bytes) else b""

    def texts(self, name: str) -> tuple[str, ...]:
        raw = self.raw(name)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:  # the set that most of the others have the letters from
            text = raw.decode("latin-1")
        parts = ("".join(c for c in part if c.isprintable()).strip() for part in text.split("\\"))
        return tuple(part[:MAX_TEXT] for part in parts)

    def text(self, name: str) -> str:
        return self.texts(name)[0]

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        texts = self.texts(name)
        try:
            values = tuple(float(text) for text in texts)
        except ValueError:
            return None
        real = len(values) == count and all(abs(value) <= _LARGEST for value in values)
        return values if real else None

    def number(self, name: str) -> float | None:
        found = self.numbers(name, 1)
        return None if found is None else found[0]

    def whole(self, name: str) -> int | None:
        found = self.number(name)
        return None if found is None else int(found)

    def size(self, name: str) -> int:
        raw = self.raw(name)
        if len(raw) < 2:
            return 0
        order = "<" if self._dataset.get_item(_TAGS[name]).is_little_endian else ">"
        return int(struct.unpack(f"{order}H", raw[:2])[0])


def _described(values: _Values) -> SliceHeader:
    return SliceHeader(
        study=values.text("StudyInstanceUID"),
        series=values.text("SeriesInstanceUID"),
        instance=values.text("SOPInstanceUID"),
        number=values.whole("SeriesNumber"),
        place=values.whole("InstanceNumber"),
        position=values.numbers("ImagePositionPatient", 3),
        orientation=values.numbers("ImageOrientationPatient", 6),
        description=values.text("SeriesDescription"),
        protocol=values.text("ProtocolName"),
        modality=values.text("Modality").upper(),
        body_part=values.text("BodyPartExamined"),
        agent=values.text("ContrastBolusAgent"),
        weighting=values.text("AcquisitionContrast").upper(),
        sequence=tuple(text.upper() for text in values.texts("ScanningSequence") if text),
        repetition=values.number("RepetitionTime"),
        echo=values.number("EchoTime"),
        inversion=values.number("InversionTime"),
        kind=tuple(text.upper() for text in values.texts("ImageType") if text),
        storage=values.text("SOPClassUID"),
        frames=max(values.whole("NumberOfFrames") or 1, 1),
        rows=values.size("Rows"),
        columns=values.size("Columns"),
    )
