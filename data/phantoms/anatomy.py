"""The healthy head: the ICBM 152 brain inside a procedural skull, scalp, face and neck.

Coordinates are MNI millimetres (x right, y anterior, z superior). The brain comes from the atlas
(``data/phantoms/atlas.py``); everything around it is a table of ellipsoids and tubes at usual
anatomical places, not measured on any patient. Signals are about 0 (air) to 1 (white on the
screen).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from data.phantoms.atlas import load_atlas, sample, tissue_at
from data.phantoms.canvas import Canvas, Field, smooth_field, soft_min, streaky_field
from data.phantoms.variety import white_spots

Point = tuple[float, float, float]

TISSUES = (
    "white", "grey", "csf", "fat", "skin", "muscle", "bone", "marrow", "vessel",
    "mucosa", "globe", "dura", "gland", "sinus", "flow", "air", "plexus", "gliosis",
)  # fmt: skip
# Relative signal of the tissues under each sequence, in the order of TISSUES; 1 is white on the
# screen.
TONES: dict[str, dict[str, float]] = {
    contrast: dict(zip(TISSUES, row, strict=True))
    for contrast, row in {
        "T1c": (0.335, 0.3, 0.12, 0.74, 0.5, 0.33, 0.05, 0.3, 0.72,
                0.66, 0.12, 0.42, 0.62, 0.62, 0.06, 0.015, 0.66, 0.255),
        "T1": (0.5, 0.4, 0.13, 0.92, 0.6, 0.36, 0.06, 0.5, 0.16,
                0.36, 0.14, 0.26, 0.5, 0.24, 0.08, 0.015, 0.3, 0.36),
        "T2": (0.27, 0.4, 0.92, 0.5, 0.32, 0.16, 0.03, 0.22, 0.06,
                0.75, 0.95, 0.12, 0.35, 0.1, 0.03, 0.012, 0.7, 0.58),
        "FLAIR": (0.4, 0.5, 0.1, 0.62, 0.5, 0.24, 0.04, 0.24, 0.12,
                0.55, 0.16, 0.22, 0.42, 0.16, 0.06, 0.012, 0.42, 0.72),
        "PD": (0.5, 0.61, 0.5, 0.68, 0.5, 0.38, 0.05, 0.42, 0.12,
                0.66, 0.56, 0.24, 0.55, 0.2, 0.06, 0.015, 0.64, 0.72),
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """What one seed decides about a head, besides its random fields."""

    skull_mm: float
    scalp_mm: float
    ventricles: float
    atrophy: float
    face_mm: float
    ears: bool
    sharpness: float
    marrow: float
    fat_fade: float
    white_spots: float  # 0 for none


def draw_person(rng: np.random.Generator) -> Person:
    """A random adult; three in ten have wide ventricles and sulci, most of them white spots too."""
    old = rng.random() < 0.3
    spots = rng.random() < (0.7 if old else 0.06)
    return Person(
        skull_mm=float(rng.uniform(3.6, 6.2)),
        scalp_mm=float(rng.uniform(2.8, 6.4)),
        ventricles=float(rng.uniform(0.2, 0.55) if old else rng.uniform(-0.05, 0.22)),
        atrophy=float(rng.uniform(0.3, 1.1) if old else rng.uniform(0.0, 0.35)),
        face_mm=float(rng.normal(0.0, 3.0)),
        ears=bool(rng.random() < 0.7),
        sharpness=float(rng.uniform(1.3, 2.0)),
        marrow=float(rng.uniform(0.5, 1.6)),
        fat_fade=float(rng.uniform(0.6, 1.12)),
        white_spots=float(rng.uniform(0.3, 1.0)) if spots else 0.0,
    )


def widen_ventricles(xyz: Field, amount: float) -> Field:
    """Move the sampling points towards the ventricles' axis: they look wider by ``amount``."""
    out = xyz.copy()
    centre = (0.0, -15.0, 14.0)
    r2 = (
        (xyz[0] / 26.0) ** 2
        + ((xyz[1] - centre[1]) / 46.0) ** 2
        + ((xyz[2] - centre[2]) / 24.0) ** 2
    )
    pull = np.float32(amount) * np.exp(-0.5 * r2)
    out[0] -= pull * xyz[0]
    out[1] -= 0.3 * pull * (xyz[1] - centre[1])
    out[2] -= 0.8 * pull * (xyz[2] - centre[2])
    return out


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


