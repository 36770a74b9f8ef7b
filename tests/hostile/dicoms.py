"""DICOM files that people and attackers send: bombs, headers that lie, endless headers."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from model.reading.dicom.header import MAX_DEFLATED_BYTES
from tests.hostile.case import NOISE, PICTURE, Case, encode
from tests.hostile.pictures import flat
from tests.scan_files import dicom

RAMP = np.arange(64).reshape(8, 8)


def compressed_dicom(
    frames: list[bytes], syntax: str, pixels: NDArray[Any] = RAMP, **tags: Any
) -> bytes:
    """DICOM of 8-bit frames that say to be 8 x 8, or as the tags say."""
    base = dicom(pixels, **{"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, **tags})
    dataset = pydicom.dcmread(io.BytesIO(base))
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def huge_jpeg2000() -> bytes:
    """A frame of 64 pixels whose codestream says that it has 50,000 by 50,000."""
    frame = bytearray(encode(Image.fromarray(NOISE[:8, :8]), "JPEG2000", no_jp2=True))
    struct.pack_into(">II", frame, frame.index(b"\xff\x51") + 6, 50_000, 50_000)
    return compressed_dicom([bytes(frame)], JPEG2000Lossless)


def rle_bomb() -> bytes:
    """A frame of 64 pixels that unpacks to 64 MiB."""
    head = struct.pack("<16L", 1, 64, *[0] * 14)
    return compressed_dicom([head + b"\x81\x00" * 2**19], RLELossless)


def meta_end(content: bytes) -> int:
    return 128 + 4 + 12 + int.from_bytes(content[140:144], "little")


@cache
def deflated_bomb() -> bytes:
    head = dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian)
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(2**20)
    packed = b"".join(stream.compress(zeros) for _ in range(MAX_DEFLATED_BYTES // 2**20 + 1))
    return head[: meta_end(head)] + packed + stream.flush()


def dicom_element(keyword: str, kind: bytes, value: bytes) -> bytes:
    """An element of a kind with long values, or of US or UL."""
    tag = struct.pack("<2H", *divmod(tag_for_keyword(keyword) or 0, 2**16)) + kind
    if kind in (b"US", b"UL"):
        return tag + struct.pack("<H", len(value)) + value
    return tag + struct.pack("<HI", 0, len(value)) + value


def dicom_sequence(keyword: str, inner: bytes, *, is_open: bool = False) -> bytes:
    """A sequence of one item; its length, and the item's, are said unless it is open."""
    item = struct.pack("<2H", 0xFFFE, 0xE000)
    if not is_open:
        return dicom_element(keyword, b"SQ", item + struct.pack("<I", len(inner)) + inner)
    head = dicom_element(keyword, b"SQ", b"")[:-4] + b"\xff" * 4
    ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    return head + item + b"\xff" * 4 + inner + ends


def with_elements(content: bytes, elements: bytes) -> bytes:
    """A DICOM file with further elements ahead of its own."""
    start = meta_end(content)
    return content[:start] + elements + content[start:]


@cache
def deflated_spacing() -> bytes:
    """A small file with a spacing of millions of parts."""
    head = dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian)
    start = meta_end(head)
    plain = dicom_element("PixelSpacing", b"UC", b"\\" * (MAX_DEFLATED_BYTES - 10_000))
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = stream.compress(plain + zlib.decompress(head[start:], -zlib.MAX_WBITS))
    return head[:start] + packed + stream.flush()


def character_sets() -> bytes:
    """A whole picture, behind millions of names of character sets."""
    return with_elements(
        dicom(PICTURE), dicom_element("SpecificCharacterSet", b"UT", b"\\" * (16 * 2**20))
    )


