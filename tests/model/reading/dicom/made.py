"""What the tests of DICOM files share."""

from __future__ import annotations

import struct

import numpy as np

from model.reading.dicom.file import DicomScan
from tests.hostile.dicoms import dicom_element

RAMP = np.arange(16).reshape(4, 4)


def read(content: bytes, index: int = 0) -> np.ndarray:
    return DicomScan(content).pixels(None, index)


def table(values: bytes, kind: bytes = b"OW") -> bytes:
    head = dicom_element("LUTDescriptor", b"US", struct.pack("<3H", 16, 0, 16))
    return head + dicom_element("LUTData", kind, values)
