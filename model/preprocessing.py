"""From an encoded image to what the network sees: the one path for training and serving.

Data contract: bytes, a path or a binary file in; float32 array (224, 224, 1), channels last,
values in [0, 1], out. Steps, in order:

1. decode one grey channel at the file's full bit depth (`model.reading.pictures.picture`);
2. resize to 224 x 224 without keeping the aspect ratio, antialiased;
3. map the 0.5th to the 99.5th percentile of the intensities to 0 and 1 and clip, since MRI
   intensities have no unit and depend on the scanner and the window somebody chose.
"""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.config import IMAGE_SIZE
from model.reading.errors import ImageError as ImageError
from model.reading.pictures.picture import decode as decode

PERCENTILES = (0.5, 99.5)
LARGEST = 1e30
"""Of intensities: differences of larger ones would not fit into float32."""
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
    pixels = finite(pixels)
    if pixels.shape != (IMAGE_SIZE, IMAGE_SIZE):
        resized = Image.fromarray(pixels).resize(
            (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR
        )
        pixels = np.asarray(resized, dtype=np.float32)
    low, high = window(pixels)
    if high <= low:
        return np.zeros((IMAGE_SIZE, IMAGE_SIZE, 1), dtype=np.float32)
    scaled: NDArray[np.float32] = np.clip((pixels - low) / (high - low), 0.0, 1.0).astype(
        np.float32
    )
    return scaled[:, :, np.newaxis]  # (224, 224, 1)


def finite(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same picture, its values small enough that float32 holds their differences.

    Raises:
        ImageError: A value is not finite.
    """
    if not np.isfinite(pixels).all():
        raise ImageError("`pixels` must be finite. Received: NaN or infinite values")
    largest = float(np.abs(pixels).max())
    return pixels * np.float32(1 / largest) if largest > LARGEST else pixels


def window(pixels: NDArray[np.float32]) -> tuple[np.float64, np.float64]:
    """The intensities that become black and white."""
    low, high = np.percentile(pixels, PERCENTILES)
    return low, high
