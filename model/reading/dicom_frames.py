"""Compressed DICOM frames, checked before pydicom unpacks them.

pydicom believes what a frame says of its own size: a few kilobytes in JPEG or RLE would become
gigabytes, whatever rows and columns the file promises.
"""

from __future__ import annotations

import io
import struct

from PIL import Image, JpegImagePlugin
from pydicom.uid import UID, RLELossless

from model.reading.errors import ImageError
from model.reading.picture_guards import check_jpeg

_RLE_HEADER = 64
_PADDING = 256


def check_frame(frame: bytes, syntax: UID, rows: int, columns: int) -> None:
    """Refuses a frame that is not of the size that its file says.

    Args:
        frame: The encoded frame.
        syntax: The file's transfer syntax, one that can be decoded.
        rows: The file's.
        columns: The file's.

    Raises:
        ImageError: As said.
        Exception: One of `model.reading.dicom.DAMAGE`, where the frame cannot be read.
    """
    if syntax == RLELossless:
        _check_rle(frame, rows * columns)
        return
    wrong_size = (
        f"`file` is a damaged DICOM file: its frames must have {columns} x {rows} pixels, "
        "as its header says. Received: "
    )
    try:
        with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as image:
            if image.size != (columns, rows):
                raise ImageError(f"{wrong_size}{image.width} x {image.height}")
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                check_jpeg(image, frame, "a frame")
    except Image.DecompressionBombError:
        raise ImageError(f"{wrong_size}many times that") from None


def _check_rle(frame: bytes, most: int) -> None:
    """Adds up what each of the frame's segments unpacks to: its pixels, one byte of each."""
    count, *offsets = struct.unpack("<16L", frame[:_RLE_HEADER])
    starts = offsets[: min(count, 15)]
    for start, end in zip(starts, [*starts[1:], len(frame)], strict=True):
        segment = frame[start:end]
        place = size = 0
        while place < len(segment):
            code = segment[place]
            if code < 128:  # that many bytes and one follow
                size += code + 1
                place += code + 2
            else:  # one byte follows, to be repeated; 128 means nothing
                size += 257 - code if code > 128 else 0
                place += 2 if code > 128 else 1
            if size > most + _PADDING:
                raise ImageError(
                    f"`file` is a damaged DICOM file: the segments of its RLE frames must unpack "
                    f"to {most:,} bytes, as its header says. Received: more"
                )
