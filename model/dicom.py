"""DICOM files as slices, with pydicom: single and multi-frame.

The modality transform is applied before the window (PS3.3 C.11), and MONOCHROME1, where large
values are dark, is inverted. Tags other than those are neither read out nor kept.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array

from model.preprocessing import ImageError
from model.scans import MAX_VOLUME_BYTES, Scan, as_square, check_size

DAMAGE = (  # what pydicom raises for broken files, by where they are broken
    ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, OSError,
    RuntimeError, TypeError, ValueError, struct.error, pydicom.errors.InvalidDicomError,
    zlib.error,
)  # fmt: skip


class DicomScan(Scan):
    """A DICOM file; its frames are decoded one at a time."""

    kind = "dicom"

    def __init__(self, content: bytes) -> None:
        self.planes = {}
        self._content = content
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about values that are not read here
                _check_deflated(content)
                self._dataset = pydicom.dcmread(io.BytesIO(content))
                has_pixels = "PixelData" in self._dataset
                rows, columns = (int(self._dataset.get(n) or 0) for n in ("Rows", "Columns"))
                self.frames = int(self._dataset.get("NumberOfFrames") or 1)
        except ImageError:
            raise
        except DAMAGE as error:
            raise ImageError(f"`file` is a damaged DICOM file. Received: {error}") from error
        if not has_pixels:
            raise ImageError(
                "`file` must be a DICOM file with pixel data. Received: one without, such as a "
                "report or an index"
            )
        check_size(rows, columns, self.frames)

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        dataset = self._dataset
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about padding and odd lengths
                # From the file, not the dataset: there only one frame is decoded. Of deflated
                # files pydicom finds the pixels in the dataset alone.
                source = dataset if _is_deflated(dataset.file_meta) else io.BytesIO(self._content)
                raw = pixel_array(source, index=index)
                values = _grey(np.asarray(raw), dataset)
        except DAMAGE as error:
            raise ImageError(_advice(dataset, error)) from error
        return as_square(values, _spacing(dataset))


def _check_deflated(content: bytes) -> None:
    """Ends a deflated bomb, which pydicom would unpack whole.

    Raises:
        ImageError: Larger than `MAX_VOLUME_BYTES` once unpacked.
        zlib.error: Damaged.
    """
    file = io.BytesIO(content)
    read_preamble(file, force=False)
    if not _is_deflated(_read_file_meta_info(file)):
        return
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    size, rest = 0, file.read()
    while rest and not stream.eof:
        size += len(stream.decompress(rest, 2**20))
        rest = stream.unconsumed_tail
        if size > MAX_VOLUME_BYTES:
            raise ImageError(
                f"`file` must hold at most {MAX_VOLUME_BYTES // 2**20} MiB once decompressed. "
                "Received: more",
                kind="too-large",
            )


def _is_deflated(meta: pydicom.dataset.FileMetaDataset) -> bool:
    return bool(meta.get("TransferSyntaxUID") == pydicom.uid.DeflatedExplicitVRLittleEndian)


def _grey(raw: NDArray[Any], dataset: pydicom.Dataset) -> NDArray[np.float32]:
    """One grey channel, after the transforms that the file asks for."""
    if raw.ndim == 3:  # colour: luminance, as Pillow's "L" (ITU-R 601-2)
        return np.asarray(raw[..., :3] @ np.array([0.299, 0.587, 0.114]), dtype=np.float32)
    values = np.asarray(apply_voi_lut(apply_modality_lut(raw, dataset), dataset), dtype=np.float32)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        values = values.max() + values.min() - values
    return values


def _spacing(dataset: pydicom.Dataset) -> tuple[float, float]:
    spacing = dataset.get("PixelSpacing")
    try:
        return float(spacing[0]), float(spacing[1])
    except (TypeError, ValueError, IndexError):  # absent or not two numbers
        return 1.0, 1.0


def _advice(dataset: pydicom.Dataset, error: Exception) -> str:
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    name = getattr(syntax, "name", None) or "an unknown transfer syntax"
    if getattr(syntax, "is_compressed", False):
        return (
            "`file` must be DICOM uncompressed, or compressed as JPEG baseline, JPEG 2000 or RLE. "
            f"Received: {name}, which could not be decoded; save it uncompressed, for example with "
            "`dcmdjpeg` or `gdcmconv --raw`"
        )
    return f"`file` is a damaged DICOM file. Received: {name} ({error})"
