"""What heads with and without a tumour have alike: white spots, old holes, a stripped skull."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from data.phantoms.canvas import Canvas, Field, smooth_field, soft_min

HOLE_SHARE = 0.08


@dataclass(frozen=True)
class Hole:
    """What an old infarct or an operation left behind: fluid, often in a gliotic rim.

    Attributes:
        u, v, radius: place in the picture and size, in mm.
        ratio, turn: axis ratio, and the angle of the long axis in radians.
        rim: width of the rim in mm, 0 for none.
    """

    u: float
    v: float
    radius: float
    ratio: float
    turn: float
    rim: float


def white_spots(
    canvas: Canvas, amount: float, white: Field, csf: Field, grain: list[Field]
) -> Field:
    """Opacity in [0, 1] of ageing white matter: caps around the ventricles and spots apart."""
    x, y, z = canvas.ax, canvas.xyz[1], canvas.xyz[2]
    reach = (x / 34.0) ** 2 + ((y + 18.0) / 62.0) ** 2 + ((z - 14.0) / 30.0) ** 2
    central = np.clip(1.6 - reach, 0.0, 1.0)
    near = ndimage.gaussian_filter(csf * central, 4.0 / canvas.pixel, truncate=2.5)
    caps = np.clip(5.0 * near + 0.35 * grain[1] + 0.2 * grain[3] - 1.3 + amount, 0.0, 1.0)
    caps *= np.clip(12.0 * near - 0.6, 0.0, 1.0) * np.clip((z - 3.0) / 8.0, 0.0, 1.0)
    spots = np.clip(3.0 * (0.7 * grain[3] + 0.6 * grain[1] - 2.1 + 0.9 * amount), 0.0, 1.0)
    spots *= np.clip(2.0 * white - 0.9, 0.0, 1.0) * np.clip((z + 8.0) / 6.0, 0.0, 1.0)
    return np.asarray(0.9 * np.maximum(caps * central * (1.0 - csf), spots), np.float32)


def draw_holes(rng: np.random.Generator, uv: Field, dura: Field) -> tuple[Hole, ...]:
    """A hole in a small share of heads; the same amount is drawn for every head."""
    chance, place, radius, ratio, turn, rim, bare = rng.random(7)
    site = np.flatnonzero((dura < -3.0) & (dura > -34.0))
    if chance >= HOLE_SHARE or not len(site):
        return ()
    row, column = np.unravel_index(site[int(place * len(site))], dura.shape)
    return (
        Hole(
            float(uv[0, row, column]),
            float(uv[1, row, column]),
            5.0 + 15.0 * float(radius),
            0.5 + 0.5 * float(ratio),
            np.pi * float(turn),
            1.0 + 4.0 * float(rim) if bare > 0.3 else 0.0,
        ),
    )


def paint_holes(
    canvas: Canvas,
    holes: tuple[Hole, ...],
    tone: dict[str, float],
    uv: Field,
    dura: Field,
    rng: np.random.Generator,
) -> None:
    """Draw the holes into the brain."""
    size = dura.shape[0]
    for hole in holes:
        coarse, broad = smooth_field(rng, size, 40), smooth_field(rng, size, 13)
        du, dv = uv[0] - hole.u, uv[1] - hole.v
        along = du * np.cos(hole.turn) + dv * np.sin(hole.turn)
        across = (dv * np.cos(hole.turn) - du * np.sin(hole.turn)) / hole.ratio
        edge = np.hypot(along, across) - hole.radius * (1.0 + 0.22 * broad) + 0.8 * coarse
        edge = np.maximum(edge, dura + 1.5)
        inside = canvas.cover(dura + 1.5, 2.0)
        if hole.rim > 0.0:
            rim = np.clip(1.0 - edge / hole.rim, 0.0, 1.0) * inside
            canvas.paint(np.asarray(0.8 * rim, np.float32), tone["gliosis"])
        canvas.paint(canvas.cover(edge, 1.8), tone["csf"])


def strip(canvas: Canvas, dura: Field, lesion: Field | None, rng: np.random.Generator) -> None:
    """Cut away all but the brain, more or less of the fluid around it, and the tumour.

    Most heads keep what fills the sella, so that a tumour there is not alone outside the brain.
    """
    size = dura.shape[0]
    peel, sella = float(rng.uniform(-0.5, 3.5)), bool(rng.random() < 0.7)
    edge = np.asarray(dura + peel + 0.8 * smooth_field(rng, size, 16), np.float32)
    if sella:
        x, y, z = canvas.ax / 16.0, (canvas.xyz[1] - 2.0) / 12.0, (canvas.xyz[2] + 32.0) / 10.0
        edge = soft_min(edge, 10.0 * (np.sqrt(x**2 + y**2 + z**2) - 1.0), 6.0)
    if lesion is not None:
        edge = soft_min(edge, lesion - 0.5, 8.0)
    canvas.image *= canvas.cover(edge, 1.5)
