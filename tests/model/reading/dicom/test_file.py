"""DICOM files: pixels, frames, sizes and spacings."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from model.preprocessing import ImageError
from model.reading.dicom.file import DicomScan
from tests.hostile.dicoms import dicom_element, dicom_sequence, with_elements
from tests.model.reading.dicom.made import RAMP, read
from tests.scan_files import dicom

JPEG_LOSSLESS_14 = "1.2.840.10008.1.2.4.57"


def test_pixels_are_the_files_own() -> None:
    pixels = read(dicom(RAMP))
    assert pixels.dtype == np.float32
    assert pixels.tolist() == RAMP.tolist()


def test_frames_are_read_by_number() -> None:
    frames = np.stack([RAMP, RAMP + 100, RAMP + 200])
    scan = DicomScan(dicom(frames))
    assert (scan.kind, scan.frames, scan.planes) == ("dicom", 3, {})
    assert [one.index for one in scan.slices()] == [1]
    assert scan.pixels(None, 2).tolist() == (RAMP + 200).tolist()
    assert scan.pixels(None, 0).tolist() == RAMP.tolist()


def test_pixel_spacing_gives_the_proportions() -> None:
    assert read(dicom(RAMP, PixelSpacing=[3, 1])).shape == (12, 12)
    assert read(dicom(RAMP[:2])).shape == (4, 4)  # padded, not stretched


@pytest.mark.parametrize("spacing", [["1e300", "1e-300"], [0, 0], "1"])
def test_a_spacing_that_makes_no_sense_is_passed_over(spacing: object) -> None:
    assert read(dicom(RAMP, PixelSpacing=spacing)).shape == (4, 4)


def test_a_file_without_pixels_is_refused() -> None:
    with pytest.raises(ImageError, match=r"with pixel data. Received: one without"):
        DicomScan(dicom(RAMP, without="PixelData"))


@pytest.mark.parametrize("tags", [{"Rows": 60000}, {"Columns": 2049}, {"NumberOfFrames": 2000}])
def test_absurd_sizes_are_refused_before_decoding(tags: dict[str, int]) -> None:
    with pytest.raises(ImageError, match="sides of 1 to 2,048") as caught:
        DicomScan(dicom(RAMP, **tags))
    assert caught.value.kind == "too-large"


def test_pixels_that_are_cut_off_are_damage() -> None:
    with pytest.raises(ImageError, match="is a damaged DICOM file") as caught:
        read(dicom(RAMP, PixelData=b"\0\0"))
    assert caught.value.kind == "damaged"


def test_a_compression_that_cannot_be_read_says_what_to_do() -> None:
    dataset = pydicom.dcmread(io.BytesIO(dicom(RAMP)))
    dataset.file_meta.TransferSyntaxUID = UID(JPEG_LOSSLESS_14)
    dataset.PixelData = encapsulate([b"not a JPEG at all"])
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    with pytest.raises(ImageError, match=r"JPEG Lossless.*save it uncompressed.*gdcmconv --raw"):
        read(buffer.getvalue())


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_slices_of_many_rows_are_read_whole(kind: str) -> None:
    tall = np.arange(600 * 2).reshape(600, 2)
    pixels = read(dicom(tall, RescaleSlope=2, RescaleIntercept=1, PhotometricInterpretation=kind))
    values = 2.0 * tall + 1
    expected = values if kind == "MONOCHROME2" else values.max() + values.min() - values
    assert pixels[:, 299:301].tolist() == expected.tolist()


def test_an_unknown_kind_of_spacing_is_damage() -> None:
    """Found by fuzzing: pydicom knows no values of the kind "ES"."""
    content = dicom(RAMP, PixelSpacing=[0.5, 0.5])
    place = content.index(b"\x28\x00\x30\x00DS")  # the tag (0028,0030), then its kind
    with pytest.raises(ImageError, match="damaged DICOM") as caught:
        read(content[: place + 4] + b"ES" + content[place + 6 :])
    assert caught.value.kind == "damaged"


def test_the_aspect_ratio_gives_the_proportions() -> None:
    assert read(dicom(RAMP, PixelAspectRatio=[3, 1])).shape == (12, 12)
    assert read(dicom(RAMP, PixelAspectRatio=[3, 1], PixelSpacing=[1, 1])).shape == (4, 4)


def group(**values: object) -> pydicom.Dataset:
    """A functional group of one item in each of its sequences."""
    found = pydicom.Dataset()
    for name, content in values.items():
        inner = pydicom.Dataset()
        for keyword, value in dict(content).items():  # type: ignore[call-overload]
            setattr(inner, keyword, value)
        setattr(found, name, [inner])
    return found


def windows(*centers: int) -> list[pydicom.Dataset]:
    slope = {"RescaleSlope": 2, "RescaleIntercept": 0}
    return [
        group(
            FrameVOILUTSequence={"WindowCenter": center, "WindowWidth": 9},
            PixelValueTransformationSequence=slope,
        )
        for center in centers
    ]


@pytest.mark.parametrize("is_open", [False, True])
def test_frames_have_spacings_windows_and_slopes_of_their_own(is_open: bool) -> None:
    shared = pydicom.Sequence([group(PixelMeasuresSequence={"PixelSpacing": [3, 1]})])
    frames = pydicom.Sequence(windows(4, 20))
    for sequence in (shared, frames):
        sequence.is_undefined_length = is_open
        for item in sequence:
            item.is_undefined_length_sequence_item = is_open
    content = dicom(
        np.stack([RAMP, RAMP]),
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=frames,
    )
    scan = DicomScan(content)
    for index, center in enumerate((4, 20)):
        alone = dicom(
            RAMP, PixelSpacing=[3, 1], WindowCenter=center, WindowWidth=9, RescaleSlope=2,
            RescaleIntercept=0,
        )  # fmt: skip
        pixels = scan.pixels(None, index)
        assert pixels.shape == (12, 12)
        assert pixels.tolist() == read(alone).tolist()
    assert scan.pixels(None, 0).tolist() != scan.pixels(None, 1).tolist()


def test_groups_that_are_no_sequences_are_damage() -> None:
    content = dicom(RAMP)
    wrong = dicom_element("PerFrameFunctionalGroupsSequence", b"OB", b"ab")
    with pytest.raises(ImageError, match="must have a sequence at"):
        DicomScan(with_elements(content, wrong))
    inner = dicom_element("FrameVOILUTSequence", b"OB", b"ab")
    wrong = dicom_sequence("PerFrameFunctionalGroupsSequence", inner)
    with pytest.raises(ImageError, match="must have a sequence at"):
        read(with_elements(content, wrong))
