"""Siemens mosaics: how they are divided, and when they cannot be."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from model.preprocessing import ImageError
from model.reading.dicom.file import DicomScan
from tests.model.reading.dicom.made import RAMP
from tests.scan_files import dicom

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
