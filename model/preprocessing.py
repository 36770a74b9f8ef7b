"""From an encoded image to what the network sees: the one path for training and serving.

Data contract: bytes, a path or a binary file in; float32 array (224, 224, 1), channels last,
values in [0, 1], out. Steps, in order:

1. decode with Pillow, after `model.reading.picture_guards` has checked format, size and number of
   frames;
2. one grey channel at the file's full bit depth, transparency over black, turned as EXIF says;
   pictures of more than `model.reading.picture_guards.MAX_KEPT` pixels are reduced to about as
   many;
3. resize to 224 x 224 without keeping the aspect ratio, antialiased;
4. map the 0.5th to the 99.5th percentile of the intensities to 0 and 1 and clip, since MRI
   intensities have no unit and depend on the scanner and the window somebody chose.
"""

from __future__ import annotations

import os
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from model.config import IMAGE_SIZE
from model.reading.errors import KINDS as KINDS
from model.reading.errors import ImageError as ImageError
from model.reading.picture_guards import MAX_PIXELS as MAX_PIXELS
from model.reading.picture_guards import bounded, check_picture, draft, grey, upright

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
PERCENTILES = (0.5, 99.5)
LARGEST = 1e30
"""Of intensities: differences of larger ones would not fit into float32."""
ORIENTATION = ExifTags.Base.Orientation
DAMAGE = (  # what Pillow raises for broken files, by format and by where they are broken
    ArithmeticError, EOFError, LookupError, OSError, SyntaxError, TypeError, ValueError,
    struct.error, Image.DecompressionBombError,
)  # fmt: skip

SETTINGS = {
    "image_size": IMAGE_SIZE,
    "channels": 1,
    "resize": "Pillow BILINEAR with antialiasing, aspect ratio not kept",
    "intensity": "percentiles 0.5 and 99.5 mapped to 0 and 1, clipped",
}
"""What this module does, as saved beside the weights."""


def load_image(source: bytes | str | os.PathLike[str] | BinaryIO) -> NDArray[np.float32]:
    """Decodes an image and prepares it for the network.

    Args:
        source: Encoded bytes, a path, or a binary file.

    Returns:
        float32 array (224, 224, 1) in [0, 1].

    Raises:
        ImageError: Not an image of a supported format, damaged, or too large.
        FileNotFoundError: `source` is a path and there is no such file.
    """
    return prepare(decode(source))


def decode(source: bytes | str | os.PathLike[str] | BinaryIO) -> NDArray[np.float32]:
    """Decodes an image to one grey channel at its own size and bit depth.

    Returns:
        float32 array (height, width) in the file's own units (0 to 255 for 8-bit files).

    Raises:
        ImageError, FileNotFoundError: As `load_image`.
    """
    name = Path(source).name if isinstance(source, (str, os.PathLike)) else "the upload"
    try:
        content = _content(source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about damage that the pixels do not depend on
            with Image.open(bounded(content, name), formats=FORMATS) as image:
                check_picture(image, content, name)
                draft(image)
                image.load()
                return upright(grey(image), image.getexif().get(ORIENTATION))
    except (FileNotFoundError, ImageError):
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"`image` must be one of {', '.join(FORMATS)}. Received: {name}, which is none of them",
            kind="unsupported-format",
        ) from None
    except Image.DecompressionBombError:
        raise ImageError(
            f"`image` must have at most {MAX_PIXELS:,} pixels. "
            f"Received: {name} with many times that",
            kind="too-large",
        ) from None
    except DAMAGE as error:
        raise ImageError(f"`image` could not be decoded. Received: {name} ({error})") from error


def prepare(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Resizes a grey image and maps its intensities to [0, 1].

    Args:
        pixels: float32 array (height, width), any finite range.

    Returns:
        float32 array (224, 224, 1) in [0, 1]; all zeros for a flat image.

    Raises:
        ImageError: `pixels` has another rank, no pixel, or a value that is not finite.
    """
    if pixels.ndim != 2 or pixels.size == 0:
        raise ImageError(f"`pixels` must have shape (height, width). Received: {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise ImageError("`pixels` must be finite. Received: NaN or infinite values")
    if (largest := float(np.abs(pixels).max())) > LARGEST:
        pixels = pixels * np.float32(1 / largest)  # their unit does not matter
    if pixels.shape != (IMAGE_SIZE, IMAGE_SIZE):
        resized = Image.fromarray(pixels).resize(
            (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR
        )
        pixels = np.asarray(resized, dtype=np.float32)
    low, high = np.percentile(pixels, PERCENTILES)
    if high <= low:
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE, 1), dtype=np.float32)
    scaled: NDArray[np.float32] = np.clip((pixels - low) / (high - low), 0.0, 1.0).astype(
        np.float32
    )
    return scaled[:, :, np.newaxis]  # (224, 224, 1)


def _content(source: bytes | str | os.PathLike[str] | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    if isinstance(source, (str, os.PathLike)):
        return Path(source).read_bytes()
    return source.read()
