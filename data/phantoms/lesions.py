"""Tumours for the phantoms: where they lie, what they look like, and what they push aside.

Positions (u, v) are millimetres in the picture from its centre, u to the right and v down. Every
field is float32 of shape (size, size). A lesion's mask is its enhancing part and its core; oedema
and dural tail are drawn but not counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data.phantoms.canvas import Canvas, Field, smooth_field


@dataclass(frozen=True)
class Lesion:
    """One tumour in the plane of the picture.

    Attributes:
        label: "glioma", "meningioma" or "pituitary".
        kind: "ring", "patchy", "infiltrating" or "low-grade" (glioma, the last two enhance little
            or not at all); "solid"; "cystic".
        blobs: (u, v, radius) of the round parts, in mm; their smooth union is the tumour.
        waves: (order, amplitude, phase) of the outline's ripples.
        push: share of the radius by which the neighbourhood is displaced.
        tone: brightness of the enhancing part, relative to the class's usual one.
        oedema: width of the surrounding oedema in mm, 0 for none.
        rim: thickness of the enhancing rim in mm.
        stretch: (axis ratio, angle in radians) of the round parts.
        mottle: strength of the texture inside a solid tumour.
    """

    label: str
    kind: str
    blobs: tuple[tuple[float, float, float], ...]
    waves: tuple[tuple[int, float, float], ...]
    push: float
    tone: float
    oedema: float
    rim: float
    stretch: tuple[float, float] = (1.0, 0.0)
    mottle: float = 0.06


def _radius(rng: np.random.Generator, largest: float) -> float:
    """Millimetres; three in ten tumours are small."""
    small = rng.random() < 0.3
    return float(rng.uniform(4.0, 9.0) if small else rng.uniform(9.0, largest))


def _waves(rng: np.random.Generator, strength: float) -> tuple[tuple[int, float, float], ...]:
    return tuple(
        (k, float(rng.normal(0.0, strength / k**0.8)), float(rng.uniform(0, 2 * np.pi)))
        for k in range(2, 9)
    )


def _pick(rng: np.random.Generator, weight: Field) -> tuple[int, int]:
    """A random (row, column), not at the frame's edge, in proportion to ``weight``."""
    margin = weight.shape[0] // 16
    inner = np.zeros_like(weight)
    inner[margin:-margin, margin:-margin] = weight[margin:-margin, margin:-margin]
    weight = inner
    flat = np.cumsum(weight.ravel(), dtype=np.float64)
    if flat[-1] <= 0.0:
        row, column = np.unravel_index(int(np.argmax(weight)), weight.shape)
        return int(row), int(column)
    index = min(int(np.searchsorted(flat, rng.random() * flat[-1])), weight.size - 1)
    return index // weight.shape[1], index % weight.shape[1]


def _glioma(rng: np.random.Generator, uv: Field, xyz: Field, dura: Field) -> Lesion:
    radius = _radius(rng, 28.0)
    depth = -dura
    inside = np.clip((depth - 0.4 * radius - 3.0) / 3.0, 0.0, 1.0)
    site = (
        inside
        * (xyz[2] > -22.0 + 0.15 * np.minimum(xyz[1], 0.0))
        * np.where(np.abs(xyz[0]) > 9.0, 1.0, 0.15)
    )
    if float(site.sum()) < 3.0:
        site = np.clip(depth - float(depth.max()) + 4.0, 0.0, None)
    row, column = _pick(rng, site.astype(np.float32))
    radius = min(radius, max(4.0, 1.2 * float(depth[row, column])))
    kind = str(
        rng.choice(["ring", "patchy", "infiltrating", "low-grade"], p=[0.42, 0.2, 0.18, 0.2])
    )
    u, v = float(uv[0, row, column]), float(uv[1, row, column])
    blobs = [(u, v, radius)]
    for _ in range(int(rng.integers(0, 3))):
        turn, share = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 0.75)
        blobs.append(
            (
                u + 0.8 * radius * float(np.cos(turn)),
                v + 0.8 * radius * float(np.sin(turn)),
                float(share * radius),
            )
        )
    return Lesion(
        "glioma",
        kind,
        tuple(blobs),
        _waves(rng, 0.15),
        float(rng.uniform(0.25, 0.6)),
        float(rng.uniform(0.5, 1.05)),
        float(rng.uniform(6.0, 20.0) if kind in ("ring", "patchy") else rng.uniform(2.0, 7.0)),
        min(float(rng.uniform(1.8, 4.5)), 0.4 * radius),
        (float(rng.uniform(0.75, 1.0)), float(rng.uniform(0, np.pi))),
    )


