"""DICOM files as slices, with pydicom: single and multi-frame.

The modality transform is applied before the window (PS3.3 C.11), and MONOCHROME1, where large
values are dark, is inverted. Tags other than those are neither read out nor kept.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.charset import default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.filereader import _at_pixel_data, read_dataset, read_preamble, read_sequence
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import as_pixel_options
from pydicom.tag import BaseTag
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from model.reading.bounded import BoundedReads
from model.reading.dicom_frames import check_frame
from model.reading.errors import ImageError
from model.reading.scan import MAX_SIDE, MAX_SLICES, Scan, as_square, check_size

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
DAMAGE = (  # what pydicom raises for broken files, by where they are broken
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
    pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException,
)  # fmt: skip

_KEYWORDS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "PixelSpacing", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "VOILUTSequence",
)  # fmt: skip
_TAGS: list[Any] = [tag_for_keyword(keyword) for keyword in _KEYWORDS]
_SEQUENCES = [tag_for_keyword(name) for name in ("ModalityLUTSequence", "VOILUTSequence")]
_META: list[Any] = [
    tag_for_keyword(name) for name in ("FileMetaInformationGroupLength", "TransferSyntaxUID")
]
_TABLE: list[Any] = [tag_for_keyword(name) for name in ("LUTDescriptor", "LUTData")]
_OFFSETS: list[Any] = [
    tag_for_keyword(name) for name in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
]
_CHARACTER_SETS = (b"\x08\0\x05\0", b"\0\x08\0\x05")  # (0008,0005), in either byte order
_IGNORED = b"\x09\0\0\0"  # a tag that is not read, in either byte order
_PIXEL_KEYWORDS = {8: "FloatPixelData", 9: "DoubleFloatPixelData", 16: "PixelData"}
_ROWS_AT_ONCE = 256
_UNSAID = 0xFFFFFFFF  # the length of an element that ends with a mark


class _Header(BoundedReads):
    """Ends a file of millions of tiny elements, which pydicom would gather.

    Hides what a file says of its character sets, which pydicom reads whether they are wanted or
    not: Python keeps each name of one that it is asked for, for good, and it may have megabytes.
    """

    def __init__(self, content: bytes) -> None:
        complaint = (
            "`file` must have a shorter DICOM header; export its pixels alone. "
            f"Received: one of more than {MAX_READS:,} pieces"
        )
        super().__init__(content, MAX_READS, complaint, "too-large")

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if size == 8 and piece[:4] in _CHARACTER_SETS:  # the start of an element
            return _IGNORED + piece[4:]
        return piece


class DicomScan(Scan):
    """A DICOM file; its frames are decoded one at a time."""

    kind = "dicom"

    def __init__(self, content: bytes) -> None:
        self.planes = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about values that are not read here
                has_pixels = self._read(content)
                samples = int(self._dataset.get("SamplesPerPixel") or 1)
                rows, columns = (int(self._dataset.get(n) or 0) for n in ("Rows", "Columns"))
                self.frames = int(self._dataset.get("NumberOfFrames") or 1)
                if self.frames == 1:  # then all pieces are its own
                    for tag in _OFFSETS:
                        self._dataset.pop(tag, None)
        except ImageError:
            raise
        except DAMAGE as error:
            raise ImageError(f"`file` is a damaged DICOM file. Received: {error}") from error
        if not has_pixels:
            raise ImageError(
                "`file` must be a DICOM file with pixel data. Received: one without, such as a "
                "report or an index"
            )
        check_size(rows, columns, self.frames)
        if rows * columns * samples > MAX_SIDE**2:
            raise ImageError(
                f"`file` must have frames of at most {MAX_SIDE**2:,} values. "
                f"Received: {columns} x {rows} of {samples} values each",
                kind="too-large",
            )
        self._size = rows, columns

    def _read(self, content: bytes) -> bool:
        """Reads the header up to the pixels; returns whether there are any."""
        file = _Header(content)
        read_preamble(file, force=False)
        meta = _meta(file)
        self._syntax = UID(meta.TransferSyntaxUID)
        if self._syntax.is_private or not self._syntax.is_transfer_syntax:
            raise ImageError(
                "`file` must be DICOM of a transfer syntax of the standard; save it uncompressed. "
                f"Received: {str(self._syntax)[:64]!r}"
            )
        if self._syntax == DeflatedExplicitVRLittleEndian:
            file = _Header(_inflate(file.read()))
            self._syntax = ExplicitVRLittleEndian
        self._dataset = read_dataset(
            file,
            self._syntax.is_implicit_VR,
            self._syntax.is_little_endian,
            stop_when=lambda *about: _at_pixel_data(*about) or _check_length(*about),
            specific_tags=_TAGS,
        )
        _refuse_sequences(self._dataset)
        for tag in _SEQUENCES:
            _check_tables(self._dataset, tag)
        self._dataset.file_meta = meta
        order = "<" if self._syntax.is_little_endian else ">"
        head = file.read(8)
        if len(head) < 8:
            return False
        self._options: dict[str, Any] = {
            "pixel_keyword": _PIXEL_KEYWORDS[struct.unpack(f"{order}HH", head[:4])[1]],
            "transfer_syntax_uid": self._syntax,
        }
        if not self._syntax.is_implicit_VR:
            self._options["pixel_vr"] = head[4:6].decode("ascii")
            file.read(4)  # the length, after the type of the values
        self._file = io.BytesIO(file.getvalue())
        self._start = file.tell()
        return True

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        dataset = self._dataset
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # about padding and odd lengths
                values = _grey(np.asarray(self._decoded(index)), dataset)
                spacing = _spacing(dataset)
        except ImageError:
            raise
        except DAMAGE as error:
            raise ImageError(_advice(self._syntax, error)) from error
        return as_square(values, spacing)

    def _decoded(self, index: int) -> NDArray[Any]:
        options = as_pixel_options(self._dataset, **self._options)
        decoder = get_decoder(self._syntax)
        if self._syntax.is_compressed and decoder.is_available:
            self._file.seek(self._start)
            frame = get_frame(
                self._file,
                index,
                extended_offsets=options.get("extended_offsets"),
                number_of_frames=self.frames,
            )
            check_frame(frame, self._syntax, *self._size)
        self._file.seek(self._start)
        array: NDArray[Any] = decoder.as_array(self._file, index=index, **options)[0]
        return array


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
    _refuse_sequences(found)
    for tag in _META:
        found.get(tag)  # read as its kind says, or the error for a kind that does not exist
    return FileMetaDataset(found)


def _check_length(tag: int, _kind: str | None, length: int) -> bool:
    """False, for an element that may be read.

    Raises:
        ImageError: It is longer than such values are; a length that is not said counts as long.
    """
    most = MAX_TABLES_BYTES if tag in _SEQUENCES else MAX_VALUE_BYTES
    open_ended = tag in _SEQUENCES and length == _UNSAID
    if tag in (*_TAGS, *_META) and length > most and not open_ended:
        received = "one that is open" if length == _UNSAID else f"{length:,} bytes"
        raise _bad_value(tag, f"a value of at most {most:,} bytes", received)
    return False


def _refuse_sequences(dataset: pydicom.Dataset) -> None:
    """Ends a file with sequences where values belong.

    Where pydicom complains of one, it writes it out with every complaint of what is nested in it,
    and what a kilobyte nests fills gigabytes.

    Raises:
        ImageError: As said.
    """
    for tag in dataset.keys():  # noqa: SIM118 -- iterating would turn elements into values
        if dataset.get_item(tag).VR == "SQ" and tag not in _SEQUENCES:
            raise _bad_value(tag, "a value", "a sequence")


def _check_tables(dataset: pydicom.Dataset, tag: Any) -> None:
    """Reads a sequence of lookup tables, if there is one, within the bounds of other elements.

    Raises:
        ImageError: It is no sequence, or one of tables that are none.
        Exception: One of `DAMAGE`.
    """
    if tag not in dataset:
        return
    element: Any = dataset.get_item(tag)
    if element.VR not in (None, "UN", "SQ"):
        raise _bad_value(tag, "a sequence", f"a value of the kind {element.VR}")
    tables: Any = element.value
    if isinstance(element, RawDataElement):
        raw = element.value or b""
        order = element.is_implicit_VR, element.is_little_endian
        tables = read_sequence(_Header(raw), *order, len(raw), default_encoding)
        dataset[tag] = DataElement(tag, "SQ", tables)
    for table in tables:
        for name in _TABLE:
            found = table.get_item(name) if name in table else None
            if found is not None and (found.VR == "SQ" or found.length > MAX_TABLE_BYTES):
                wanted = f"a value of at most {MAX_TABLE_BYTES:,} bytes"
                raise _bad_value(name, wanted, "a sequence, or more")


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


def _grey(raw: NDArray[Any], dataset: pydicom.Dataset) -> NDArray[np.float32]:
    """One grey channel, after the transforms that the file asks for."""
    values = np.empty(raw.shape[:2], np.float32)
    for top in range(0, len(raw), _ROWS_AT_ONCE):  # float64 of a whole slice takes too much memory
        rows = raw[top : top + _ROWS_AT_ONCE]
        if raw.ndim == 3:  # colour: luminance, as Pillow's "L" (ITU-R 601-2)
            values[top : top + len(rows)] = rows[..., :3] @ np.array([0.299, 0.587, 0.114])
        else:
            values[top : top + len(rows)] = apply_voi_lut(
                apply_modality_lut(rows, dataset), dataset
            )
    if raw.ndim == 2 and dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        values = values.max() + values.min() - values
    return values


def _spacing(dataset: pydicom.Dataset) -> tuple[float, float]:
    spacing = dataset.get("PixelSpacing")
    try:
        return float(spacing[0]), float(spacing[1])
    except (TypeError, ValueError, IndexError):  # absent or not two numbers
        return 1.0, 1.0


def _advice(syntax: UID, error: Exception) -> str:
    if syntax.is_compressed:
        return (
            "`file` must be DICOM uncompressed, or compressed as JPEG baseline, JPEG 2000 or RLE. "
            f"Received: {syntax.name}, which could not be decoded; save it uncompressed, for "
            "example with `dcmdjpeg` or `gdcmconv --raw`"
        )
    return f"`file` is a damaged DICOM file. Received: {syntax.name} ({error})"
