"""Drawing tools for the phantoms: random fields, signed-distance shapes, anti-aliased painting.

Every field is float32 of shape (size, size). Random numbers are drawn on grids whose size does
not depend on the image, and then interpolated (in float64, lest the bytes depend on the
processor), so that one seed gives one picture at every sampling. Lengths are millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Point = tuple[float, float, float]
NOISE_GRID = 256  # samples a side of the acquisition noise, like a usual MR matrix


@lru_cache(maxsize=64)
def spline_basis(size: int, cells: int) -> NDArray[np.float64]:
    """Cubic B-spline weights, (size, cells + 3), of ``cells`` intervals over ``size`` pixels."""
    t = (np.arange(size) + 0.5) / size * cells
    first = np.minimum(t.astype(int), cells - 1)
    f = t - first
    weights = np.stack(
        [(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], axis=1
    )
    basis = np.zeros((size, cells + 3))
    for k in range(4):
        basis[np.arange(size), first + k] = weights[:, k] / 6.0
    return basis


@lru_cache(maxsize=16)
def noise_basis(size: int) -> NDArray[np.float64]:
    """Weights, (size, NOISE_GRID), that resample white noise at constant variance."""
    at = (np.arange(size) + 0.5) / size * NOISE_GRID - 0.5
    sigma = max(0.55, 0.45 * NOISE_GRID / size)
    weights = np.exp(-0.5 * ((at[:, None] - np.arange(NOISE_GRID)[None]) / sigma) ** 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(1, keepdims=True)), np.float64)


def smooth_field(rng: np.random.Generator, size: int, cells: int) -> Field:
    """A random field of about unit variance; its blobs are ``1 / cells`` of the frame wide."""
    grid = rng.standard_normal((cells + 3, cells + 3))
    basis = spline_basis(size, cells)
    return np.asarray(2.0 * (basis @ grid @ basis.T), np.float32)


def streaky_field(rng: np.random.Generator, size: int, across: int, along: int) -> Field:
    """Like ``smooth_field``, with blobs ``1 / across`` of the frame wide and ``1 / along`` high."""
    grid = rng.standard_normal((along + 3, across + 3))
    return np.asarray(
        2.0 * (spline_basis(size, along) @ grid @ spline_basis(size, across).T), np.float32
    )


def white_noise(rng: np.random.Generator, size: int) -> Field:
    """Unit-variance noise with the grain of a 256 x 256 acquisition."""
    grid = rng.standard_normal((NOISE_GRID, NOISE_GRID), np.float32).astype(np.float64)
    basis = noise_basis(size)
    return np.asarray(basis @ grid @ basis.T, np.float32)


def soft_min(a: Field, b: Field, radius: float) -> Field:
    """Smooth union of two signed distances, rounded over ``radius`` mm."""
    h = np.clip(0.5 + 0.5 * (b - a) / radius, 0.0, 1.0)
    return np.asarray(b + (a - b) * h - radius * h * (1.0 - h), np.float32)


@dataclass
class Canvas:
    """A float image under construction.

    Attributes:
        xyz: (3, size, size) MNI coordinates of every pixel; x is mirrored to x >= 0 by ``ax``.
        ax: (size, size) absolute x, so that one shape draws both sides.
        pixel: millimetres a pixel.
        image: (size, size) intensities, air 0.
    """

    xyz: Field
    pixel: float
    image: Field

    body: Field | None = None  # coverage of the head; windowed shapes are cut to it once set

    def __post_init__(self) -> None:
        self.ax = np.abs(self.xyz[0])
        self._step = max(1, self.ax.shape[0] // 32)

    def cover(self, distance: Field, softness: float = 1.0) -> Field:
        """Anti-aliased coverage in [0, 1] of the region where ``distance`` < 0."""
        scaled = 0.5 - distance / (self.pixel * softness)
        return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)

    def paint(self, alpha: Field, value: Field | float) -> None:
        """Blend ``value`` over the image with weight ``alpha``."""
        self.image += alpha * (value - self.image)

    def _window(
        self, low: tuple[float, ...], high: tuple[float, ...], margin: float
    ) -> tuple[slice, slice] | None:
        """The pixels that may lie within ``margin`` mm of the box ``low`` to ``high``, if any."""
        s = self._step
        near: NDArray[np.bool_] = np.ones(self.ax[::s, ::s].shape, bool)
        reach = margin + 1.5 * s * self.pixel
        for axis, values in enumerate((self.ax, self.xyz[1], self.xyz[2])):
            part = values[::s, ::s]
            near &= (part > low[axis] - reach) & (part < high[axis] + reach)
        rows, columns = np.nonzero(near.any(axis=1))[0], np.nonzero(near.any(axis=0))[0]
        if not len(rows):
            return None
        return (
            slice(max(0, (rows[0] - 1) * s), (rows[-1] + 2) * s),
            slice(max(0, (columns[0] - 1) * s), (columns[-1] + 2) * s),
        )

    def ellipsoid(
        self,
        centre: tuple[float, float, float],
        radii: tuple[float, float, float],
        margin: float = 3.0,
    ) -> tuple[tuple[slice, slice], Field] | None:
        """(window, signed distance) of an ellipsoid, mirrored in x; None off the slice."""
        low = tuple(c - r for c, r in zip(centre, radii, strict=True))
        high = tuple(c + r for c, r in zip(centre, radii, strict=True))
        window = self._window(low, high, margin)
        if window is None:
            return None
        parts = (self.ax[window], self.xyz[1][window], self.xyz[2][window])
        unit = [(p - c) / r for p, c, r in zip(parts, centre, radii, strict=True)]
        k0 = np.sqrt(unit[0] ** 2 + unit[1] ** 2 + unit[2] ** 2)
        k1 = np.sqrt(sum((q / r) ** 2 for q, r in zip(unit, radii, strict=True))) + 1e-6
        return window, np.asarray(k0 * (k0 - 1.0) / k1, np.float32)

    def capsule(
        self, start: tuple[float, float, float], end: tuple[float, float, float], radius: float
    ) -> tuple[tuple[slice, slice], Field] | None:
        """(window, signed distance) of a tube from ``start`` to ``end``, mirrored in x, or None."""
        low = tuple(min(a, b) - radius for a, b in zip(start, end, strict=True))
        high = tuple(max(a, b) + radius for a, b in zip(start, end, strict=True))
        window = self._window(low, high, 3.0)
        if window is None:
            return None
        parts = (self.ax[window], self.xyz[1][window], self.xyz[2][window])
        axis = np.subtract(end, start)
        from_start = [p - a for p, a in zip(parts, start, strict=True)]
        t = np.clip(
            sum(f * a for f, a in zip(from_start, axis, strict=True)) / float(axis @ axis), 0.0, 1.0
        )
        gap = np.sqrt(sum((f - t * a) ** 2 for f, a in zip(from_start, axis, strict=True)))
        return window, np.asarray(gap - radius, np.float32)

    def paint_in(
        self,
        shape: tuple[tuple[slice, slice], Field] | None,
        value: Field | float,
        opacity: float = 1.0,
    ) -> None:
        """Blend a windowed shape over the image; a full-size ``value`` is cut to its window."""
        if shape is None:
            return
        window, distance = shape
        part = self.image[window]
        tone = value[window] if isinstance(value, np.ndarray) else value
        alpha = opacity * self.cover(distance)
        if self.body is not None:
            alpha = alpha * self.body[window]
        part += alpha * (tone - part)
