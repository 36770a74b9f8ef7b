"""Compressed DICOM frames: what they are really compressed as, checked before they are unpacked.

Decoders believe what a frame says of its own size: a few kilobytes would become gigabytes, whatever
rows and columns the file promises. Which of them reads a frame is told by its codestream, since
headers are wrong about it at times.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from dataclasses import dataclass

from PIL import Image, JpegImagePlugin
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from model.reading.errors import ImageError
from model.reading.pictures.guards import check_jpeg

DEFLATED_FRAMES = UID("1.2.840.10008.1.2.8.1")
NEW = {  # to the standard, and unknown to pydicom
    DEFLATED_FRAMES: "Deflated Image Frame Compression",
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}
NATIVE = (
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)  # fmt: skip
READ = (
    *NATIVE, DEFLATED_FRAMES, RLELossless, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless,
    JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000,
    HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K,
)  # fmt: skip
"""The transfer syntaxes that are read."""
PLUGINS = {  # of pydicom: no other is tried, so that each is one whose input was checked
    RLELossless: "pydicom",
    JPEGBaseline8Bit: "pillow",
    JPEG2000: "pillow",
    JPEGExtended12Bit: "pylibjpeg",
    JPEGLossless: "pylibjpeg",
    JPEGLSLossless: "pylibjpeg",
}

_MAX_SCANS = 16
_RLE_HEADER = 64
_PADDING = 256
_START = b"\xff\xd8"
_SEGMENT = re.compile(rb"\xff+(?P<code>[\xc0-\xfe])(?P<length>..)", re.DOTALL)
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_JPEG_LS = 0xF7
_BY_FRAME = {  # by the code that starts a frame; those that Pillow reads are not among them
    0xC1: JPEGExtended12Bit, 0xC2: JPEGExtended12Bit, 0xC3: JPEGLossless, _JPEG_LS: JPEGLSLossless,
}  # fmt: skip
_PILLOWS = (0xC0, 0xC1, 0xC2)
_START_OF_SCAN = 0xDA
_EXTENSIONS = (0xEB, 0xDE, 0xDF)  # further codestreams in boxes, and pyramids of frames
_JLS_EXTENSION = 0xF8
_OVERSIZE = 4  # of JPEG-LS: an image larger than its frame's header says


def syntax_name(syntax: UID) -> str:
    """A transfer syntax in words."""
    return NEW.get(syntax) or str(syntax.name)


@dataclass(frozen=True)
class Codestream:
    """What a frame is compressed as.

    Attributes:
        syntax: A key of `PLUGINS`.
        bits: Of a value, where pydicom would believe the header; None elsewhere.
    """

    syntax: UID
    bits: int | None = None


def check_frame(frame: bytes, syntax: UID, rows: int, columns: int, samples: int) -> Codestream:
    """Refuses a frame that is not of the size that its file says.

    Args:
        frame: The encoded frame.
        syntax: The file's transfer syntax, one of `READ` that compresses.
        rows: The file's.
        columns: The file's.
        samples: The file's, of each pixel.

    Returns:
        What it is really compressed as.

    Raises:
        ImageError: As said.
        Exception: One of `model.reading.dicom.header.DAMAGE`, where the frame cannot be read.
    """
    if syntax == RLELossless:
        _check_rle(frame, rows * columns)
        return Codestream(RLELossless)
    if frame.startswith(_START):
        code, precision, *size = _frame_header(frame)
        if code in _BY_FRAME and (code not in _PILLOWS or precision != 8):
            _check_size(size[1], size[0], columns, rows)
            if size[2] != samples or not 2 <= precision <= 16:
                raise ImageError(
                    "`file` is a damaged DICOM file: its frames must have "
                    f"{samples} values of 2 to 16 bits for each pixel, as its header says. "
                    f"Received: {size[2]} of {precision} bits"
                )
            _check_segments(frame)
            bits = None if code == _JPEG_LS else precision
            return Codestream(_BY_FRAME[code], bits)
    _check_with_pillow(frame, columns, rows)
    return Codestream(JPEGBaseline8Bit, 8) if frame.startswith(_START) else Codestream(JPEG2000)


def _check_size(width: int, height: int, columns: int, rows: int) -> None:
    if (width, height) != (columns, rows):
        raise _wrong_size(columns, rows, f"{width} x {height}")


def _wrong_size(columns: int, rows: int, received: str) -> ImageError:
    return ImageError(
        f"`file` is a damaged DICOM file: its frames must have {columns} x {rows} pixels, "
        f"as its header says. Received: {received}"
    )


def _check_with_pillow(frame: bytes, columns: int, rows: int) -> None:
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
            _check_size(image.width, image.height, columns, rows)
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                check_jpeg(image, frame, "a frame")
    except Image.DecompressionBombError:
        raise _wrong_size(columns, rows, "many times that") from None


def _frame_header(frame: bytes) -> tuple[int, int, int, int, int]:
    """The code that starts a JPEG's frame, its precision, height, width and components.

    Raises:
        LookupError, struct.error: There is none ahead of the first scan.
    """
    for code, place, _ in _segments(frame):
        if code in _START_OF_FRAME:
            return code, *struct.unpack(">BHHB", frame[place + 4 : place + 10])
    raise LookupError("no frame header")


def _segments(frame: bytes) -> list[tuple[int, int, int]]:
    """Code, place and length of the segments ahead of a JPEG's first scan, and of its start."""
    found, place = [], len(_START)
    while (segment := _SEGMENT.match(frame, place)) is not None:
        code, length = segment["code"][0], int.from_bytes(segment["length"])
        found.append((code, segment.start("code") - 1, length))
        place = segment.start("length") + max(length, 2)
        if code == _START_OF_SCAN:
            break
    return found