def _meningioma(rng: np.random.Generator, uv: Field, xyz: Field, dura: Field, falx: bool) -> Lesion:
    radius = _radius(rng, 26.0)
    sign = float(rng.choice([-1.0, 1.0]))
    on_falx = falx and rng.random() < 0.3
    grad_v, grad_u = np.gradient(dura, axis=0), np.gradient(dura, axis=1)
    norm = np.hypot(grad_u, grad_v) + 1e-6
    site = np.exp(-((xyz[0] / 2.5) ** 2)) * ((dura < -7.0) & (dura > -30.0) & (xyz[2] > 8.0))
    on_falx = bool(on_falx and float(site.sum()) > 2.0)
    if not on_falx:
        site = np.exp(-((dura / 2.0) ** 2)) * (xyz[2] > -36.0) * np.where(xyz[2] < -15.0, 1.4, 1.0)
    row, column = _pick(rng, site.astype(np.float32))
    u, v = float(uv[0, row, column]), float(uv[1, row, column])
    if on_falx:
        u += sign * 0.72 * radius
    else:
        sunk = (0.55 + 0.25 * rng.random()) * radius
        u -= float(grad_u[row, column] / norm[row, column]) * sunk
        v -= float(grad_v[row, column] / norm[row, column]) * sunk
    blobs = [(u, v, radius)]
    if rng.random() < 0.45:
        turn = rng.uniform(0, 2 * np.pi)
        blobs.append(
            (
                u + 0.5 * radius * float(np.cos(turn)),
                v + 0.5 * radius * float(np.sin(turn)),
                float(rng.uniform(0.5, 0.8)) * radius,
            )
        )
    return Lesion(
        "meningioma",
        "solid",
        tuple(blobs),
        _waves(rng, 0.06),
        float(rng.uniform(0.45, 0.75)),
        float(rng.uniform(0.72, 1.1)),
        float(rng.uniform(4.0, 14.0)) if rng.random() < 0.4 else 0.0,
        1.5,
        (float(rng.uniform(0.8, 1.0)), float(rng.uniform(0, np.pi))),
        float(rng.uniform(0.03, 0.16)),
    )


SELLA = (0.0, 2.0, -34.0)


def _pituitary(rng: np.random.Generator, uv: Field, xyz: Field, axial: bool) -> Lesion:
    near = sum((p - s) ** 2 for p, s in zip(xyz, SELLA, strict=True))
    row, column = np.unravel_index(int(np.argmin(near)), near.shape)
    up = -1.0  # superior is up in coronal and sagittal pictures
    u, v = (
        float(uv[0, row, column] + rng.normal(0, 0.8)),
        float(uv[1, row, column] + rng.normal(0, 0.8)),
    )
    low = float(rng.uniform(4.0, 6.0) if rng.random() < 0.2 else rng.uniform(6.0, 11.5))
    if axial:
        low *= 1.15
        blobs = [(u, v, low)]
        if rng.random() < 0.5:
            blobs.append((u + float(rng.normal(0, 4)), v - float(rng.uniform(2, 6)), 0.75 * low))
    else:
        blobs = [(u, v - 1.0, low)]
        if rng.random() < 0.7:
            high = float(rng.uniform(0.7, 1.45)) * low
            blobs.append((u + float(rng.normal(0, 1.5)), v + up * (0.75 * low + 0.72 * high), high))
    kind = "cystic" if rng.random() < 0.15 else "solid"
    return Lesion(
        "pituitary",
        kind,
        tuple(blobs),
        _waves(rng, 0.05),
        0.55,
        float(rng.uniform(0.7, 1.2)),
        0.0,
        min(2.5, 0.4 * low),
        (float(rng.uniform(0.88, 1.0)), 0.0),
        float(rng.uniform(0.04, 0.2)),
    )


