"""Studies: headers of slices, series of them in order, contrasts, and which one to look at."""

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
    SecondaryCaptureImageStorage,
)

from model.reading.contrast import contrast_of
from model.reading.dicom.place import read_slice_header
from model.reading.errors import ImageError
from model.reading.series import Series, choose, group
from model.reading.slice_header import HEAD, SliceHeader
from tests.scan_files import dicom

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
PIXELS = np.zeros((4, 6), np.uint16)


def stack(count: int = 12, gap: float = 5.0, **about: Any) -> list[SliceHeader]:
    """Headers of a series, by default axial from the neck to the vertex."""
    x, y, z = {CORONAL: (0.0, gap, 0.0), SAGITTAL: (-gap, 0.0, 0.0)}.get(
        about.get("orientation", AXIAL), (0.0, 0.0, gap)
    )
    return [
        SliceHeader(
            **{
                "series": "1.2", "modality": "MR", "position": (k * x, k * y, k * z),
                "orientation": AXIAL, "place": k + 1, "kind": ("ORIGINAL", "PRIMARY", "M"),
                "rows": 4, "columns": 6, **about,
            }
        )
        for k in range(count)
    ]  # fmt: skip


def grouped(*headers: SliceHeader) -> list[Series]:
    return group(dict(enumerate(headers)))


def one(**about: Any) -> Series:
    (found,) = grouped(*stack(**about))
    return found


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


def test_slices_are_ordered_along_the_normal_and_not_by_their_numbers() -> None:
    headers = stack(4)
    reversed_numbers = [SliceHeader(**{**vars(h), "place": 10 - k}) for k, h in enumerate(headers)]
    (found,) = grouped(*reversed_numbers[2:], *reversed_numbers[:2])
    assert found.files == (2, 3, 0, 1)
    assert (found.gap, found.slices, found.repeats) == (5.0, 4, ())


def test_without_positions_the_numbers_order() -> None:
    headers = stack(3, position=None)
    (found,) = grouped(*reversed(headers))
    assert (found.files, found.gap) == ((2, 1, 0), None)


def test_one_uid_may_hold_several_directions_and_echoes() -> None:
    tilted = (1.0, 0.0, 0.0, 0.0, 0.9999, 0.001)
    headers = [
        *stack(3, echo=12.0),
        *stack(2, echo=90.0),
        *stack(2, echo=12.0, orientation=CORONAL),
        *stack(1, echo=12.0, orientation=tilted, position=(0.0, 0.0, 15.0)),
    ]
    found = grouped(*headers)
    assert [one.files for one in found] == [(0, 1, 2, 7), (3, 4), (5, 6)]
    assert [one.plane for one in found] == ["axial", "axial", "coronal"]


def test_of_pictures_at_one_place_the_first_is_looked_at() -> None:
    (found,) = grouped(*stack(3), *stack(3, place=50), *stack(3, place=20))
    assert found.files == (0, 1, 2)
    assert found.repeats == (6, 3, 7, 4, 8, 5)
    assert found.gap == 5.0


def test_series_come_by_study_and_number() -> None:
    found = grouped(
        *stack(1, series="1.9", number=3),
        *stack(1, series="1.8"),
        *stack(1, series="1.7", number=1),
    )
    assert [one.header.series for one in found] == ["1.7", "1.9", "1.8"]


def test_a_file_without_a_series_or_with_frames_is_one_by_itself() -> None:
    found = grouped(*stack(2, series=""), *stack(1, frames=30), *stack(2))
    assert [one.files for one in found] == [(0,), (1,), (2,), (3, 4)]
    assert [one.slices for one in found] == [1, 1, 30, 2]


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        (AXIAL, "axial"),
        (CORONAL, "coronal"),
        (SAGITTAL, "sagittal"),
        ((1.0, 0.0, 0.0, 0.0, 0.94, 0.34), "axial"),  # tilted by 20 degrees
        ((1.0, 0.0, 0.0, 0.0, 0.707, 0.707), "oblique"),
        (None, None),
        ((0.0,) * 6, None),
    ],
)
def test_the_plane_is_that_of_the_normal(
    orientation: tuple[float, ...] | None, plane: str | None
) -> None:
    assert one(orientation=orientation).plane == plane


