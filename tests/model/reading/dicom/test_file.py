"""DICOM: the transforms that a file asks for, frames, and files that cannot be read."""

from __future__ import annotations

import encodings
import io
import struct
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from model.preprocessing import ImageError
from model.reading.dicom.file import DicomScan
from model.reading.dicom.header import MAX_DEFLATED_BYTES, MAX_TABLE_BYTES
from model.reading.marks import is_dicom
from model.reading.open_scan import read_scan
from tests.hostile_files import dicom_element, dicom_sequence, with_elements
from tests.scan_files import dicom

RAMP = np.arange(16).reshape(4, 4)
JPEG_LOSSLESS_14 = "1.2.840.10008.1.2.4.57"


def read(content: bytes, index: int = 0) -> np.ndarray:
    return DicomScan(content).pixels(None, index)


def test_pixels_are_the_files_own() -> None:
    pixels = read(dicom(RAMP))
    assert pixels.dtype == np.float32
    assert pixels.tolist() == RAMP.tolist()


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


def test_frames_are_read_by_number() -> None:
    frames = np.stack([RAMP, RAMP + 100, RAMP + 200])
    scan = DicomScan(dicom(frames))
    assert (scan.kind, scan.frames, scan.planes) == ("dicom", 3, {})
    assert [one.index for one in scan.slices()] == [1]
    assert scan.pixels(None, 2).tolist() == (RAMP + 200).tolist()
    assert scan.pixels(None, 0).tolist() == RAMP.tolist()


def test_colour_becomes_luminance() -> None:
    colour = np.zeros((2, 2, 3), np.uint8)
    colour[0, 0] = (255, 0, 0)
    colour[1, 1] = (255, 255, 255)
    content = dicom(
        RAMP[:2, :2], SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=colour.tobytes(),
    )  # fmt: skip
    assert read(content) == pytest.approx(np.array([[76.245, 0], [0, 255]]), abs=1e-3)


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


def table(values: bytes, kind: bytes = b"OW") -> bytes:
    head = dicom_element("LUTDescriptor", b"US", struct.pack("<3H", 16, 0, 16))
    return head + dicom_element("LUTData", kind, values)


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


MOSAIC = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}
TILES = [RAMP + 16 * k for k in range(3)] + [np.zeros((4, 4), int)]
FRAME = np.block([TILES[:2], TILES[2:]])


def test_a_mosaic_is_divided_by_its_matrix() -> None:
    scan = DicomScan(dicom(FRAME, **MOSAIC, AcquisitionMatrix=[4, 0, 0, 4]))
    assert scan.frames == 3  # the last tile is blank
    for index in range(3):
        assert scan.pixels(None, index).tolist() == TILES[index].tolist()


def test_a_mosaic_is_divided_by_its_count() -> None:
    tiles = struct.pack("<HH2sHH", 0x19, 0x100A, b"US", 2, 3)
    content = dicom(FRAME, **MOSAIC)
    place = content.index(b"\x28\0\x02\0US")
    scan = DicomScan(content[:place] + tiles + content[place:])
    assert scan.frames == 3
    assert scan.pixels(None, 2).tolist() == TILES[2].tolist()


@pytest.mark.parametrize("matrix", [None, [0, 0, 0, 0], [3, 0, 0, 4], [8, 0, 0, 8], [4, 0, 0, 8]])
def test_a_mosaic_that_does_not_say_how_it_is_divided_is_named(matrix: list[int] | None) -> None:
    with pytest.raises(ImageError, match="a Siemens mosaic that does not say how it is divided"):
        DicomScan(dicom(FRAME, **MOSAIC, AcquisitionMatrix=matrix))


@pytest.mark.parametrize("tags", [{"BitsAllocated": 13}, {"PixelData": b""}])
def test_no_word_of_python_is_said(tags: dict[str, object]) -> None:
    """Whatever is wrong, the error is a sentence of ours."""
    with pytest.raises(ImageError) as caught:
        read(dicom(RAMP, **tags))
    said = str(caught.value)
    assert said.startswith("`file` is a damaged DICOM file: ")
    assert not any(word in said for word in ("object", "attribute", "codec", "reshape", "array"))
