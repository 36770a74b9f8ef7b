"""DICOM and NIfTI files made in memory for the tests."""

from __future__ import annotations

import gzip
import io
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid


def dicom(
    pixels: NDArray[Any], *, syntax: str = ExplicitVRLittleEndian, without: str = "", **tags: Any
) -> bytes:
    """A DICOM file of uint16 (height, width) or (frames, height, width) pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = UID(syntax)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.Modality = "MR"
    *frames, dataset.Rows, dataset.Columns = pixels.shape
    if frames:
        dataset.NumberOfFrames = frames[0]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = pixels.astype("<u2").tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    if without:
        delattr(dataset, without)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def nifti(
    voxels: NDArray[Any], affine: NDArray[np.float64] | None = None, *, packed: bool = False
) -> bytes:
    """A NIfTI-1 file; gzipped where ``packed``."""
    image = nibabel.Nifti1Image(voxels, np.eye(4) if affine is None else affine)
    content: bytes = image.to_bytes()
    return gzip.compress(content) if packed else content


def png(pixels: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def white_share(eighths: int, side: int = 64) -> NDArray[np.uint8]:
    """A picture whose left eighths are white: the stub classifier answers by these alone."""
    pixels = np.zeros((side, side), np.uint8)
    pixels[:, : side * eighths // 8] = 255
    return pixels