@pytest.mark.parametrize(
    ("about", "name", "source"),
    [
        ({"description": "AX T1 FSE"}, "t1", "description"),
        ({"description": "AX T1 +C"}, "t1c", "description"),
        ({"description": "T1W_3D_TFE_GD"}, "t1c", "description"),
        ({"description": "t1_mprage_sag_post"}, "t1c", "description"),
        ({"description": "COR T1 con contraste"}, "t1c", "description"),
        ({"description": "AX T1 sin contraste", "agent": "GADOVIST"}, "t1", "description"),
        ({"description": "AX T1 PRE"}, "t1", "description"),
        ({"description": "AX T1", "protocol": "BRAIN W WO CONTRAST"}, "t1", "description"),
        ({"description": "AX T1", "agent": "Dotarem"}, "t1c", "description"),
        ({"description": "AX T1", "agent": "NONE"}, "t1", "description"),
        ({"description": "SAG T1 FLAIR"}, "t1", "description"),
        ({"description": "AX T2 FLAIR"}, "flair", "description"),
        ({"description": "t2_tirm_dark-fluid"}, "flair", "description"),
        ({"description": "AX T2 FSE", "agent": "Dotarem"}, "t2", "description"),
        ({"description": "AX T2* GRE"}, "susceptibility", "description"),
        ({"description": "ep2d_diff_b1000", "protocol": "DWI"}, "diffusion", "description"),
        ({"description": "3D TOF MRA"}, "angiography", "description"),
        ({"description": "AX PD"}, "pd", "description"),
        ({"description": "posterior fossa", "protocol": "T1"}, "t1", "description"),
        ({"weighting": "FLUID_ATTENUATED", "description": "T1"}, "flair", "weighting"),
        ({"weighting": "T1", "agent": "Gd"}, "t1c", "weighting"),
        ({"sequence": ("SE",), "repetition": 500.0, "echo": 12.0}, "t1", "times"),
        ({"sequence": ("SE",), "repetition": 500.0, "echo": 12.0, "agent": "Gd"}, "t1c", "times"),
        ({"sequence": ("SE",), "repetition": 4000.0, "echo": 100.0}, "t2", "times"),
        ({"sequence": ("SE",), "repetition": 2500.0, "echo": 20.0}, "pd", "times"),
        (
            {"sequence": ("IR",), "repetition": 9000.0, "echo": 120.0, "inversion": 2500.0},
            "flair",
            "times",
        ),
        (
            {"sequence": ("GR", "IR"), "repetition": 2000.0, "echo": 3.0, "inversion": 900.0},
            "t1",
            "times",
        ),
        ({"sequence": ("GR",), "repetition": 700.0, "echo": 20.0}, "unknown", "none"),
        ({"description": "series 5"}, "unknown", "none"),
    ],
)
def test_the_header_tells_the_contrast(about: dict[str, Any], name: str, source: str) -> None:
    found = contrast_of(SliceHeader(**about))
    assert (found.name, found.source) == (name, source)


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({}, None),
        ({"modality": ""}, None),
        ({"modality": "CT"}, "modality"),
        ({"body_part": "KNEE"}, "body-part"),
        ({"body_part": "CRÁNEO"}, None),
        ({"body_part": "Head_Neck"}, None),
        ({"storage": SecondaryCaptureImageStorage}, "secondary-capture"),
        ({"storage": f"{SecondaryCaptureImageStorage}.4"}, "secondary-capture"),
        ({"storage": MRImageStorage}, None),
        ({"kind": ("DERIVED", "SECONDARY", "SCREEN SAVE")}, "secondary-capture"),
        ({"kind": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        ({"description": "3-plane scout"}, "localizer"),
        ({"description": "Localizador"}, "localizer"),
        ({"description": "AX LOC"}, "localizer"),
        ({"description": "velocity"}, None),
        ({"kind": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")}, "map"),
        ({"kind": ("ORIGINAL", "PRIMARY", "P", "ND")}, "map"),
        ({"kind": ("DERIVED", "SECONDARY", "OTHER")}, None),
    ],
)
def test_what_is_no_brain_mri_is_named(about: dict[str, Any], why: str | None) -> None:
    assert one(**about).unfit == why


def test_t1_after_a_contrast_agent_is_chosen() -> None:
    series = grouped(
        *stack(30, series="1.1", number=1, description="AX T2"),
        *stack(12, series="1.2", number=2, description="SAG T1 +C", orientation=SAGITTAL),
        *stack(40, series="1.3", number=3, description="AX FLAIR"),
    )
    found = choose(series)
    assert found is not None
    assert found.number == 1
    assert found.why == (
        "It is T1 after a contrast agent, which the network reads best: 12 slices."
    )


def test_among_equals_axial_comes_first_then_more_slices() -> None:
    series = grouped(
        *stack(50, series="1.1", number=1, description="COR T1 GD", orientation=CORONAL),
        *stack(20, series="1.2", number=2, description="AX T1 GD"),
        *stack(24, series="1.3", number=3, description="AX T1 GD"),
    )
    found = choose(series)
    assert found is not None
    assert found.number == 2


def test_enough_slices_count_before_the_contrast() -> None:
    series = grouped(
        *stack(3, series="1.1", number=1, description="AX T1 GD"),
        *stack(20, series="1.2", number=2, description="AX FLAIR"),
        *stack(22, series="1.3", number=3, description="AX T2"),
    )
    found = choose(series)
    assert found is not None
    assert found.number == 1
    assert found.why == (
        "No series is T1 after a contrast agent that has 10 slices or more; this one suits best: "
        "FLAIR, 20 slices."
    )


def test_what_is_no_brain_mri_is_not_chosen() -> None:
    other = stack(30, series="1.1", number=1, modality="CT")
    assert choose(grouped(*other)) is None
    found = choose(grouped(*other, *stack(2, series="1.2", number=2)))
    assert found is not None
    assert found.number == 1
    assert (
        found.why
        == "It is the only series that is a brain MRI as far as its header tells: 2 slices."
    )