def _paint_sella(canvas: Canvas, tone: dict[str, float]) -> None:
    """Clivus, cavernous sinuses with the carotid flow voids, the pituitary and its stalk."""
    canvas.paint_in(canvas.ellipsoid((0, 14, -40), (20, 22, 9)), 0.8 * tone["marrow"], 0.5)
    canvas.paint_in(canvas.capsule((0, -9, -38), (0, -25, -64), 5.0), 1.1 * tone["marrow"])
    canvas.paint_in(canvas.ellipsoid((12.5, 2, -36), (5, 11, 6.5)), tone["sinus"], 0.55)
    canvas.paint_in(canvas.capsule((12, -8, -38), (12, 10, -36), 2.4), tone["flow"], 0.8)
    canvas.paint_in(canvas.ellipsoid((0, 2, -35.5), (6.5, 5, 3.5)), tone["gland"])
    canvas.paint_in(canvas.capsule((0, 0, -33), (0, -3, -20), 1.0), tone["gland"], 0.8)


def _paint_brain(
    canvas: Canvas,
    tone: dict[str, float],
    fold: Field,
    cavity: Field,
    grain: list[Field],
    person: Person,
) -> Field:
    """Dura, subarachnoid space and brain; returns the CSF fraction."""
    white, csf = tissue_at(fold)
    csf = np.clip(
        (csf - 0.5 + 0.22 * person.atrophy) * (1.5 + person.sharpness) / 2.2 + 0.5 - 0.08, 0.0, 1.0
    )
    white = np.clip((white - 0.5) * person.sharpness + 0.5, 0.0, 1.0) * (1.0 - csf)
    brain = tone["grey"] * (1.0 - white - csf) + tone["white"] * white
    if person.white_spots > 0.0:
        spots = white_spots(canvas, person.white_spots, white, csf, grain)
        brain = brain + spots * (tone["gliosis"] - brain)
    brain = brain * (1.0 + 0.03 * grain[0] + 0.025 * grain[2]) + tone["csf"] * csf
    canvas.paint(
        canvas.cover(cavity - 1.0, 1.2) * np.clip(0.5 + 0.4 * grain[1], 0.1, 0.9), tone["dura"]
    )
    canvas.paint(canvas.cover(cavity, 1.2), np.asarray(brain, np.float32))
    return np.asarray(csf, np.float32)


def _paint_cord(canvas: Canvas, tone: dict[str, float]) -> None:
    """Medulla and cord below the atlas, in their CSF sleeve."""
    if float(canvas.xyz[2].min()) > -62.0:
        return
    canvas.paint_in(canvas.capsule((0, -45, -64), (0, -46, -175), 10.0), tone["dura"])
    canvas.paint_in(canvas.capsule((0, -45, -64), (0, -46, -175), 9.0), tone["csf"])
    canvas.paint_in(canvas.capsule((0, -45, -60), (0, -46, -175), 5.5), tone["white"])


