"""What an enhanced DICOM file says of each of its frames: functional groups (PS3.3 C.7.6.16).

They are kept as they are in the file, and those of one frame are read at a time: a file of a
thousand frames has hundreds of thousands of elements there.
"""

from __future__ import annotations

import struct
from typing import Any

from pydicom.charset import default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from model.reading.dicom.header import GROUPS, MAX_VALUE_BYTES, HeaderFile, items

_VALUES: dict[Any, list[Any]] = {  # by the sequence that has them
    tag_for_keyword(sequence): [tag_for_keyword(name) for name in names]
    for sequence, names in (
        ("PixelMeasuresSequence", ("PixelSpacing",)),
        ("PixelValueTransformationSequence", ("RescaleSlope", "RescaleIntercept")),
        ("FrameVOILUTSequence", ("WindowCenter", "WindowWidth", "VOILUTFunction")),
    )
}
_ITEM = 0xFFFEE000
_UNSAID = 0xFFFFFFFF


class FrameGroups:
    """The functional groups of a file, taken out of its header.

    Raises:
        Exception: `ImageError`, or one of `model.reading.dicom.header.DAMAGE`.
    """

    def __init__(self, header: Dataset) -> None:
        self._header = header
        self._shared = items(header, GROUPS[0])[:1]
        self._raw = header.get_item(GROUPS[1]) if GROUPS[1] in header else None
        self._items = _places(self._raw)
        self._read = items(header, GROUPS[1]) if self._items is None else []
        for tag in GROUPS:
            header.pop(tag, None)

    def of(self, index: int) -> Dataset:
        """The header with the frame's own values in place of those of the file.

        Raises:
            Exception: `ImageError`, or one of `model.reading.dicom.header.DAMAGE`.
        """
        found = Dataset()
        found.update(self._header)
        found.file_meta = self._header.file_meta
        for groups in (*self._shared, *self._of_frame(index)):
            for sequence, tags in _VALUES.items():
                for item in items(groups, sequence)[:1]:
                    for tag in tags:
                        if tag in item and _is_short(item.get_item(tag)):
                            found[tag] = item.get_item(tag)
        return found

    def _of_frame(self, index: int) -> list[Dataset]:
        if self._items is None:
            return self._read[index : index + 1]
        if index >= len(self._items):
            return []
        assert isinstance(self._raw, RawDataElement)
        start, length = self._items[index]
        piece = HeaderFile((self._raw.value or b"")[start : start + length])
        order = self._raw.is_implicit_VR, self._raw.is_little_endian
        return [
            read_dataset(
                piece, *order, bytelength=length, parent_encoding=default_encoding,
                specific_tags=list(_VALUES), at_top_level=False,
            )
        ]  # fmt: skip


def _places(element: object) -> list[tuple[int, int]] | None:
    """Start and length of a sequence's items; None where they cannot be told apart so."""
    if not isinstance(element, RawDataElement) or element.VR not in (None, "UN", "SQ"):
        return None
    raw, found, place = element.value or b"", [], 0
    order = "<" if element.is_little_endian else ">"
    while place + 8 <= len(raw):
        group, number, length = struct.unpack_from(f"{order}HHL", raw, place)
        if group << 16 | number != _ITEM or length == _UNSAID:
            return None
        found.append((place + 8, length))
        place += 8 + length
    return found


def _is_short(element: Any) -> bool:
    """Whether this is a value of a length that such values have."""
    if element.VR == "SQ":
        return False
    return not isinstance(element, RawDataElement) or element.length <= MAX_VALUE_BYTES