def draw_lesion(
    rng: np.random.Generator, label: str, plane: str, uv: Field, xyz: Field, dura: Field
) -> Lesion:
    """Choose site, size and make of a tumour from a coarse look at the slice."""
    if label == "glioma":
        return _glioma(rng, uv, xyz, dura)
    if label == "meningioma":
        return _meningioma(rng, uv, xyz, dura, plane != "sagittal")
    return _pituitary(rng, uv, xyz, plane == "axial")


def outline(lesion: Lesion, uv: Field, grain: Field) -> Field:
    """Signed distance in mm to the tumour's edge, negative inside."""
    result: Field | None = None
    ratio, turn = lesion.stretch
    for u, v, radius in lesion.blobs:
        du, dv = uv[0] - u, uv[1] - v
        along = du * np.cos(turn) + dv * np.sin(turn)
        across = (-du * np.sin(turn) + dv * np.cos(turn)) / ratio
        rho, theta = np.hypot(along, across), np.arctan2(across, along)
        ripple = sum(a * np.cos(k * theta + p) for k, a, p in lesion.waves)
        part = rho - radius * (1.0 + ripple * np.clip(rho / radius, 0.0, 1.0))
        result = part if result is None else _blend(result, part, 0.35 * radius)
    assert result is not None
    rough = {"glioma": 0.9, "meningioma": 0.25, "pituitary": 0.3}[lesion.label]
    return np.asarray(result + rough * grain, np.float32)


def _blend(a: Field, b: Field, radius: float) -> Field:
    h = np.clip(0.5 + 0.5 * (b - a) / radius, 0.0, 1.0)
    return np.asarray(b + (a - b) * h - radius * h * (1.0 - h), np.float32)


def mass_effect(lesion: Lesion, uv: Field, dura: Field) -> Field:
    """(2, size, size) shift of the sampling points in mm, towards the tumour; none at the dura."""
    u, v, radius = lesion.blobs[0]
    du, dv = uv[0] - u, uv[1] - v
    rho = np.hypot(du, dv) + 1e-3
    size = lesion.push * np.minimum(
        rho, radius * np.exp(-np.maximum(rho - radius, 0.0) / (1.1 * radius))
    )
    size = size * np.clip(-dura / 10.0, 0.0, 1.0)
    return np.asarray(np.stack([-size * du / rho, -size * dv / rho]), np.float32)


PARTS = ("enhancing", "core", "oedema", "low", "grey", "meningioma", "pituitary")
# Signal of a tumour's parts under each sequence, on the scale of the tissues' tones.
SIGNALS: dict[str, dict[str, float]] = {
    contrast: dict(zip(PARTS, row, strict=True))
    for contrast, row in {
        "T1c": (0.66, 0.19, 0.225, 0.21, 0.31, 0.58, 0.53),
        "T1": (0.38, 0.21, 0.31, 0.27, 0.42, 0.385, 0.4),
        "T2": (0.5, 0.85, 0.68, 0.74, 0.52, 0.45, 0.44),
        "FLAIR": (0.62, 0.24, 0.76, 0.78, 0.6, 0.54, 0.53),
        "PD": (0.68, 0.72, 0.78, 0.8, 0.68, 0.64, 0.62),
    }.items()
}