def _check_segments(frame: bytes) -> None:
    """Refuses what has more in it than one frame of some scans.

    Raises:
        ImageError: As said.
    """
    segments = _segments(frame)
    # Frame headers are looked for behind the first scan as well, where a decoder would find them.
    later = sum(frame.count(bytes([0xFF, code])) for code in _START_OF_FRAME | {*_EXTENSIONS})
    scans = frame.count(bytes([0xFF, _START_OF_SCAN]))
    oversize = any(
        code == _JLS_EXTENSION and frame[place + 4 : place + 5] == bytes([_OVERSIZE])
        for code, place, _ in segments
    )
    if later > 1 or oversize or scans > _MAX_SCANS:
        raise ImageError(
            "`file` must have frames of one JPEG codestream each, without extensions and in at "
            f"most {_MAX_SCANS} scans; save it uncompressed, for example with "
            "`gdcmconv --raw`. Received: one with more"
        )


def inflate_frame(frame: bytes, size: int) -> bytes:
    """A deflated frame's values.

    Args:
        frame: The encoded frame.
        size: Bytes of its values.

    Raises:
        ImageError: It holds more or fewer.
        zlib.error: It is damaged.
    """
    values = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, size + 2)
    if not size <= len(values) <= size + size % 2:
        received = f"{len(values):,}" if len(values) < size else "more"
        raise ImageError(
            f"`file` is a damaged DICOM file: its frames must unpack to {size:,} bytes, as its "
            f"header says. Received: {received}"
        )
    return values[:size]


def _check_rle(frame: bytes, most: int) -> None:
    """Adds up what each of the frame's segments unpacks to: its pixels, one byte of each."""
    count, *offsets = struct.unpack("<16L", frame[:_RLE_HEADER])
    starts = offsets[: min(count, 15)]
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        segment = frame[start:end]
        place = size = 0
        while place < len(segment):
            code = segment[place]
            if code < 128:  # that many bytes and one follow
                size += code + 1
                place += code + 2
            else:  # one byte follows, to be repeated; 128 means nothing
                size += 257 - code if code > 128 else 0
                place += 2 if code > 128 else 1
            if size > most + _PADDING:
                raise ImageError(
                    f"`file` is a damaged DICOM file: the segments of its RLE frames must unpack "
                    f"to {most:,} bytes, as its header says. Received: more"
                )
