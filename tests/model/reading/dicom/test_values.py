"""A DICOM frame's values: rescale, window, tables, padding and palettes."""

from __future__ import annotations

import numpy as np
import pytest

from model.preprocessing import ImageError
from model.reading.dicom.header import MAX_TABLE_BYTES
from tests.hostile.dicoms import dicom_element, dicom_sequence, with_elements
from tests.model.reading.dicom.made import RAMP, read, table
from tests.scan_files import dicom


def test_monochrome1_is_inverted() -> None:
    pixels = read(dicom(RAMP, PhotometricInterpretation="MONOCHROME1"))
    assert pixels.tolist() == (15 - RAMP).tolist()


def test_the_rescale_comes_before_the_window() -> None:
    # Stored 0..15 become -8, -6 ... 22; the window from 0 to 8 cuts off at both ends.
    content = dicom(
        RAMP, RescaleSlope=2, RescaleIntercept=-8, WindowCenter=4.5, WindowWidth=9,
        VOILUTFunction="LINEAR",
    )  # fmt: skip
    flat = read(content).ravel()
    assert (flat[:5] == flat[0]).all()  # -8 to 0
    assert (flat[8:] == flat[-1]).all()  # 8 to 22
    inside = flat[4:9] - flat[4]
    assert inside == pytest.approx(inside[-1] * np.array([0, 0.25, 0.5, 0.75, 1]), abs=1e-3)
    assert inside[-1] > 0


def test_colour_becomes_luminance() -> None:
    colour = np.zeros((2, 2, 3), np.uint8)
    colour[0, 0] = (255, 0, 0)
    colour[1, 1] = (255, 255, 255)
    content = dicom(
        RAMP[:2, :2], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=colour.tobytes(),
    )  # fmt: skip
    assert read(content) == pytest.approx(np.array([[76.245, 0], [0, 255]]), abs=1e-3)


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("is_open", [False, True])
def test_tables_are_applied(keyword: str, is_open: bool) -> None:
    values = np.arange(16, dtype="<u2") ** 2
    for inner in (table(values.tobytes()), table(values.tobytes(), b"US")):
        content = with_elements(dicom(RAMP), dicom_sequence(keyword, inner, is_open=is_open))
        assert read(content).tolist() == (RAMP**2).tolist()


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("is_open", [False, True])
def test_tables_that_are_none_are_refused(keyword: str, is_open: bool) -> None:
    nested = dicom_sequence("LUTData", dicom_element("LUTData", b"UL", b"1"))
    for inner in (table(bytes(MAX_TABLE_BYTES + 2), b"UC"), nested):
        content = with_elements(dicom(RAMP), dicom_sequence(keyword, inner, is_open=is_open))
        with pytest.raises(ImageError, match=r"at most 131,072 bytes at \(0028,3006\)"):
            read(content)
    with pytest.raises(ImageError, match="at most 1,048,576 bytes"):
        read(with_elements(dicom(RAMP), dicom_element(keyword, b"SQ", bytes(2**21))))
    with pytest.raises(ImageError, match="must have a sequence at"):
        read(with_elements(dicom(RAMP), dicom_element(keyword, b"OB", b"ab")))


def test_a_window_of_no_width_is_none() -> None:
    """PS3.3 C.11.2.1.2 allows none below 1; a magnetic resonance scanner writes 0 and 0."""
    content = dicom(RAMP, WindowCenter=0, WindowWidth=0)
    assert read(content).tolist() == RAMP.tolist()
    both = dicom(RAMP, WindowCenter=[0, 8], WindowWidth=[0, 9])
    assert read(both).tolist() == read(dicom(RAMP, WindowCenter=8, WindowWidth=9)).tolist()
    assert read(both).tolist() != RAMP.tolist()


