"""Ten ways an image gets worse, in five strengths each, the same every time.

After Hendrycks and Dietterich 2019 (arXiv:1903.12261), with the changes that MRI slices meet: a
bias field as a coil makes it, JPEG and resampling as the web does.

Data contract: images uint8 (224, 224, 1) in and out, as `data.dataset.image_set` holds them.
Strengths count from 1 to 5; what they mean is in `STRENGTHS`.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Picture = NDArray[np.uint8]

STRENGTHS: dict[str, tuple[float, float, float, float, float]] = {
    "noise": (0.02, 0.04, 0.06, 0.08, 0.10),  # standard deviation of Rician noise, of white
    "blur": (0.6, 1.0, 1.5, 2.0, 2.5),  # standard deviation of a Gaussian, pixels
    "jpeg": (80, 65, 50, 40, 30),  # quality
    "contrast": (0.85, 0.70, 0.60, 0.50, 0.40),  # factor about the mean grey
    "gamma": (1.2, 1.4, 1.6, 1.8, 2.0),  # exponent; every other image takes its inverse
    "bias_field": (0.1, 0.2, 0.3, 0.4, 0.5),  # largest relative change, smooth over the image
    "rotation": (4, 8, 12, 16, 20),  # degrees, either way
    "shift": (0.02, 0.04, 0.06, 0.08, 0.10),  # share of the side, in a direction by lot
    "crop": (0.02, 0.04, 0.06, 0.08, 0.10),  # share of the side cut off at each side
    "downsampling": (192, 160, 128, 112, 96),  # pixels a side before enlarging again
}


def corrupt(image: Picture, name: str, strength: int, seed: int = 0) -> Picture:
    """Makes an image worse.

    Args:
        image: uint8 (height, width, 1).
        name: One of `STRENGTHS`.
        strength: 1, the weakest, to 5.
        seed: Of noise, directions and fields; the same arguments give the same bytes.

    Returns:
        uint8, the shape of `image`. What comes into view from outside is black.

    Raises:
        ValueError: An argument is not legal.
    """
    if name not in STRENGTHS:
        raise ValueError(f"`name` must be one of {', '.join(STRENGTHS)}. Received: {name!r}")
    if strength not in range(1, 6):
        raise ValueError(f"`strength` must be an integer from 1 to 5. Received: {strength!r}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 1:
        raise ValueError(
            "`image` must be uint8 (height, width, 1). "
            f"Received: {image.dtype} {image.shape}"
        )  # fmt: skip
    # Strengths share the draw: the same noise, direction or field, only more of it.
    rng = np.random.default_rng([seed, list(STRENGTHS).index(name)])
    changed = _CHANGES[name](image[:, :, 0], STRENGTHS[name][strength - 1], rng)
    return changed[:, :, np.newaxis]


def mirror(image: Picture) -> Picture:
    """Left-right mirrored: uint8, the shape of `image`."""
    return image[:, ::-1]


def _noise(image: Picture, amount: float, rng: np.random.Generator) -> Picture:
    """Rician: the magnitude of a complex signal with noise (Gudbjartsson and Patz 1995)."""
    real, imaginary = rng.normal(0, 255 * amount, (2, *image.shape))
    return _rounded(np.hypot(image + real, imaginary))


def _blur(image: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def _jpeg(image: Picture, quality: float, rng: np.random.Generator) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
    return np.asarray(Image.open(buffer))


def _contrast(image: Picture, factor: float, rng: np.random.Generator) -> Picture:
    mean = image.mean()
    return _rounded(mean + factor * (image - mean))


def _gamma(image: Picture, exponent: float, rng: np.random.Generator) -> Picture:
    power = exponent if rng.random() < 0.5 else 1 / exponent
    return _rounded(255 * (image / 255) ** power)


def _bias_field(image: Picture, amount: float, rng: np.random.Generator) -> Picture:
    height, width = image.shape
    rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    a, b, c, d, e = rng.normal(size=5)
    field = a * rows + b * columns + c * rows * columns + d * rows**2 + e * columns**2
    field = field - field.mean()
    return _rounded(image * (1 + amount * field / np.abs(field).max()))


def _rotation(image: Picture, degrees: float, rng: np.random.Generator) -> Picture:
    angle = degrees if rng.random() < 0.5 else -degrees
    return np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR))


def _shift(image: Picture, share: float, rng: np.random.Generator) -> Picture:
    angle, (height, width) = rng.uniform(0, 2 * np.pi), image.shape
    down, right = round(share * height * np.sin(angle)), round(share * width * np.cos(angle))
    moved = np.zeros_like(image)
    moved[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)] = image[
        max(-down, 0) : height + min(-down, 0), max(-right, 0) : width + min(-right, 0)
    ]
    return moved


def _crop(image: Picture, share: float, rng: np.random.Generator) -> Picture:
    height, width = image.shape
    down, right = share * height, share * width
    box = (right, down, width - right, height - down)
    return np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=box)
    )


def _downsampling(image: Picture, side: float, rng: np.random.Generator) -> Picture:
    small = Image.fromarray(image).resize((int(side), int(side)), Image.Resampling.BILINEAR)
    return np.asarray(small.resize(image.shape[::-1], Image.Resampling.BILINEAR))


def _rounded(values: NDArray[np.float64]) -> Picture:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


_CHANGES: dict[str, Callable[[Picture, float, np.random.Generator], Picture]] = {
    "noise": _noise,
    "blur": _blur,
    "jpeg": _jpeg,
    "contrast": _contrast,
    "gamma": _gamma,
    "bias_field": _bias_field,
    "rotation": _rotation,
    "shift": _shift,
    "crop": _crop,
    "downsampling": _downsampling,
}
