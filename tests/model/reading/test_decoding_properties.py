"""Whatever the bytes, decoding gives a prepared slice or an `ImageError` of a known kind."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.service import decoding
from benchmarks.service.decoding import read_or_refuse, seeds
from model.preprocessing import prepare
from model.reading.errors import KINDS, ImageError
from model.reading.open_scan import read_scan
from model.reading.scan import as_square
from tests.scan_files import dicom, nifti

settings.register_profile(
    "bounded",
    derandomize="HYPOTHESIS_RANDOM" not in os.environ,  # the same examples everywhere
    deadline=None,  # the machine may be busy
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
bounded = settings(settings.get_profile("bounded"), max_examples=10)
many = settings(settings.get_profile("bounded"), max_examples=50)

SEEDS = seeds()
RAMP = np.arange(64).reshape(8, 8)
VOXELS = np.arange(120, dtype=np.int16).reshape(4, 5, 6)


@many
@given(st.binary(max_size=600))
def test_any_bytes(content: bytes) -> None:
    read_or_refuse(content)


@pytest.mark.parametrize("name", sorted(SEEDS))
@bounded
@given(data=st.data())
def test_a_changed_file(name: str, data: st.DataObject) -> None:
    content = bytearray(SEEDS[name])
    edits = st.tuples(
        st.integers(0, min(len(content) - 1, 1000)), st.binary(min_size=1, max_size=4)
    )
    for place, piece in data.draw(st.lists(edits, min_size=1, max_size=4)):
        content[place : place + len(piece)] = piece
    end = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    read_or_refuse(bytes(content[:end]))


NIFTI_FIELDS = {  # place and form; the others of the header are not read
    "sizeof_hdr": (0, "<i"), "dim": (40, "<8h"), "datatype": (70, "<h"), "bitpix": (72, "<h"),
    "pixdim": (76, "<8f"), "vox_offset": (108, "<f"), "scale": (112, "<2f"),
    "forms": (252, "<2h"), "quaternion": (256, "<6f"), "affine": (280, "<12f"),
}  # fmt: skip
SMALL = st.integers(-3, 9)
NUMBERS = {
    "i": st.integers(-(2**31), 2**31 - 1) | st.sampled_from([348, 540]),
    "h": SMALL | st.integers(-(2**15), 2**15 - 1) | st.sampled_from([2, 4, 8, 16, 64, 512]),
    "f": SMALL.map(float) | st.floats(width=32),
}


@many
@given(data=st.data())
def test_any_nifti_header(data: st.DataObject) -> None:
    content = bytearray(nifti(VOXELS))
    for name in data.draw(st.sets(st.sampled_from(sorted(NIFTI_FIELDS)), min_size=1, max_size=3)):
        place, form = NIFTI_FIELDS[name]
        count = int(form[1:-1] or 1)
        values = data.draw(st.tuples(*[NUMBERS[form[-1]]] * count))
        struct.pack_into(form, content, place, *values)
    read_or_refuse(bytes(content))


WORDS = st.integers(0, 2**16 - 1) | st.integers(0, 40)
DECIMALS = st.floats(-1e6, 1e6, width=32).map(lambda value: f"{value:.6g}")
DICOM_TAGS = {
    "Rows": WORDS, "Columns": WORDS, "SamplesPerPixel": st.integers(0, 5),
    "NumberOfFrames": st.integers(-1, 2**31),
    "BitsAllocated": st.sampled_from([0, 1, 8, 12, 16, 32]),
    "BitsStored": st.integers(0, 40), "HighBit": st.integers(0, 40),
    "PixelRepresentation": st.integers(0, 3), "PlanarConfiguration": st.integers(0, 3),
    "PhotometricInterpretation": st.sampled_from(
        ["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "PALETTE COLOR", "", "?"]
    ),
    "RescaleSlope": DECIMALS, "RescaleIntercept": DECIMALS, "WindowCenter": DECIMALS,
    "WindowWidth": DECIMALS, "PixelSpacing": st.lists(DECIMALS, max_size=3),
    "VOILUTFunction": st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID", "CURVE"]),
    "PixelData": st.binary(max_size=300),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # of the values, as they are written
@many
@given(st.fixed_dictionaries({}, optional=DICOM_TAGS))
def test_any_dicom_header(tags: dict[str, object]) -> None:
    read_or_refuse(dicom(RAMP, **tags))


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@many
@given(st.lists(FLOATS, min_size=1, max_size=12), st.integers(1, 4), st.tuples(FLOATS, FLOATS))
def test_any_finite_slice(values: list[float], rows: int, spacing: tuple[float, float]) -> None:
    pixels = np.resize(np.array(values, np.float32), (rows, len(values)))
    prepared = prepare(as_square(pixels, spacing))
    assert prepared.shape == (224, 224, 1)
    assert prepared.dtype == np.float32
    assert prepared.min() >= 0
    assert prepared.max() <= 1


def test_every_seed_is_read() -> None:
    for name, content in SEEDS.items():
        scan = read_scan(content)
        assert prepare(scan.slices(None, 0)[0].pixels()).shape == (224, 224, 1), name


def test_what_is_no_image_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def odd(_: bytes) -> None:
        raise ImageError("odd", kind="odd")

    monkeypatch.setattr(decoding, "read_scan", odd)
    assert "odd" not in KINDS
    with pytest.raises(AssertionError):
        read_or_refuse(b"x")
