"""How a phantom is cut and acquired: the plane through the head, then blur, shading, noise, window.

Framing and brightness follow the real images of each class: tumour slices in all three planes at
one usual window, "notumor" ones mostly axial, cropped more tightly and windowed more variously.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from data.phantoms.canvas import Field, smooth_field, white_noise

PLANES = ("axial", "coronal", "sagittal")
# where slices are cut, in MNI mm: z of axial, y of coronal, x of sagittal ones
SLICES = {
    "glioma": ((-14, 58), (-78, 42), (10, 50)),
    "meningioma": ((-32, 66), (-80, 48), (2, 52)),
    "notumor": ((-18, 56), (-60, 36), (-6, 12)),
    "pituitary": ((-37, -27), (-2, 7), (-3, 3)),
}


@dataclass(frozen=True)
class Slice:
    """Where the picture cuts the head: a plane in MNI space and smooth warps."""

    plane: str
    origin: NDArray[np.float64]
    axes: NDArray[np.float64]  # (2, 3): MNI mm per picture mm along u (right) and v (down)
    fov: tuple[float, float]  # picture width and height in mm
    warp_seed: int
    warp_mm: tuple[float, float]

    def uv(self, size: int) -> Field:
        """(2, size, size) picture coordinates in mm from the centre."""
        t = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
        u, v = np.meshgrid(t * self.fov[0], t * self.fov[1])
        return np.asarray(np.stack([u, v]), np.float32)

    def points(self, uv: Field) -> tuple[Field, Field]:
        """MNI coordinates (3, size, size) for the skull, and with finer folds for the brain."""
        size = uv.shape[1]
        rng = np.random.default_rng(self.warp_seed)
        xyz = np.stack(
            [self.origin[k] + self.axes[0, k] * uv[0] + self.axes[1, k] * uv[1] for k in range(3)]
        )
        xyz = xyz.astype(np.float32)
        xyz += np.stack([self.warp_mm[0] * smooth_field(rng, size, 4) for _ in range(3)])
        fold = xyz + np.stack([self.warp_mm[1] * smooth_field(rng, size, 15) for _ in range(3)])
        return xyz, np.asarray(fold, np.float32)


def _rotation(rng: np.random.Generator, degrees: float) -> NDArray[np.float64]:
    """A small random 3-D rotation."""
    a, b, c = np.radians(rng.normal(0.0, degrees, 3))
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(rx @ ry @ rz)


def cut_head(rng: np.random.Generator, label: str, plane: str) -> Slice:
    """Choose slice position, tilt, head size and framing."""
    low, high = SLICES[label][PLANES.index(plane)]
    at = float(rng.uniform(low, high))
    mirrored = rng.random() < 0.5
    if plane == "sagittal" and label in ("glioma", "meningioma") and mirrored:
        at = -at
    scale = 0.93 * np.exp(rng.normal(0.0, 0.03, 3) + rng.normal(0.0, 0.03))
    near = 0.92 if label == "pituitary" else 1.0
    fill = float(rng.uniform(0.88, 1.03) if label == "notumor" else rng.uniform(0.76, 0.98))
    shift = rng.normal(0.0, 3.0, 2)
    drop = float(rng.uniform(0.02, 0.12))
    squeeze = float(np.exp(rng.normal(0.0, 0.09 if label == "notumor" else 0.025)))
    if plane == "axial":
        frame = near * 208.0 * scale[1] / fill
        middle = np.array([0.0, -15.0 + (7.0 if at < -22 else 0.0), at])
        axes = np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
        tilt = 4.0
    elif plane == "coronal":
        frame = near * float(rng.uniform(198.0, 242.0)) * scale[2] / 0.93
        middle = np.array([0.0, at, 98.0 - frame * (0.5 - drop) / scale[2]])
        axes = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
        tilt = 4.0
    else:
        frame = near * float(rng.uniform(212.0, 246.0)) * scale[1] / 0.93
        middle = np.array([at, -3.0, 98.0 - frame * (0.5 - drop) / scale[2]])
        axes = np.array([[0.0, -1.0 if mirrored else 1.0, 0.0], [0.0, 0.0, -1.0]])
        tilt = 2.5
    turn = _rotation(rng, tilt)
    if label == "pituitary":  # turn about the sella, so that it stays in the slice
        pivot = np.where(np.abs(axes).sum(0) > 0, np.array([0.0, 2.0, -34.0]), middle)
        middle = pivot + turn @ (middle - pivot)
    axes = (axes @ turn.T) / scale
    middle = middle + axes[0] * shift[0] + axes[1] * shift[1]
    return Slice(
        plane,
        middle,
        axes,
        (frame * squeeze, frame),
        int(rng.integers(2**31)),
        (float(rng.uniform(1.2, 2.6)), float(rng.uniform(0.6, 1.5))),
    )


@dataclass(frozen=True)
class Scanner:
    """Blur, shading, noise and window of one acquisition."""

    blur_mm: float
    shade: float
    noise: float
    gain: float
    gamma: float
    floor: float
    sharpen: float


def draw_scanner(rng: np.random.Generator, label: str, contrast: str) -> Scanner:
    common = rng.random() < 0.5
    if label != "notumor":
        return Scanner(
            float(rng.uniform(0.35, 0.8)),
            float(rng.uniform(0.03, 0.14)),
            float(rng.uniform(0.004, 0.014)),
            float(rng.uniform(0.76, 1.12)),
            float(rng.uniform(0.92, 1.08)),
            0.0,
            0.0,
        )
    bright = {"T1c": 1.35, "T1": 1.15, "T2": 1.1, "FLAIR": 1.1}[contrast]
    return Scanner(
        float(rng.uniform(0.3, 0.8)),
        float(rng.uniform(0.02, 0.1)),
        float(rng.uniform(0.004, 0.022)),
        bright * float(rng.uniform(0.75, 1.35)),
        float(rng.uniform(0.8, 1.15)),
        0.0 if common else float(rng.uniform(0.0, 0.05)),
        float(rng.uniform(0.0, 1.0)) if common else 0.0,
    )


def acquire(
    image: Field, pixel: float, scanner: Scanner, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Blur, shade, add Rician noise, window and quantise to uint8."""
    size = image.shape[0]
    shade = np.exp(scanner.shade * smooth_field(rng, size, 2))
    image = ndimage.gaussian_filter(image, scanner.blur_mm / pixel) * shade
    if scanner.sharpen > 0.0:
        image = image + scanner.sharpen * (image - ndimage.gaussian_filter(image, 1.6 / pixel))
    real = image + scanner.noise * white_noise(rng, size)
    imaginary = scanner.noise * white_noise(rng, size)
    magnitude = scanner.gain * np.hypot(real, imaginary)
    shown = scanner.floor + (1.0 - scanner.floor) * np.clip(magnitude, 0.0, 1.0) ** scanner.gamma
    return np.asarray(np.rint(255.0 * np.clip(shown, 0.0, 1.0)), np.uint8)
