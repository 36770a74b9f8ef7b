"""Compressed DICOM frames: every compression is read, and frames that lie about their size not."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pydicom.uid
import pytest
from pydicom.uid import UID, HTJ2KLossless, JPEGBaseline8Bit, JPEGLSLossless

from benchmarks.service.codestreams import ERRORS, SLICE, codestream
from model.reading.dicom.codecs import DEFLATED_FRAMES
from model.reading.dicom.file import DicomScan
from model.reading.errors import ImageError
from tests.hostile.dicoms import compressed_dicom

TWELVE = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}


def compressed(frame: bytes, syntax: str, **tags: Any) -> bytes:
    if UID(syntax).is_transfer_syntax:
        return compressed_dicom([frame], syntax, SLICE, **{**TWELVE, **tags})
    # One that pydicom does not write takes the place of one as long.
    known = JPEGLSLossless if len(syntax) < 23 else HTJ2KLossless
    content = compressed(frame, known, **tags)
    names = (name.encode().ljust(24 if len(syntax) > 22 else 22, b"\0") for name in (known, syntax))
    return content.replace(*names)


def read(content: bytes) -> np.ndarray:
    return DicomScan(content).pixels(None, 0)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_a_compression_is_read(name: str) -> None:
    pixels = read(compressed(codestream(name), getattr(pydicom.uid, name)))
    assert np.abs(pixels - SLICE).max() <= ERRORS[name]
    assert pixels.max() > 3000


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_what_it_is_compressed_as_is_told_by_the_frame(name: str) -> None:
    """Some writers leave the transfer syntax as it was before they compressed anew."""
    wrong = JPEGBaseline8Bit if name != "JPEGLossless" else JPEGLSLossless
    pixels = read(compressed(codestream(name), wrong))
    assert np.abs(pixels - SLICE).max() <= ERRORS[name]


def test_frames_are_read_by_number() -> None:
    frames = [codestream("JPEGLSLossless"), codestream("JPEGLossless")]
    content = compressed_dicom(frames, JPEGLSLossless, np.stack([SLICE, SLICE]), **TWELVE)
    scan = DicomScan(content)
    assert scan.frames == 2
    assert scan.pixels(None, 1).tolist() == SLICE.tolist()


def test_deflated_frames_are_read() -> None:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = stream.compress(SLICE.tobytes()) + stream.flush()
    assert read(compressed(packed, DEFLATED_FRAMES)).tolist() == SLICE.tolist()


@pytest.mark.parametrize(("size", "received"), [(100, "100"), (10**6, "more")])
def test_deflated_frames_of_another_size_are_damage(size: int, received: str) -> None:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = stream.compress(bytes(size)) + stream.flush()
    with pytest.raises(ImageError, match=f"must unpack to 512 bytes.*Received: {received}"):
        read(compressed(packed, DEFLATED_FRAMES))


@pytest.mark.parametrize("name", ["JPEGLossless", "JPEGLSLossless", "JPEGExtended12Bit"])
@pytest.mark.parametrize(
    ("place", "form", "value", "words"),
    [  # behind the code that starts the frame: length, precision, height, width, components
        (5, ">HH", (60_000, 60_000), "must have 16 x 16 pixels.*Received: 60000 x 60000"),
        (5, ">HH", (0, 16), "must have 16 x 16 pixels"),
        (9, "B", (3,), "must have 1 values of 2 to 16 bits.*Received: 3 of"),
        (4, "B", (17,), "Received: 1 of 17 bits"),
    ],
)
def test_a_frame_of_another_size_is_refused_before_decoding(
    name: str, place: int, form: str, value: tuple[int, ...], words: str
) -> None:
    frame = bytearray(codestream(name))
    start = next(
        frame.index(code) for code in (b"\xff\xc3", b"\xff\xf7", b"\xff\xc1") if code in frame
    )
    struct.pack_into(form, frame, start + place, *value)
    with pytest.raises(ImageError, match=words) as caught:
        read(compressed(bytes(frame), getattr(pydicom.uid, name)))
    assert caught.value.kind == "damaged"


def segment(code: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(payload) + 2) + payload


@pytest.mark.parametrize(
    "added",
    [
        segment(0xEB, b"JP\0\1"),  # JPEG XT: further codestreams in boxes
        segment(0xDE, bytes(8)),  # hierarchical: pyramids of frames
        segment(0xC3, b"\x0c\xff\xff\xff\xff\x01\x01\x11\0"),  # a second frame
        segment(0xF8, b"\x04\xff\xff\xff\xff"),  # JPEG-LS: larger than the frame's header says
    ],
)
def test_extensions_are_refused(added: bytes) -> None:
    frame = codestream("JPEGLossless")
    start = frame.index(b"\xff\xc4")  # behind the frame's own header
    with pytest.raises(ImageError, match="one JPEG codestream each, without extensions"):
        read(compressed(frame[:start] + added + frame[start:], JPEGLSLossless))


def test_many_scans_are_refused() -> None:
    frame = codestream("JPEGExtended12Bit")
    scan = frame[frame.index(b"\xff\xda") : -2]
    with pytest.raises(ImageError, match="at most 16 scans"):
        read(compressed(frame[:-2] + scan * 20 + frame[-2:], JPEGBaseline8Bit))


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_a_frame_that_ends_early_is_no_fault(name: str) -> None:
    frame = codestream(name)
    half = compressed(frame[: len(frame) // 2], getattr(pydicom.uid, name))
    try:  # what is there, as some decoders give it, or the error
        assert read(half).shape == SLICE.shape
    except ImageError as error:
        if "could not be decoded" not in str(error):
            raise


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        ("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
        ("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264"),
    ],
)
def test_compressions_that_cannot_be_read_are_named(syntax: str, name: str) -> None:
    with pytest.raises(ImageError, match=f"save it uncompressed. Received: {name}") as caught:
        read(compressed(b"1234", syntax))
    assert caught.value.kind == "unsupported-format"
