"""From an encoded image to what the network sees: the one path for training and serving.

Data contract: bytes, a path or a binary file in; float32 array (224, 224, 1), channels last,
values in [0, 1], out. Steps, in order:

1. decode with Pillow (first checking format and size) and turn as EXIF says;
2. one grey channel at the file's full bit depth, transparency over black;
3. resize to 224 x 224 without keeping the aspect ratio, antialiased;
4. map the 0.5th to the 99.5th percentile of the intensities to 0 and 1 and clip, since MRI
   intensities have no unit and depend on the scanner and the window somebody chose.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from model.config import IMAGE_SIZE

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 20_000_000
PERCENTILES = (0.5, 99.5)
DAMAGE = (  # what Pillow raises for broken files, by format and by where they are broken
    ArithmeticError, EOFError, LookupError, OSError, SyntaxError, ValueError, struct.error,
    Image.DecompressionBombError,
)  # fmt: skip

SETTINGS = {
    "image_size": IMAGE_SIZE,
    "channels": 1,
    "resize": "Pillow BILINEAR with antialiasing, aspect ratio not kept",
    "intensity": "percentiles 0.5 and 99.5 mapped to 0 and 1, clipped",
}
"""What this module does, as saved beside the weights."""


KINDS = ("damaged", "too-large", "unsupported-format")


class ImageError(ValueError):
    """The input is not an image that can be read; the message says why.

    Attributes:
        kind: One of `KINDS`; "damaged" also stands for whatever else is wrong with a file.
    """

    def __init__(self, message: str, *, kind: str = "damaged") -> None:
        super().__init__(message)
        self.kind = kind


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
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    name = Path(source).name if isinstance(source, (str, os.PathLike)) else "the upload"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(
                        f"`image` must have at most {MAX_PIXELS:,} pixels. "
                        f"Received: {name} with {width} x {height}",
                        kind="too-large",
                    )
                image.load()
                return _grey(ImageOps.exif_transpose(image))
    except (FileNotFoundError, ImageError):
        raise
    except UnidentifiedImageError:
        raise ImageError(
            f"`image` must be one of {', '.join(FORMATS)}. Received: {name}, which is none of them",
            kind="unsupported-format",
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


def _grey(image: Image.Image) -> NDArray[np.float32]:
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N"):
        # `convert("L")` would clip these at 255.
        return np.asarray(image, dtype=np.float32)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return np.asarray(image.convert("L"), dtype=np.float32)