def test_a_narrow_window_is_an_exact_one() -> None:
    narrow = {"RescaleSlope": 0.01, "RescaleIntercept": 0, "WindowCenter": 0.08, "WindowWidth": 0.1}
    pixels = read(dicom(RAMP, **narrow))
    assert pixels.tolist() == read(dicom(RAMP, **narrow, VOILUTFunction="LINEAR_EXACT")).tolist()
    flat = pixels.ravel()
    assert len(set(flat[:4])) == 1  # 0 to 0.03
    assert len(set(flat[13:])) == 1  # 0.13 to 0.15
    assert (np.diff(flat[3:14]) > 0).all()


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": 0, "RescaleIntercept": 5},
        {"RescaleSlope": None, "RescaleIntercept": 5},
        {"WindowCenter": None, "WindowWidth": 9},
        {"WindowCenter": 5, "WindowWidth": -9},
    ],
)
def test_a_transform_that_is_none_is_passed_over(tags: dict[str, object]) -> None:
    assert read(dicom(RAMP, **tags)).tolist() == RAMP.tolist()


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("inner", [b"", dicom_element("LUTDescriptor", b"US", b"")])
def test_a_table_without_entries_is_none(keyword: str, is_open: bool, inner: bytes) -> None:
    inner += dicom_element("LUTData", b"OW", b"") if inner else b""
    content = with_elements(dicom(RAMP), dicom_sequence(keyword, inner, is_open=is_open))
    assert read(content).tolist() == RAMP.tolist()


PADDED = np.where(RAMP < 4, 100, RAMP)


@pytest.mark.parametrize(
    ("tags", "background"),
    [
        ({"PixelPaddingValue": 100}, 4),
        ({"PixelPaddingValue": 90, "PixelPaddingRangeLimit": 110}, 4),
        ({"PixelPaddingValue": 110, "PixelPaddingRangeLimit": 90}, 4),
        ({"PixelPaddingValue": 100, "RescaleSlope": -1, "RescaleIntercept": 0}, -15),
        ({"PixelPaddingValue": 7000}, 100),
    ],
)
def test_padding_becomes_background(tags: dict[str, int], background: int) -> None:
    assert set(read(dicom(PADDED, **tags)).ravel()[:4]) == {background}


def test_padding_of_a_signed_file_may_be_written_as_unsigned() -> None:
    signed = np.where(RAMP < 4, -32768, RAMP).astype(np.int16)
    content = dicom(RAMP, PixelRepresentation=1, PixelData=signed.tobytes())
    padded = with_elements(content, dicom_element("PixelPaddingValue", b"US", b"\0\x80"))
    assert set(read(padded).ravel()[:4]) == {4}


def test_padding_where_large_values_are_dark() -> None:
    content = dicom(PADDED, PixelPaddingValue=100, PhotometricInterpretation="MONOCHROME1")
    assert set(read(content).ravel()[:4]) == {4}  # as the darkest of the others, 15
    assert read(content).max() == 15


def palette(values: np.ndarray, bits: int, segmented: bool = False) -> dict[str, object]:
    kind = "<u2" if bits == 16 else "u1"
    found: dict[str, object] = {
        "PhotometricInterpretation": "PALETTE COLOR", "BitsAllocated": 8, "BitsStored": 8,
        "HighBit": 7, "PixelData": RAMP.astype(np.uint8).tobytes(),
    }  # fmt: skip
    for color in ("Red", "Green", "Blue"):
        found[f"{color}PaletteColorLookupTableDescriptor"] = [16, 0, bits]
        name = f"{'Segmented' if segmented else ''}{color}PaletteColorLookupTableData"
        found[name] = values.astype(kind).tobytes()
    return found


@pytest.mark.parametrize("bits", [8, 16])
def test_the_indices_of_a_palette_become_its_colours(bits: int) -> None:
    shades = np.arange(16)[::-1] ** 2
    expected = shades[RAMP]
    assert read(dicom(RAMP, **palette(shades, bits))) == pytest.approx(expected, abs=1e-3)


def test_a_palette_in_segments() -> None:
    parts = np.array([0, 1, 30, 1, 15, 0])  # one entry of 30, then fifteen in a line down to 0
    expected = 30 - 2 * RAMP
    assert read(dicom(RAMP, **palette(parts, 8, segmented=True))) == pytest.approx(expected)


@pytest.mark.parametrize(
    "parts",
    [
        [0, 1, 5, *[1, 65535, 7] * 2],  # linear segments of more than a palette has
        [0, 1, 5, 2, 1, 0, 0, 0, 0],  # a segment that refers to others
    ],
)
def test_segments_of_a_palette_that_fill_memory_are_refused(parts: list[int]) -> None:
    with pytest.raises(ImageError, match="must have a palette in full"):
        read(dicom(RAMP, **palette(np.array(parts), 16, segmented=True)))


def test_a_palette_that_is_too_short_is_damage() -> None:
    with pytest.raises(ImageError, match=r"must have 16 entries.*Received: 14"):
        read(dicom(RAMP, **palette(np.arange(14), 8)))
    with pytest.raises(ImageError, match="must have a palette"):
        read(dicom(RAMP, PhotometricInterpretation="PALETTE COLOR"))
