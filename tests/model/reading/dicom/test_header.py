"""A DICOM file's header, within bounds: what is long, nested, deflated or broken."""

from __future__ import annotations

import encodings
import struct
import zlib

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from model.preprocessing import ImageError
from model.reading.dicom.file import DicomScan
from model.reading.dicom.header import MAX_DEFLATED_BYTES
from model.reading.marks import is_dicom
from model.reading.open_scan import read_scan
from tests.hostile.dicoms import dicom_element, dicom_sequence, with_elements
from tests.model.reading.dicom.made import RAMP, read, table
from tests.scan_files import dicom


def test_a_broken_header_is_damage() -> None:
    with pytest.raises(ImageError) as caught:
        DicomScan(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    assert caught.value.kind == "damaged"


def test_a_deflated_file_is_read() -> None:
    assert read(dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian)).tolist() == RAMP.tolist()


def test_a_deflated_bomb_ends_early() -> None:
    head = dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian)
    start = 128 + 4 + 12 + int.from_bytes(head[140:144], "little")  # the group length's own element
    stream = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(2**20)
    bomb = b"".join(stream.compress(zeros) for _ in range(MAX_DEFLATED_BYTES // 2**20 + 1))
    content = head[:start] + bomb + stream.flush()
    assert len(content) < 2**20
    with pytest.raises(ImageError, match="at most 32 MiB once decompressed") as caught:
        DicomScan(content)
    assert caught.value.kind == "too-large"


def test_a_header_element_of_the_wrong_length_is_damage() -> None:
    content = bytearray(dicom(RAMP))
    content[136:138] = b"\0\0"  # the type of the first element's value
    with pytest.raises(ImageError, match="must have a value of at most 8,192 bytes"):
        DicomScan(bytes(content))


@pytest.mark.parametrize("name", ["FileMetaInformationGroupLength", "Rows", "ModalityLUTSequence"])
def test_nested_sequences_fill_no_memory(name: str) -> None:
    """Found by fuzzing: pydicom's complaint of one repeats that of the next, several times over."""
    content = dicom(RAMP, RescaleSlope=1)
    tag = struct.pack("<2H", *divmod(tag_for_keyword(name) or 0, 2**16))
    opened = tag + b"SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    closed = b"\xfe\xff\x0d\xe0" + bytes(4) + b"\xfe\xff\xdd\xe0" + bytes(4)
    nested = opened * 12 + tag + b"UL\1\0\0" + closed * 12
    place = content.index(tag) if tag in content else content.index(b"\xe0\x7f\x10\x00")
    end = place + (8 + content[place + 6] if tag in content else 0)
    with pytest.raises(ImageError, match="damaged DICOM") as caught:
        read(content[:place] + nested + content[end:])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("place", ["dataset", "open sequence", "tables"])
def test_character_sets_are_not_looked_up(place: str) -> None:
    """Python keeps every name that it is asked for, for good."""
    name = f"unheard-of-{place.replace(' ', '-')}"
    asked = dicom_element("SpecificCharacterSet", b"UT", name.encode() * 4000)
    if place == "open sequence":
        asked = dicom_sequence("ReferencedImageSequence", asked, is_open=True)
    elif place == "tables":
        identity = np.arange(16, dtype="<u2").tobytes()
        asked = dicom_sequence("VOILUTSequence", asked + table(identity))
    assert read(with_elements(dicom(RAMP), asked)).tolist() == RAMP.tolist()
    assert not any("unheard" in known for known in encodings._cache)  # type: ignore[attr-defined]


@pytest.mark.parametrize("keyword", ["TransferSyntaxUID", "Rows", "PixelSpacing", "WindowCenter"])
@pytest.mark.parametrize("kind", [b"UC", b"UN", b"OW"])
def test_values_of_many_parts_are_refused(keyword: str, kind: bytes) -> None:
    content = dicom(RAMP)
    added = dicom_element(keyword, kind, b"1\\" * 5000)
    if keyword == "TransferSyntaxUID":
        start = content.index(b"\x02\x00\x10\x00")
        end = start + 8 + int.from_bytes(content[start + 6 : start + 8], "little")
        content = content[:start] + added + content[end:]
    else:
        content = with_elements(content, added)
    with pytest.raises(ImageError, match=r"at most 8,192 bytes at .* Received: 10,000") as caught:
        read(content)
    assert caught.value.kind == "damaged"


def bare(content: bytes) -> bytes:
    """A file without preamble and without what says how it is written."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("start", [132, 0])
def test_a_file_without_preamble_is_read(syntax: str, start: int) -> None:
    content = dicom(RAMP, syntax=syntax, ImageType=["ORIGINAL", "PRIMARY"])
    content = content[start:] if start else bare(content)
    scan = read_scan(content)
    assert scan.kind == "dicom"
    assert scan.pixels(None, 0).tolist() == RAMP.tolist()


@pytest.mark.parametrize(
    "content", [b"\x08\0\x05\0CS\x02\0ab\0", b"\x08\0\x05\0CS", b"\x08\0\x05\0CS\x02\0ab\x05\0\0\0"]
)
def test_bytes_that_only_begin_so_are_no_dicom(content: bytes) -> None:
    assert not is_dicom(content)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_dataset_written_as_another_syntax_than_it_says_is_read(syntax: str) -> None:
    other = ImplicitVRLittleEndian if syntax == ExplicitVRLittleEndian else ExplicitVRLittleEndian
    content = dicom(RAMP, syntax=syntax)
    wrong = content[: len(content) - len(bare(content))] + bare(dicom(RAMP, syntax=other))
    assert read(wrong).tolist() == RAMP.tolist()


@pytest.mark.parametrize(
    "keyword",
    ["SamplesPerPixel", "PhotometricInterpretation", "BitsStored", "PixelRepresentation"],
)
def test_what_a_file_leaves_out_is_what_it_nearly_always_is(keyword: str) -> None:
    assert read(dicom(RAMP, without=keyword)).tolist() == RAMP.tolist()


def test_a_truncated_file_says_so() -> None:
    frames = np.stack([RAMP, RAMP + 100])
    scan = DicomScan(dicom(frames)[:-2])
    assert scan.pixels(None, 0).tolist() == RAMP.tolist()
    with pytest.raises(ImageError, match=r"it is truncated. Received: 62 bytes.*at least 64"):
        scan.pixels(None, 1)


@pytest.mark.parametrize("tags", [{"BitsAllocated": 13}, {"PixelData": b""}])
def test_no_word_of_python_is_said(tags: dict[str, object]) -> None:
    """Whatever is wrong, the error is a sentence of ours."""
    with pytest.raises(ImageError) as caught:
        read(dicom(RAMP, **tags))
    said = str(caught.value)
    assert said.startswith("`file` is a damaged DICOM file: ")
    assert not any(word in said for word in ("object", "attribute", "codec", "reshape", "array"))
