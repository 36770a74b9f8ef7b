"""A DICOM file's header, read up to its pixels and within bounds, with pydicom.

pydicom believes what a file says of itself: it gathers millions of elements, and values of millions
of parts. What is read here is bounded, and of other elements nothing is kept.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO

import pydicom
from pydicom.charset import default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import _at_pixel_data, read_dataset, read_sequence
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from model.reading.bounded import BoundedReads
from model.reading.dicom.codecs import NATIVE, NEW, READ, syntax_name
from model.reading.errors import ImageError
from model.reading.scan import MAX_SLICES

MAX_DEFLATED_BYTES = 32 * 2**20
"""Of a deflated file once unpacked: as much as may be sent of others."""
MAX_READS = 150_000
"""Of a file's header. Each element takes one to three of them, and some hundred bytes of memory."""
MAX_VALUE_BYTES = 8 * MAX_SLICES
"""Of an element that is read: an offset for each frame. Of millions of values each takes 100."""
MAX_TABLE_BYTES = 2 * 2**16
"""Of a lookup table: an entry of two bytes for each value of 16 bits."""
MAX_TABLES_BYTES = 8 * MAX_TABLE_BYTES
"""Of a sequence of lookup tables."""
MAX_GROUPS_BYTES = 16 * 2**20
"""Of what an enhanced file says of its frames."""
DAMAGE = (  # what pydicom raises for broken files, by where they are broken
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
    pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException,
)  # fmt: skip


def _tags(*keywords: str) -> list[Any]:
    return [tag_for_keyword(keyword) for keyword in keywords]