def many_elements(*, nested: bool) -> bytes:
    """Two hundred thousand empty elements ahead of the pixels."""
    content = dicom(RAMP)
    start = meta_end(content)
    odd = b"".join(
        struct.pack("<HH2sH", 0x0009 + 2 * (k >> 16), k & 0xFFFF, b"LO", 0) for k in range(200_000)
    )
    if nested:  # a sequence of undefined length is read, whether it is wanted or not
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + odd
        ends = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        odd = struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 0xFFFFFFFF) + item + ends
    return content[:start] + odd + content[start:]


DICOMS = [
    Case("rows", lambda: dicom(RAMP, Rows=65535, Columns=65535, NumberOfFrames=2**31), 413,
         ("sides of 1 to 2,048", "2147483648 of 65535 x 65535")),
    Case("many frames", lambda: dicom(RAMP, Rows=2000, Columns=2000, NumberOfFrames=1000), 413,
         ("at most 134,217,728 pixels in all",)),
    Case("colour", lambda: dicom(RAMP, Rows=2000, Columns=2000, SamplesPerPixel=3), 413,
         ("at most 4,194,304 values", "of 3 values each")),
    Case("little data", lambda: dicom(RAMP, Rows=2000, Columns=2000), 422,
         ("damaged DICOM file",)),
    Case("no frames", lambda: dicom(RAMP, NumberOfFrames=-1), 413, ("1 to 1,024 slices",)),
    Case("no pixels", lambda: dicom(RAMP, without="PixelData"), 422,
         ("with pixel data", "such as a report")),
    Case("no rows", lambda: dicom(RAMP, without="Rows"), 413, ("sides of 1 to 2,048",)),
    Case("JPEG lossless", lambda: compressed_dicom([b"\xff\xd8"], JPEGLosslessSV1), 422,
         ("JPEG, JPEG-LS, JPEG 2000, RLE or deflate", "JPEG Lossless", "gdcmconv --raw")),
    Case("private syntax", lambda: compressed_dicom([b"1234"], "1.2.3.4.5"), 422,
         ("transfer syntax of the standard", "save it uncompressed", "1.2.3.4.5")),
    Case("JPEG bomb", lambda: compressed_dicom([flat(9000, 9000, "L", "JPEG")], JPEGBaseline8Bit),
         422, ("must have 8 x 8 pixels", "9000 x 9000")),
    Case("JPEG 2000 bomb",
         lambda: compressed_dicom([flat(3000, 3000, "L", "JPEG2000")], JPEG2000Lossless), 422,
         ("must have 8 x 8 pixels", "3000 x 3000")),
    Case("JPEG 2000 that Pillow takes for a bomb", huge_jpeg2000, 422,
         ("must have 8 x 8 pixels", "many times that")),
    Case("RLE bomb", rle_bomb, 422, ("must unpack to 64 bytes",)),
    Case("deflated bomb", deflated_bomb, 413, ("at most 32 MiB once decompressed",)),
    Case("many elements", lambda: many_elements(nested=False), 413, ("a shorter DICOM header",)),
    Case("many in a sequence", lambda: many_elements(nested=True), 413,
         ("a shorter DICOM header",)),
    Case("millions of spacings", deflated_spacing, 422, ("a value of at most 8,192 bytes",)),
    Case("cut in the header", lambda: dicom(RAMP)[:200], 422, ("DICOM",)),
]  # fmt: skip


READ_DICOMS = [
    Case("MONOCHROME1", lambda: dicom(255 - PICTURE, PhotometricInterpretation="MONOCHROME1")),
    Case("rescale", lambda: dicom(PICTURE, RescaleSlope=-2, RescaleIntercept=9,
                                  PhotometricInterpretation="MONOCHROME1")),
    Case("window", lambda: dicom(PICTURE, WindowCenter=100, WindowWidth=50)),
    Case("character sets", character_sets),
    Case("frames", lambda: dicom(np.stack([PICTURE] * 3)), filename="IM0001"),
    Case("wrong ending", lambda: dicom(PICTURE), filename="scan.png"),
]  # fmt: skip
