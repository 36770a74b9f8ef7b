"""How a phantom is cut and acquired: the plane through the head, then blur, shading, noise, window.

Nothing here depends on the class but the place of the slice, as far as anatomy asks for it: a
tumour's slice must show the tumour's usual site. Healthy heads are cut at all those places, and at
the skull base, the poles and the vertex too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from data.phantoms.canvas import Field, smooth_field, white_noise

PLANES = ("axial", "coronal", "sagittal")
# where slices are cut, in MNI mm: z of axial, y of coronal, x of sagittal ones (either side)
SLICES = {
    "glioma": ((-30, 64), (-84, 48), (0, 54)),
    "meningioma": ((-36, 70), (-86, 54), (0, 56)),
    "pituitary": ((-37, -27), (-2, 7), (-3, 3)),
    "low": ((-62, -36), (42, 60), (0, 12)),
    "high": ((56, 74), (-96, -74), (48, 62)),
}
HEALTHY_PLACES = (0.27, 0.27, 0.24, 0.11, 0.11)  # shares in the order of `SLICES`
STRIPPED_LIMITS = ((-34, 66), (-86, 54), (-54, 54))  # beyond, hardly any brain is left
SELLA = np.array([0.0, 2.0, -34.0])
AXES = {  # MNI directions of a picture's right and down
    "axial": np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    "coronal": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]),
    "sagittal": np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]),
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


def _place(rng: np.random.Generator, label: str, plane: str, stripped: bool) -> tuple[str, float]:
    """(key of ``SLICES``, mm along the plane's axis); draws the same amount for every class."""
    drawn = str(rng.choice(list(SLICES), p=HEALTHY_PLACES))
    place = drawn if label == "notumor" else label
    low, high = SLICES[place][PLANES.index(plane)]
    at = float(rng.uniform(low, high))
    if plane == "sagittal" and rng.random() < 0.5:
        at = -at
    if stripped:
        at = float(np.clip(at, *STRIPPED_LIMITS[PLANES.index(plane)]))
    return place, at


def _zoom(rng: np.random.Generator) -> float:
    """Size of the head in the frame: mostly usual, in a fifth each a tight crop or wide margins."""
    usual, tight, wide = rng.uniform(0.84, 1.0), rng.uniform(1.0, 1.14), rng.uniform(0.62, 0.84)
    return float(rng.choice([usual, tight, wide], p=[0.6, 0.2, 0.2]))


def _aim(
    plane: str, at: float, frame: float, height: float, drop: float, stripped: bool
) -> NDArray[np.float64]:
    """The picture's centre in MNI mm; whole heads hang from the upper edge, brains lie midway."""
    if plane == "axial":
        return np.array([0.0, -15.0 + (7.0 if at < -22 and not stripped else 0.0), at])
    low = 6.0 if stripped else 98.0 - frame * (0.5 - drop) / height
    return np.array([0.0, at, low]) if plane == "coronal" else np.array([at, -3.0, low])


def cut_head(rng: np.random.Generator, label: str, plane: str, stripped: bool) -> Slice:
    """Choose slice position, tilt, head size and framing."""
    place, at = _place(rng, label, plane, stripped)
    mirrored = rng.random() < 0.5
    scale = 0.93 * np.exp(rng.normal(0.0, 0.03, 3) + rng.normal(0.0, 0.03))
    zoom = _zoom(rng)
    shift = rng.normal(0.0, 3.0, 2)
    drop = float(rng.uniform(0.02, 0.12)) - 0.3 * max(0.0, zoom - 1.0)
    squeeze = float(np.exp(rng.normal(0.0, rng.choice([0.02, 0.09]))))
    length = {"axial": 190.0, "coronal": 200.0, "sagittal": 208.0}[plane]
    frame = length * float(np.exp(rng.normal(0.0, 0.03))) * scale[1] / 0.93 / zoom
    frame *= 0.88 if stripped else 1.0
    middle = _aim(plane, at, frame, scale[2], drop, stripped)
    axes = AXES[plane].copy()
    if plane == "sagittal" and mirrored:
        axes[0] = -axes[0]
    turn = _rotation(rng, float(rng.choice([3.5, 11.0], p=[0.7, 0.3])))
    if place == "pituitary":  # turn about the sella, so that it stays in the slice
        pivot = np.where(np.abs(axes).sum(0) > 0, SELLA, middle)
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


# window: most tissue of a usual picture falls between black and white
GAINS = {"T1c": 1.15, "T1": 1.05, "T2": 1.0, "FLAIR": 1.05, "PD": 0.95}


def draw_scanner(rng: np.random.Generator, contrast: str) -> Scanner:
    """A scanner and a window, alike for all classes."""
    processed = rng.random() < 0.3
    grey_air = rng.random() < 0.3
    return Scanner(
        float(rng.uniform(0.3, 0.9)),
        float(rng.uniform(0.02, 0.14)),
        float(np.exp(rng.uniform(np.log(0.004), np.log(0.022)))),
        GAINS[contrast] * float(np.exp(rng.normal(-0.06, 0.27))),
        float(rng.uniform(0.82, 1.15)),
        float(rng.uniform(0.0, 0.06)) if grey_air else 0.0,
        float(rng.uniform(0.2, 1.0)) if processed else 0.0,
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
