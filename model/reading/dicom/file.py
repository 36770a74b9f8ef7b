"""DICOM files as slices, with pydicom: single and multi-frame, and mosaics.

Of the header no more is read than `model.reading.dicom.header` lists, and nothing of it is kept
but what decides how the pixels are stored and shown.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from model.reading.contrast import contrast_of
from model.reading.dicom.codecs import (
    DEFLATED_FRAMES,
    NATIVE,
    PLUGINS,
    check_frame,
    inflate_frame,
    syntax_name,
)
from model.reading.dicom.groups import FrameGroups
from model.reading.dicom.header import DAMAGE, pixel_element, read_header
from model.reading.dicom.mosaic import mosaic_of
from model.reading.dicom.place import read_slice_header
from model.reading.dicom.values import grey, numbers, spacing
from model.reading.errors import ImageError
from model.reading.scan import MAX_SIDE, Scan, as_square, check_size
from model.reading.series import unfit
from model.reading.slice_header import SliceHeader

_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


class DicomScan(Scan):
    """A DICOM file; its frames are decoded one at a time."""

    kind = "dicom"

    def __init__(self, content: bytes) -> None:
        self.planes = {}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about values that are not read here
                self._read(content)
                self._tell(read_slice_header(content))
        except DAMAGE as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(
                "`file` is a damaged DICOM file: its header must be written as the standard says. "
                "Received: one that cannot be read"
            ) from error

    def _tell(self, header: SliceHeader) -> None:
        """Keeps what the header says of the picture."""
        self.doubt = unfit(header)
        contrast = contrast_of(header).name
        self.contrast = None if contrast == "unknown" else contrast

    def _read(self, content: bytes) -> None:
        """Reads the header up to the pixels."""
        header, self._syntax, file = read_header(content)
        samples, rows, columns, frames = (
            int((numbers(header, name) or [0])[0])
            for name in ("SamplesPerPixel", "Rows", "Columns", "NumberOfFrames")
        )
        self.frames, samples = frames or 1, samples or 1
        pixels = pixel_element(file, big_endian=self._syntax == ExplicitVRBigEndian)
        if pixels is None:
            raise ImageError(
                "`file` must be a DICOM file with pixel data. Received: one without, such as a "
                "report or an index"
            )
        check_size(rows, columns, self.frames)
        if rows * columns * samples > MAX_SIDE**2:
            raise ImageError(
                f"`file` must have frames of at most {MAX_SIDE**2:,} values. "
                f"Received: {columns} x {rows} of {samples} values each",
                kind="too-large",
            )
        if self.frames == 1:  # then all pieces are its own
            for name in _OFFSETS:
                if name in header:
                    delattr(header, name)
        _fill_in(header, samples)
        self._options: dict[str, Any] = as_pixel_options(
            header, pixel_keyword=pixels[0], pixel_vr=pixels[1], number_of_frames=self.frames
        )
        content, self._start = file.getvalue(), file.tell()
        self._file = io.BytesIO(content)
        self._pixel_bytes = len(content) - self._start  # `getbuffer` would copy the file to count
        self._mosaic = mosaic_of(header, rows, columns) if self.frames == 1 else None
        self._groups = FrameGroups(header)
        if self._mosaic is not None:
            self._whole = self._frame(0)
            self.frames = self._mosaic.count(self._whole[0])

    def pixels(self, plane: str | None, index: int) -> NDArray[np.float32]:
        if self._mosaic is not None:
            values, space = self._whole
            return as_square(self._mosaic.tile(values, index), space)
        return as_square(*self._frame(index))

    def _frame(self, index: int) -> tuple[NDArray[np.float32], tuple[float, float]]:
        """A frame in grey, and its millimetres from row to row and from column to column."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")  # about padding and odd lengths
                about = self._groups.of(index)
                return grey(np.asarray(self._decoded(index)), about), spacing(about)
        except DAMAGE as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(_advice(self._syntax)) from error

    def _decoded(self, index: int) -> NDArray[Any]:
        """A frame's stored values: (rows, columns) or (rows, columns, samples)."""
        options = self._options.copy()
        if self._syntax in NATIVE:
            self._check_whole(index)
            self._file.seek(self._start)
            return self._array(self._syntax, self._file, index, options)
        self._file.seek(self._start)
        frame = get_frame(
            self._file,
            index,
            extended_offsets=options.get("extended_offsets"),
            number_of_frames=self.frames,
        )
        if self._syntax == DEFLATED_FRAMES:
            values = inflate_frame(frame, self._frame_bytes)
            options["number_of_frames"] = 1
            return self._array(ExplicitVRLittleEndian, values, 0, options)
        size = options["rows"], options["columns"], options["samples_per_pixel"]
        found = check_frame(frame, self._syntax, *size)
        if found.bits is not None:
            options["bits_allocated"] = 8 if found.bits <= 8 else 16
            options["bits_stored"] = min(options["bits_stored"], options["bits_allocated"])
        self._file.seek(self._start)
        options["decoding_plugin"] = PLUGINS[found.syntax]
        return self._array(found.syntax, self._file, index, options)

    def _array(
        self, syntax: UID, source: bytes | io.BytesIO, index: int, options: dict[str, Any]
    ) -> NDArray[Any]:
        array: NDArray[Any] = get_decoder(syntax).as_array(source, index=index, **options)[0]
        return array

    @property
    def _frame_bytes(self) -> int:
        """Of a frame's values, uncompressed."""
        options = self._options
        values: int = options["rows"] * options["columns"] * options["samples_per_pixel"]
        if options["photometric_interpretation"] == "YBR_FULL_422":
            values = values * 2 // 3
        return -(-values * int(options["bits_allocated"]) // 8)

    def _check_whole(self, index: int) -> None:
        """Refuses a file that ends before its frame does.

        Raises:
            ImageError: As said.
        """
        needed, there = self._frame_bytes * (index + 1), self._pixel_bytes
        if there < needed:
            raise ImageError(
                f"`file` is a damaged DICOM file: it is truncated. Received: {there:,} bytes of "
                f"pixels, where its header says at least {needed:,}"
            )


def _fill_in(header: Dataset, samples: int) -> None:
    """Gives what some files leave out the value that it nearly always has."""
    header.SamplesPerPixel = samples
    kind = header.get("PhotometricInterpretation")
    if samples == 1 and kind not in ("MONOCHROME1", "PALETTE COLOR"):
        header.PhotometricInterpretation = "MONOCHROME2"
    elif not kind:
        header.PhotometricInterpretation = "RGB"
    for name in ("PixelRepresentation", "PlanarConfiguration"):
        if numbers(header, name) != [1]:
            setattr(header, name, 0)
    stored, allocated = numbers(header, "BitsStored"), numbers(header, "BitsAllocated")
    if allocated and not (stored and 1 <= stored[0] <= allocated[0]):
        header.BitsStored = int(allocated[0])


def _advice(syntax: UID) -> str:
    if syntax in NATIVE:
        return (
            "`file` is a damaged DICOM file: its pixels must be stored as its header says. "
            f"Received: {syntax_name(syntax)}, which could not be decoded so"
        )
    return (
        "`file` must be DICOM uncompressed, or compressed as JPEG, JPEG-LS, JPEG 2000, RLE or "
        f"deflate. Received: {syntax_name(syntax)}, which could not be decoded; save it "
        "uncompressed, for example with `gdcmconv --raw`"
    )
