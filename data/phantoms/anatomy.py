"""The healthy head: the ICBM 152 brain inside a procedural skull, scalp, face and neck.

Coordinates are MNI millimetres (x right, y anterior, z superior). The brain comes from the atlas
(``data/phantoms/atlas.py``), what lies around it from ``data/phantoms/skull.py``. Signals are about
0 (air) to 1 (white on the screen).
"""

from __future__ import annotations

import numpy as np

from data.phantoms.atlas import tissue_at
from data.phantoms.canvas import Canvas, Field, Point, smooth_field, streaky_field
from data.phantoms.person import Person
from data.phantoms.skull import paint_around
from data.phantoms.variety import white_spots

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
        paint_around(canvas, tone, grain, person, low)
    if low:
        _paint_sella(canvas, tone)
        _paint_cord(canvas, tone)
    csf = _paint_brain(canvas, tone, fold, cavity, grain, person)
    _paint_vessels(canvas, tone, cavity, csf, grain)


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
