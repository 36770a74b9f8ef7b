"""What lies around the brain: skin, fat, muscles, skull, face, orbits and air spaces.

Tables of ellipsoids and tubes at usual anatomical places, in MNI millimetres; they are not
measured on any patient.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from data.phantoms.atlas import load_atlas, sample
from data.phantoms.canvas import Canvas, Field, Point, soft_min
from data.phantoms.person import Person

# height z -> half width, front y of the face below the brow
FACE = np.array([(-14, 70, 74), (-28, 74, 76), (-42, 75, 74), (-60, 76, 84), (-80, 74, 91),
(-97, 70, 95),
                 (-118, 63, 90), (-134, 54, 84), (-150, 38, 60)], float)  # fmt: skip


@lru_cache(maxsize=1)
def face_profile() -> NDArray[np.float64]:
    """``FACE`` at every millimetre from z = -160 to 0, rounded: columns z, half width, front y."""
    z = np.arange(-160.0, 1.0)
    table = [
        ndimage.gaussian_filter1d(np.interp(z, FACE[::-1, 0], FACE[::-1, k]), 5.0) for k in (1, 2)
    ]
    return np.stack([z, *table], axis=1)


def skin_distance(xyz: Field, ax: Field, hull: Field, person: Person, thickness: Field) -> Field:
    """Signed distance in mm to the skin: calvarium, face, nose, neck and ears, smoothly joined."""
    y, z = xyz[1], xyz[2]
    skin = hull - thickness
    if float(z.min()) > 5.0:
        return skin
    profile = face_profile()
    width = np.interp(z, profile[:, 0], profile[:, 1])
    front = np.interp(z, profile[:, 0], profile[:, 2]) + person.face_mm
    width = width * (1.0 - 0.0045 * np.clip(y - 10.0, 0.0, 60.0))  # the face tapers forwards
    half = (front + 40.0) / 2.0
    k = np.sqrt((ax / width) ** 2 + ((y - front + half) / half) ** 2)
    face = np.maximum((k - 1.0) * np.minimum(width, half), np.maximum(z + 22.0, -148.0 - z)).astype(
        np.float32
    )
    spread = np.maximum(0.0, -152.0 - z) * 1.1
    k = np.sqrt((ax / (57.0 + spread)) ** 2 + ((y + 42.0) / (57.0 + 0.3 * spread)) ** 2)
    neck = np.maximum((k - 1.0) * 57.0, z + 48.0).astype(np.float32)
    nose = (
        np.sqrt(
            (ax / 0.75) ** 2
            + ((y - 88.0 - person.face_mm - 0.30 * (-62.0 - z)) / 1.0) ** 2
            + ((z + 58.0) / 1.9) ** 2
        )
        - 16.0
    )
    lids = np.sqrt((ax - 32.0) ** 2 + (y - 59.0) ** 2 + ((z + 38.0) / 1.1) ** 2) - 15.5
    skin = soft_min(soft_min(skin, face, 20.0), neck, 22.0)
    skin = soft_min(soft_min(skin, nose.astype(np.float32), 8.0), lids.astype(np.float32), 5.0)
    if person.ears:
        ear = (
            np.sqrt(
                ((ax - 82.0) / 0.35) ** 2
                + ((y + 26.0 + 0.5 * (ax - 84)) / 0.85) ** 2
                + ((z + 50.0) / 1.25) ** 2
            )
            * 0.4
            - 6.5
        )
        skin = soft_min(skin, ear.astype(np.float32), 4.0)
    return skin


def paint_around(
    canvas: Canvas,
    tone: dict[str, float],
    grain: list[Field],
    person: Person,
    low: bool,
) -> None:
    """Scalp, skull and, in ``low`` slices, the face."""
    atlas = load_atlas()
    # off-midline values at the midline: the skull bridges the dents where the hemispheres meet
    bridged = np.stack([np.hypot(canvas.xyz[0], np.float32(15.0)), canvas.xyz[1], canvas.xyz[2]])
    hull = sample(atlas.hull, bridged, atlas.coarse_origin, atlas.coarse_mm, -1.0)
    thick = np.asarray(person.skull_mm * np.clip(1.0 + 0.13 * grain[0], 0.6, 1.5), np.float32)
    skin = skin_distance(
        canvas.xyz,
        canvas.ax,
        hull,
        person,
        thick + person.scalp_mm * np.clip(1 + 0.10 * grain[0], 0.5, 1.6),
    )
    _paint_soft_parts(canvas, tone, skin, grain, person)
    canvas.body = canvas.cover(skin + 3.0, 2.0)
    if low:
        _paint_face(canvas, tone, grain, person)
    _paint_skull(canvas, tone, hull, thick, grain, person)
    if low:
        _paint_orbits(canvas, tone, grain, person)
        _paint_air(canvas, tone, grain)


def _paint_soft_parts(
    canvas: Canvas, tone: dict[str, float], skin: Field, grain: list[Field], person: Person
) -> None:
    """Skin, fat, and the muscle below it with its fat planes."""
    fat = tone["fat"] * person.fat_fade * (1.0 + 0.07 * grain[1] + 0.05 * grain[2])
    canvas.paint(canvas.cover(skin, 1.5), np.asarray(fat, np.float32))
    canvas.paint(canvas.cover(skin, 1.5) * np.clip(1.0 + skin / 1.6, 0.0, 1.0), tone["skin"])
    if float(canvas.xyz[2].min()) > 0.0:
        return
    depth = person.scalp_mm + 2.0 + np.clip(-canvas.xyz[1] / 25.0, -1.0, 3.0)
    streaks = grain[4] + 0.5 * grain[2]
    planes = np.exp(-((streaks / 0.35) ** 2)) * np.clip(0.6 + 0.5 * grain[1], 0.1, 1.0)
    planes = np.maximum(planes, np.clip(0.9 * grain[1] - 0.7, 0.0, 0.9))
    dark = np.clip(-0.9 * grain[5] - 0.9, 0.0, 0.8)
    muscle = tone["muscle"] * (1.0 + 0.12 * grain[2] + 0.12 * grain[0] - 0.75 * dark)
    muscle = muscle + (0.95 * fat - muscle) * 0.7 * planes
    canvas.paint(canvas.cover(skin + depth + 1.5 * grain[1], 2.0), np.asarray(muscle, np.float32))


AIR_CELLS: list[tuple[Point, Point]] = [
    ((8, 46, -43), (9, 22, 13)), ((8, 23, -44), (10, 13, 10)), ((28, 55, -68), (13, 16, 15)),
    ((13, 78, -18), (13, 5, 10)),
    ((9, 56, -66), (9, 30, 17)), ((0, 16, -76), (11, 9, 17)), ((0, 8, -112), (9, 7, 24)),
    ((0, 60, -92), (18, 22, 3)),
]  # fmt: skip
MUSCLES: list[tuple[Point, Point]] = [
    ((66, 30, -28), (8, 24, 30)), ((56, 26, -95), (8, 20, 28)), ((31, 22, -84), (9, 14, 20)),
    ((0, 48, -110), (24, 32, 18)),
    ((14, -88, -95), (11, 16, 34)), ((36, -82, -96), (11, 17, 34)),
    ((26, -62, -110), (14, 9, 40)), ((44, -30, -110), (9, 15, 34)),
]  # fmt: skip
BONES: list[tuple[Point, Point, float]] = [  # centre, radii, marrow share
    ((36, -24, -50), (23, 9, 9), 0.25), ((55, -34, -60), (11, 16, 16), 0.05),
    ((44, 28, -112), (4, 14, 24), 0.9),
    ((30, 62, -124), (16, 9, 9), 0.9), ((8, 78, -124), (14, 6, 10), 0.9),
    ((0, -21, -86), (7, 7, 11), 0.8),
    ((0, -21, -107), (10, 8, 8), 0.8), ((0, -21, -125), (10, 8, 7.5), 0.8),
    ((0, -20, -142), (10, 8, 7.5), 0.8),
    ((26, -38, -82), (15, 9, 7), 0.6), ((24, -36, -105), (10, 8, 7), 0.6),
    ((24, -36, -124), (10, 8, 7), 0.6),
    ((52, 52, -58), (7, 14, 6), 0.7), ((0, -84, -105), (4, 10, 5), 0.6),
    ((0, -80, -125), (4, 10, 5), 0.6),
]  # fmt: skip


def _paint_face(canvas: Canvas, tone: dict[str, float], grain: list[Field], person: Person) -> None:
    """Muscles, bones, orbits and air spaces below and in front of the brain."""
    meat = np.asarray(tone["muscle"] * (1.0 + 0.12 * grain[2] + 0.08 * grain[0]), np.float32)
    for centre, radii in MUSCLES:
        shape = canvas.ellipsoid(centre, radii)
        if shape is not None:
            canvas.paint_in((shape[0], shape[1] + 2.0 * grain[1][shape[0]]), meat, 0.6)
    for centre, radii, share in BONES:
        shape = canvas.ellipsoid(centre, radii)
        if shape is not None:
            window, distance = shape
            distance = distance + 0.8 * grain[1][window]
            rough = grain[2][window]
            canvas.paint_in((window, distance), tone["bone"], 0.8)
            fill = np.clip(share * person.marrow * (0.8 + 0.35 * rough), 0.0, 1.3) * tone["marrow"]
            canvas.paint_in((window, distance + 1.4), _full(fill, window, canvas.image.shape))


def _full(part: Field, window: tuple[slice, slice], shape: tuple[int, ...]) -> Field:
    """A full-size field that holds ``part`` in ``window``."""
    out = np.zeros(shape, np.float32)
    out[window] = part
    return out


def _paint_orbits(
    canvas: Canvas, tone: dict[str, float], grain: list[Field], person: Person
) -> None:
    """Orbital fat, eye muscles, optic nerves and globes."""
    canvas.paint_in(canvas.ellipsoid((29, 44, -38), (18, 27, 17)), tone["bone"])
    canvas.paint_in(
        canvas.ellipsoid((29, 46, -38), (16, 27, 15)),
        np.asarray(tone["fat"] * person.fat_fade * (0.8 + 0.12 * grain[2]), np.float32),
    )
    for start, end, radius in (
        ((21, 62, -38), (12, 22, -33), 2.2), ((43, 58, -38), (17, 20, -35), 2.0),
        ((31, 58, -26), (13, 20, -29), 2.0),
        ((31, 58, -50), (13, 20, -38), 2.2), ((31, 50, -38), (7, 10, -24), 2.0),
    ):  # fmt: skip
        canvas.paint_in(canvas.capsule(start, end, radius), 1.1 * tone["muscle"])
    eye = canvas.ellipsoid((32, 60, -38), (12, 12, 12))
    canvas.paint_in(eye, 1.3 * tone["muscle"])
    if eye is not None:
        canvas.paint_in((eye[0], eye[1] + 1.1), tone["globe"])
    canvas.paint_in(
        canvas.ellipsoid((32, 68.5, -38), (5, 2.5, 5)), 0.5 * (tone["muscle"] + tone["globe"])
    )


def _paint_air(canvas: Canvas, tone: dict[str, float], grain: list[Field]) -> None:
    """Sinuses and airways with their mucosa, septa and turbinates."""
    walls = np.exp(-((grain[2] / 0.28) ** 2))
    for number, (centre, radii) in enumerate(AIR_CELLS):
        shape = canvas.ellipsoid(centre, radii)
        if shape is None:
            continue
        window, distance = shape
        distance = distance + (2.2 if number in (0, 4, 5, 6) else 1.2) * grain[1][window]
        canvas.paint_in((window, distance - 0.6), tone["bone"], 0.5)
        canvas.paint_in((window, distance), tone["mucosa"], 0.25 + 0.3 * (number in (0, 4)))
        busy = (0.75 if number in (0, 4) else 0.12) * walls[window]
        inside = tone["air"] + busy * tone["mucosa"]
        canvas.paint_in((window, distance + 0.9), _full(inside, window, canvas.image.shape))
    canvas.paint_in(canvas.ellipsoid((0, 54, -60), (1.1, 34, 24)), tone["mucosa"], 0.7)
    canvas.paint_in(canvas.ellipsoid((0, 48, -85), (24, 34, 2.2)), tone["bone"])


def _paint_skull(
    canvas: Canvas,
    tone: dict[str, float],
    hull: Field,
    thick: Field,
    grain: list[Field],
    person: Person,
) -> None:
    """Outer table, marrow, inner table, and solid bone below the brain."""
    inside = hull - thick
    upper = np.clip((canvas.xyz[2] + 50.0 - 0.25 * canvas.xyz[1]) / 12.0, 0.0, 1.0)
    cover = canvas.cover(inside, 2.0) * np.maximum(upper, 0.75 * canvas.cover(hull + 6.0, 6.0))
    canvas.paint(cover, tone["bone"])
    middle = 1.0 - np.abs(2.0 * inside / thick + 1.0)
    mottled = np.clip(0.75 + 0.4 * grain[1] + 0.25 * grain[2], 0.0, 1.6) * person.marrow
    marrow = np.clip(2.4 * middle - 0.5, 0.0, 1.0) * cover
    canvas.paint(
        np.asarray(marrow, np.float32),
        np.asarray(np.minimum(mottled, 1.5) * tone["marrow"], np.float32),
    )
    base = np.clip(-(hull + 1.0) / 3.0, 0.0, 1.0) * cover
    canvas.paint(
        np.asarray(base * 0.8, np.float32),
        np.asarray(
            np.clip(0.55 + 0.4 * grain[2] + 0.4 * grain[1], 0.05, 1.6) * tone["marrow"], np.float32
        ),
    )