def _paint_vessels(
    canvas: Canvas, tone: dict[str, float], cavity: Field, csf: Field, grain: list[Field]
) -> None:
    """Falx, tentorium, venous sinuses, choroid plexus, basal arteries and cortical veins."""
    x, y, z = canvas.ax, canvas.xyz[1], canvas.xyz[2]
    inside = canvas.cover(cavity)
    falx_edge = -14.0 - 16.0 * np.clip((40.0 - y) / 110.0, 0.0, 1.0)
    above = np.clip((z + 4.0 + 0.25 * np.minimum(y, 0)) / 6.0, 0.0, 1.0)
    falx = (
        inside * above * np.clip((cavity - falx_edge) / 6.0, 0.0, 1.0) * canvas.cover(x - 0.5, 1.2)
    )
    canvas.paint(falx * 0.75, tone["dura"])
    sheet = np.abs(
        z
        + 1.5 * grain[0]
        - (
            -24.0
            + 0.10 * (y + 100.0)
            + 0.36 * np.clip(34.0 - x, 0.0, 34.0) * np.clip((y + 100) / 60, 0.1, 1.0)
        )
    )
    tent = inside * canvas.cover(sheet - 0.55, 1.2) * np.clip((-22.0 - y) / 8.0, 0.0, 1.0)
    canvas.paint(tent * np.clip(0.4 + 0.3 * grain[3], 0.05, 0.7), tone["dura"])
    sinus = np.maximum(x - np.clip(3.2 + 0.5 * cavity, 0.0, 5.0), cavity - 2.0)
    canvas.paint(canvas.cover(sinus, 1.5) * canvas.cover(-4.5 - cavity) * above, tone["sinus"])
    transverse = np.sqrt((cavity + 1.0) ** 2 + (z + 25.0) ** 2) - 3.2
    canvas.paint(canvas.cover(transverse, 1.5) * np.clip((-45.0 - y) / 10.0, 0, 1), tone["sinus"])
    tubes: tuple[tuple[Point, Point, float, str], ...] = (
        ((0, -46, 6), (0, -92, -20), 1.7, "sinus"), ((3, -2, 6), (0, -44, 8), 0.9, "vessel"),
        ((0, -13, -52), (0, -14, -26), 1.5, "vessel"),
        ((5, 3, -20), (30, 3, -16), 1.3, "vessel"), ((30, 3, -16), (42, -2, -8), 1.2, "vessel"),
        ((2, 5, -18), (1.5, 32, -8), 1.0, "vessel"),
        ((1.5, 32, -8), (1.5, 34, 14), 1.0, "vessel"),
        ((1.5, 34, 14), (1.5, 0, 38), 0.8, "vessel"),
        ((3, -15, -24), (20, -28, -14), 1.0, "vessel"),
        ((12, 8, -34), (8, 2, -20), 1.8, "vessel"),
    )  # fmt: skip
    for start, end, radius, name in tubes:
        shape = canvas.capsule(start, end, radius)
        if shape is not None:
            window, distance = shape
            present = 0.75 * np.clip(
                0.7 + 0.9 * grain[1][window] + 0.5 * grain[3][window], 0.0, 1.0
            )
            wiggly = canvas.cover(distance + 0.35 + 0.6 * grain[2][window], 1.3) * present
            canvas.image[window] += wiggly * (tone[name] - canvas.image[window])
    for centre, radii in (
        ((22.0, -42.0, 8.0), (4.0, 9.0, 4.0)),
        ((12.0, -20.0, 18.0), (3.0, 13.0, 2.0)),
        ((0.0, -56.0, -36.0), (4.0, 3.0, 2.0)),
    ):
        shape = canvas.ellipsoid(centre, radii)
        if shape is not None:
            window, distance = shape
            patchy = canvas.cover(distance + 0.8 * grain[2][window], 2.0) * np.clip(
                2.0 * csf[window], 0.25, 1.0
            )
            canvas.image[window] += 0.8 * patchy * (tone["plexus"] - canvas.image[window])
    course = np.exp(-((grain[3] / 0.15) ** 2)) * np.clip(1.6 * grain[1] - 0.3, 0.0, 1.0)
    rim = np.clip((cavity + 40.0) / 25.0, 0.0, 1.0)
    canvas.paint(
        np.asarray(inside * course * np.clip(2.2 * csf - 0.2, 0.06, 1.0) * rim * 0.8, np.float32),
        tone["vessel"],
    )


def paint_head(
    canvas: Canvas,
    tone: dict[str, float],
    fold: Field,
    cavity: Field,
    person: Person,
    rng: np.random.Generator,
    stripped: bool,
) -> None:
    """Draw the whole head on ``canvas``, or of a stripped one the brain and the sella alone.

    Args:
        canvas: its ``xyz`` are the coordinates for skull and face; ``image`` starts at zero.
        tone: signal of every tissue, see ``TONES``.
        fold: (3, size, size) coordinates for the brain, with its finer warp and any mass effect.
        cavity: (size, size) signed distance to the dura in mm, negative inside.
        person: the anatomy drawn for this seed.
        rng: source of the texture fields; always consumed by the same amount.
        stripped: whether skull and face are to be cut away later, and need not be drawn.
    """
    size = canvas.ax.shape[0]
    grain = [smooth_field(rng, size, cells) for cells in (9, 26, 60, 34)]
    grain += [streaky_field(rng, size, 34, 12), streaky_field(rng, size, 15, 9)]
    low = float(canvas.xyz[2].min()) < 5.0
    if stripped:
        canvas.image += tone["dura"]  # what is left below the brain
    else:
        _paint_around(canvas, tone, grain, person, low)
    if low:
        _paint_sella(canvas, tone)
        _paint_cord(canvas, tone)
    csf = _paint_brain(canvas, tone, fold, cavity, grain, person)
    _paint_vessels(canvas, tone, cavity, csf, grain)


def _paint_around(
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