_VALUES = _tags(
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelSpacing", "PixelAspectRatio", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
    "RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "ImageType", "AcquisitionMatrix",
)  # fmt: skip
_PALETTES = _tags(
    *(
        name
        for color in ("Red", "Green", "Blue")
        for name in (
            f"{color}PaletteColorLookupTableDescriptor", f"{color}PaletteColorLookupTableData",
            f"Segmented{color}PaletteColorLookupTableData",
        )
    )
)  # fmt: skip
_TABLES = _tags("ModalityLUTSequence", "VOILUTSequence")
GROUPS = _tags("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
MOSAIC_TILES: Any = BaseTag(0x0019100A)
"""A private value of Siemens: how many slices a mosaic has."""
_SEQUENCES = [*_TABLES, *GROUPS]
_TAGS = [*_VALUES, *_PALETTES, *_SEQUENCES, MOSAIC_TILES]
_META = _tags("FileMetaInformationGroupLength", "TransferSyntaxUID")
_TABLE = _tags("LUTDescriptor", "LUTData")
_MOST = {  # bytes of those that may be longer than `MAX_VALUE_BYTES`
    **dict.fromkeys(_PALETTES, MAX_TABLE_BYTES),
    **dict.fromkeys(_TABLES, MAX_TABLES_BYTES),
    **dict.fromkeys(GROUPS, MAX_GROUPS_BYTES),
}
_CHARACTER_SETS = (b"\x08\0\x05\0", b"\0\x08\0\x05")  # (0008,0005), in either byte order
_IGNORED = b"\x09\0\0\0"  # a tag that is not read, in either byte order
_UNSAID = 0xFFFFFFFF  # the length of an element that ends with a mark


class HeaderFile(BoundedReads):
    """Ends a file of millions of tiny elements, which pydicom would gather.

    Hides what a file says of its character sets, which pydicom reads whether they are wanted or
    not: Python keeps each name of one that it is asked for, for good, and it may have megabytes.
    """

    def __init__(self, content: bytes, most: int = MAX_READS) -> None:
        complaint = (
            "`file` must have a shorter DICOM header; export its pixels alone. "
            f"Received: one of more than {most:,} pieces"
        )
        super().__init__(content, most, complaint, "too-large")

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if size == 8 and piece[:4] in _CHARACTER_SETS:  # the start of an element
            return _IGNORED + piece[4:]
        return piece


def read_header(content: bytes) -> tuple[Dataset, UID, HeaderFile]:
    """Reads what decides how the pixels are stored and shown.

    Args:
        content: The file.

    Returns:
        Those elements, with meta information that tells their byte order; the transfer syntax; and
        the dataset's bytes, uncompressed, at the element of the pixels, or at their end where there
        is none.

    Raises:
        ImageError: The header is too long, or has values of the wrong kind.
        Exception: One of `DAMAGE`.
    """
    file, syntax, meta = open_dataset(content)
    dataset = read_dataset(
        file,
        meta.TransferSyntaxUID.is_implicit_VR,
        meta.TransferSyntaxUID.is_little_endian,
        stop_when=lambda *about: _at_pixel_data(*about) or _check_length(*about),
        specific_tags=_TAGS,
    )
    refuse_sequences(dataset, _SEQUENCES)
    for tag in _TABLES:
        _check_tables(dataset, tag)
    dataset.file_meta = meta
    return dataset, syntax, file


def open_dataset(content: bytes, most: int = MAX_READS) -> tuple[HeaderFile, UID, FileMetaDataset]:
    """The dataset's bytes, uncompressed, at its first element.

    Args:
        content: The file, or its beginning.
        most: Pieces that may be read of it.

    Returns:
        Those bytes, the transfer syntax, and meta information that tells their byte order.

    Raises:
        ImageError: The transfer syntax cannot be read, or the meta information has values that are
            none.
        Exception: One of `DAMAGE`.
    """
    file = HeaderFile(content, most)
    file.seek(132 if content[128:132] == b"DICM" else 0)
    meta = _meta(file)
    if "TransferSyntaxUID" not in meta:
        meta.TransferSyntaxUID = _guessed_syntax(content[file.tell() : file.tell() + 6])
    syntax = UID(meta.TransferSyntaxUID)
    _check_syntax(syntax)
    if syntax == DeflatedExplicitVRLittleEndian:
        file = HeaderFile(_inflate(file.read()), most)
        syntax = ExplicitVRLittleEndian
    if syntax not in NATIVE:
        meta.TransferSyntaxUID = ExplicitVRLittleEndian  # as all headers of compressed pixels are
    return file, syntax, meta


def _guessed_syntax(head: bytes) -> UID:
    """How a dataset is written that does not say it, by how its first element is."""
    if not head[4:6].isalpha():
        return ImplicitVRLittleEndian
    return ExplicitVRBigEndian if head[0] == 0 else ExplicitVRLittleEndian


def _check_syntax(syntax: UID) -> None:
    if syntax in READ:
        return
    if syntax in NEW or (not syntax.is_private and syntax.is_transfer_syntax):
        raise ImageError(
            "`file` must be DICOM uncompressed, or compressed as JPEG, JPEG-LS, JPEG 2000, RLE or "
            f"deflate; save it uncompressed. Received: {syntax_name(syntax)}, which cannot be read",
            kind="unsupported-format",
        )
    raise ImageError(
        "`file` must be DICOM of a transfer syntax of the standard; save it uncompressed. "
        f"Received: {str(syntax)[:64]!r}"
    )


def _meta(file: BinaryIO) -> FileMetaDataset:
    """What the file says of how it is written; pydicom's own reader repeats all of it in messages.

    Raises:
        ImageError: A sequence stands for one of the values.
    """
    start = file.tell()
    try:
        return _meta_elements(file, implicit=False)
    except NotImplementedError:  # not of an explicit kind: some files leave the kinds out
        file.seek(start)
        return _meta_elements(file, implicit=True)


def _meta_elements(file: BinaryIO, *, implicit: bool) -> FileMetaDataset:
    found = read_dataset(
        file, implicit, True, specific_tags=_META,
        stop_when=lambda tag, kind, length: tag >> 16 != 2 or _check_length(tag, kind, length),
    )  # fmt: skip
    refuse_sequences(found, [])
    for tag in _META:
        found.get(tag)  # read as its kind says, or the error for a kind that does not exist
    return FileMetaDataset(found)


def _check_length(tag: int, _kind: str | None, length: int) -> bool:
    """False, for an element that may be read.

    Raises:
        ImageError: It is longer than such values are; a length that is not said counts as long.
    """
    most = _MOST.get(tag, MAX_VALUE_BYTES)
    open_ended = tag in _SEQUENCES and length == _UNSAID
    if tag in (*_TAGS, *_META) and length > most and not open_ended:
        received = "one that is open" if length == _UNSAID else f"{length:,} bytes"
        raise _bad_value(tag, f"a value of at most {most:,} bytes", received)
    return False


def refuse_sequences(dataset: Dataset, allowed: list[Any]) -> None:
    """Ends a file with sequences where values belong.

    Where pydicom complains of one, it writes it out with every complaint of what is nested in it,
    and what a kilobyte nests fills gigabytes.

    Raises:
        ImageError: As said.
    """
    for tag in dataset.keys():  # noqa: SIM118 -- iterating would turn elements into values
        if dataset.get_item(tag).VR == "SQ" and tag not in allowed:
            raise _bad_value(tag, "a value", "a sequence")


def items(dataset: Dataset, tag: Any) -> list[Dataset]:
    """The items of a sequence, read within the bounds of a header; none where there is none.

    Raises:
        ImageError: It is no sequence.
        Exception: One of `DAMAGE`.
    """
    if tag not in dataset:
        return []
    element: Any = dataset.get_item(tag)
    if element.VR not in (None, "UN", "SQ"):
        raise _bad_value(tag, "a sequence", f"a value of the kind {element.VR}")
    if not isinstance(element, RawDataElement):
        return list(element.value or [])
    raw = element.value or b""
    order = element.is_implicit_VR, element.is_little_endian
    return list(read_sequence(HeaderFile(raw), *order, len(raw), default_encoding))


def _check_tables(dataset: Dataset, tag: Any) -> None:
    """Reads a sequence of lookup tables, if there is one; drops it where one is empty.

    Raises:
        ImageError: It is no sequence, or holds damaged tables.
        Exception: One of `DAMAGE`.
    """
    tables = items(dataset, tag)
    for table in tables:
        for name in _TABLE:
            found = table.get_item(name) if name in table else None
            if found is not None and (found.VR == "SQ" or _size(found) > MAX_TABLE_BYTES):
                wanted = f"a value of at most {MAX_TABLE_BYTES:,} bytes"
                raise _bad_value(name, wanted, "a sequence, or more")
        refuse_sequences(table, [])
    whole = all(
        name in table and _size(table.get_item(name)) for table in tables for name in _TABLE
    )
    if tables and whole:
        dataset[tag] = DataElement(tag, "SQ", tables)
    else:
        dataset.pop(tag, None)


def _size(element: Any) -> int:
    """Bytes of an element; of one that pydicom has turned into values, about as many."""
    if isinstance(element, RawDataElement):
        return int(element.length)
    return len(element.value) if isinstance(element.value, bytes) else 2 * int(element.VM)


def _bad_value(tag: int, wanted: str, received: str) -> ImageError:
    return ImageError(
        f"`file` is a damaged DICOM file: its header must have {wanted} at {BaseTag(tag)}, which "
        f"says how its pixels are stored or shown. Received: {received}"
    )


def _inflate(packed: bytes) -> bytes:
    """A deflated file's dataset.

    Raises:
        ImageError: Larger than `MAX_DEFLATED_BYTES`.
        zlib.error: Damaged.
    """
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, MAX_DEFLATED_BYTES + 1)
    if len(plain) > MAX_DEFLATED_BYTES:
        raise ImageError(
            f"`file` must hold at most {MAX_DEFLATED_BYTES // 2**20} MiB once decompressed. "
            "Received: more",
            kind="too-large",
        )
    return plain


def pixel_element(file: BinaryIO, *, big_endian: bool) -> tuple[str, str | None] | None:
    """The pixels' keyword and the kind of their values; the file is left at the values.

    Args:
        file: At the element.
        big_endian: Whether the dataset is.

    Returns:
        None where the file has no pixels; the kind is None in files that leave kinds out, whatever
        their transfer syntax says.
    """
    head = file.read(8)
    if len(head) < 8:
        return None
    element = struct.unpack(f"{'>' if big_endian else '<'}HH", head[:4])[1]
    kind = None
    if head[4:6] in _PIXEL_KINDS:  # the first letters are odd numbers, which no length begins with
        kind = head[4:6].decode("ascii")
        file.read(4)  # the length, behind the kind
    return _PIXEL_KEYWORDS[element], kind


_PIXEL_KEYWORDS = {8: "FloatPixelData", 9: "DoubleFloatPixelData", 16: "PixelData"}
_PIXEL_KINDS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN")