def paint_lesion(
    canvas: Canvas, lesion: Lesion, contrast: str, uv: Field, dura: Field, rng: np.random.Generator
) -> Field:
    """Draw the tumour on ``canvas`` and return the signed distance in mm to its edge."""
    size = dura.shape[0]
    coarse, fine, broad = (smooth_field(rng, size, cells) for cells in (34, 70, 12))
    signal = SIGNALS[contrast]
    if contrast != "T1c":  # without contrast agent tumours of a kind differ less
        lesion = replace(lesion, tone=1.0 + 0.4 * (lesion.tone - 0.9), mottle=0.6 * lesion.mottle)
    edge = outline(lesion, uv, coarse)
    tissue = canvas.cover(dura + 1.0, 2.0)
    if lesion.oedema > 0.0:
        reach = lesion.oedema * (1.0 + 0.45 * broad)
        swell = (
            np.clip(1.0 - edge / np.maximum(reach, 1.0), 0.0, 1.0)
            * tissue
            * np.clip(-(dura + 2.0) / 4.0, 0.0, 1.0)
        )
        canvas.paint(
            np.asarray(0.85 * swell * (3 - 2 * swell) * swell * 1.0, np.float32),
            signal["oedema"] * (1.0 + 0.05 * coarse),
        )
    if lesion.label == "glioma":
        edge = np.maximum(edge, dura + 1.5)
        _paint_glioma(canvas, lesion, signal, edge, coarse, fine, broad)
    else:
        if lesion.label == "meningioma":
            edge = np.maximum(edge, dura - 0.5)
            near = np.clip(1.0 - (edge - 1.0) / 14.0, 0.0, 1.0)
            tail = canvas.cover(np.abs(dura + 0.8) - 1.6 * near, 1.3) * (near > 0.0)
            if contrast == "T1c":
                canvas.paint(np.asarray(0.8 * tail, np.float32), lesion.tone * signal["meningioma"])
        _paint_solid(canvas, lesion, signal, edge, coarse, fine, broad)
    return np.asarray(edge, np.float32)


def _paint_glioma(
    canvas: Canvas,
    lesion: Lesion,
    signal: dict[str, float],
    edge: Field,
    coarse: Field,
    fine: Field,
    broad: Field,
) -> None:
    bright = np.asarray(
        lesion.tone * signal["enhancing"] * (1.0 + 0.10 * fine + 0.10 * coarse), np.float32
    )
    core = np.asarray(signal["core"] * (1.0 + 0.15 * coarse + 0.12 * broad), np.float32)
    if lesion.kind in ("infiltrating", "low-grade"):
        share = np.clip(1.6 * (lesion.tone - 0.55) + 0.15 * broad, 0.0, 0.9)  # towards grey matter
        body = signal["low"] + share * (signal["grey"] - signal["low"])
        body = np.asarray(body * (1.0 + 0.06 * coarse + 0.04 * fine), np.float32)
        canvas.paint(canvas.cover(edge, 3.5 / canvas.pixel), body)
        if lesion.kind == "low-grade":
            return
        spots = np.clip(1.4 * coarse + 0.8 * broad - 2.3, 0.0, 1.0) * canvas.cover(edge + 3.0)
        canvas.paint(np.asarray(0.5 * spots, np.float32), bright)
        return
    if lesion.kind == "ring":
        share = np.clip(1.0 + 0.6 * broad + 0.45 * coarse, -0.1, 2.4)
        thick = np.asarray(lesion.rim * share, np.float32)
        canvas.paint(canvas.cover(edge, 1.3), bright)
        canvas.paint(canvas.cover(edge + thick, 2.0), core)
        bits = np.clip(1.2 * coarse + 0.5 * fine - 1.5, 0.0, 1.0) * canvas.cover(edge + thick)
        canvas.paint(np.asarray(0.7 * bits, np.float32), bright)
        return
    mix = np.clip(0.5 + 0.38 * coarse + 0.3 * broad + 0.15 * fine, 0.0, 1.0)
    canvas.paint(canvas.cover(edge, 2.0), np.asarray(core + (bright - core) * mix, np.float32))


def _paint_solid(
    canvas: Canvas,
    lesion: Lesion,
    signal: dict[str, float],
    edge: Field,
    coarse: Field,
    fine: Field,
    broad: Field,
) -> None:
    body = (
        lesion.tone
        * signal[lesion.label]
        * (1.0 + lesion.mottle * (0.5 * fine + 0.8 * coarse + 0.5 * broad))
    )
    canvas.paint(0.5 * canvas.cover(edge - 1.2, 1.5), 0.6 * signal["oedema"])
    canvas.paint(canvas.cover(edge, 1.2), np.asarray(body, np.float32))
    if lesion.kind == "cystic":
        canvas.paint(canvas.cover(edge + lesion.rim + 0.6 * coarse, 1.5), 1.3 * signal["core"])
