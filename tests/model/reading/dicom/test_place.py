"""Headers of slices: what is read of them, what counts as not said, and what is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
)

from model.reading.dicom.place import read_slice_header
from model.reading.errors import ImageError
from model.reading.slice_header import HEAD, SliceHeader
from tests.scan_files import dicom

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
PIXELS = np.zeros((4, 6), np.uint16)
TAGS: dict[str, Any] = {
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
    "SOPInstanceUID": "1.2.3.4.5",
    "SOPClassUID": MRImageStorage,
    "SeriesNumber": 7,
    "InstanceNumber": 12,
    "SeriesDescription": "Ax T1 +C",
    "ProtocolName": "HEAD",
    "BodyPartExamined": "BRAIN",
    "ContrastBolusAgent": "Gadovist",
    "ScanningSequence": ["SE", "IR"],
    "RepetitionTime": "550.5",
    "EchoTime": "12",
    "InversionTime": "",
    "ImagePositionPatient": [-100.5, 20, 31.25],
    "ImageOrientationPatient": list(AXIAL),
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
}


READ = SliceHeader(
    study="1.2.3", series="1.2.3.4", instance="1.2.3.4.5", number=7, place=12,
    position=(-100.5, 20.0, 31.25), orientation=AXIAL, description="Ax T1 +C", protocol="HEAD",
    modality="MR", body_part="BRAIN", agent="Gadovist", sequence=("SE", "IR"), repetition=550.5,
    echo=12.0, inversion=None, kind=("ORIGINAL", "PRIMARY", "M", "ND"), storage=MRImageStorage,
    frames=1, rows=4, columns=6,
)  # fmt: skip


@pytest.mark.parametrize("syntax", ["", ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_a_header_is_read(syntax: str) -> None:
    content = dicom(PIXELS, **({"syntax": syntax} if syntax else {}), **TAGS)
    assert read_slice_header(content) == READ


def test_a_big_endian_header_is_read() -> None:
    little = pydicom.dcmread(io.BytesIO(dicom(PIXELS, **TAGS)), stop_before_pixels=True)
    big = pydicom.Dataset()
    big.update(little)
    big.file_meta = little.file_meta
    big.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, big, implicit_vr=False, little_endian=False, enforce_file_format=True)
    assert read_slice_header(buffer.getvalue()) == READ


def test_the_head_of_a_file_is_enough() -> None:
    content = dicom(np.zeros((512, 512), np.uint16), **TAGS)
    found = read_slice_header(content[:HEAD])
    assert (found.series, found.position, found.rows) == ("1.2.3.4", READ.position, 512)


def test_nothing_that_names_a_person_is_kept() -> None:
    found = read_slice_header(dicom(PIXELS, PatientName="Doe^Jane", PatientID="77", **TAGS))
    assert found == READ


def test_what_is_absent_or_odd_counts_as_not_said() -> None:
    content = dicom(PIXELS, SeriesDescription="x" * 60, ImageComments="y")
    damaged = content.replace(b"x" * 60, b"T1\xe9\x07" + b" " * 56)
    found = read_slice_header(damaged)
    assert (found.description, found.series, found.position) == ("T1é", "", None)
    assert (found.number, found.agent, found.kind, found.frames) == (None, "", (), 1)


def test_texts_are_utf_8_or_latin() -> None:
    content = dicom(PIXELS, SeriesDescription="x" * 20)
    spanish = content.replace(b"x" * 20, "Cráneo".encode().ljust(20))
    assert read_slice_header(spanish).description == "Cráneo"


def test_a_header_of_millions_of_pieces_is_refused() -> None:
    content = dicom(PIXELS, **TAGS)
    place = content.index(b"\x08\0\x08\0CS")
    pieces = b"\x08\0\x01\0UI\0\0" * 8000
    with pytest.raises(ImageError, match="must have a shorter DICOM header"):
        read_slice_header(content[:place] + pieces + content[place:])


def test_a_value_too_long_to_be_one_counts_as_not_said() -> None:
    content = dicom(PIXELS, ImageType=["A"] * 5000, SeriesInstanceUID="1.2")
    found = read_slice_header(content)
    assert (found.kind, found.series) == ((), "1.2")


def test_numbers_that_are_none_count_as_not_said() -> None:
    content = dicom(PIXELS, RepetitionTime="123456789", EchoTime="12", ImagePositionPatient=[1, 2])
    found = read_slice_header(content.replace(b"123456789", b"1e400    "))
    assert (found.repetition, found.echo, found.position) == (None, 12.0, None)


def test_a_damaged_header_is_refused_in_a_sentence() -> None:
    content = dicom(PIXELS, **TAGS).replace(b"1.2.840.10008.1.2.1\0", b"1.2.999.10008.1.2.1\0")
    with pytest.raises(ImageError, match="`file` must be DICOM of a transfer syntax"):
        read_slice_header(content)
