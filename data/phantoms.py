"""Synthetic brain MR images with exact tumour masks: glioma, meningioma, notumor, pituitary.

    phantom = make_phantom("glioma", seed=3)
    phantom.image   # (224, 224) uint8
    phantom.mask    # (224, 224) bool, the tumour without its oedema

Drawn from the ICBM 152 average brain (see ``data/atlas/NOTICE``) inside a procedural head; no
patient's image is used. The same arguments give the same bytes; another ``size`` samples the same
picture more or less finely. The atlas is read at the first call, not on import. Command line::

    python -m data.phantoms --out DIR --count 40 --seed 0 [--size 224] [--label glioma]
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from data._anatomy import TONES, draw_person, dura_distance, paint_head, widen_ventricles
from data._canvas import Canvas, Field, smooth_field, white_noise
from data._lesions import draw_lesion, mass_effect, paint_lesion

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
PLANES = ("axial", "coronal", "sagittal")
CONTRASTS = ("T1c", "T1", "T2", "FLAIR")
SIZES = (64, 512)
LOOK = 64  # samples a side of the coarse look used to place a lesion

# share of axial, coronal, sagittal; contrasts other than these are drawn only when asked for
PLANE_SHARES = {
    "glioma": (0.40, 0.32, 0.28),
    "meningioma": (0.36, 0.34, 0.30),
    "notumor": (0.84, 0.06, 0.10),
    "pituitary": (0.32, 0.32, 0.36),
}
NOTUMOR_CONTRASTS = (0.22, 0.22, 0.30, 0.26)
# where slices are cut, in MNI mm: z of axial, y of coronal, x of sagittal ones
SLICES = {
    "glioma": ((-14, 58), (-78, 42), (10, 50)),
    "meningioma": ((-32, 66), (-80, 48), (2, 52)),
    "notumor": ((-18, 56), (-60, 36), (-6, 12)),
    "pituitary": ((-37, -27), (-2, 7), (-3, 3)),
}


@dataclass(frozen=True)
class Phantom:
    """One synthetic slice.

    Attributes:
        image: (size, size) uint8, air near 0.
        mask: (size, size) bool, the lesion without its oedema; all False for "notumor".
        label: "glioma", "meningioma", "notumor" or "pituitary".
        plane: "axial", "coronal" or "sagittal".
        contrast: "T1c" (with contrast agent), "T1", "T2" or "FLAIR".
        seed: the seed it was made from.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    label: str
    plane: str
    contrast: str
    seed: int


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


def _cut(rng: np.random.Generator, label: str, plane: str) -> Slice:
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


def _tones(rng: np.random.Generator, contrast: str) -> dict[str, float]:
    """The sequence's signals, varied by a few percent each."""
    return {
        name: value * float(np.exp(rng.normal(0.0, 0.06)))
        for name, value in TONES[contrast].items()
    }


@dataclass(frozen=True)
class _Scanner:
    """Blur, shading, noise and window of one acquisition."""

    blur_mm: float
    shade: float
    noise: float
    gain: float
    gamma: float
    floor: float
    sharpen: float


def _scanner(rng: np.random.Generator, label: str, contrast: str) -> _Scanner:
    common = rng.random() < 0.5
    if label != "notumor":
        return _Scanner(
            float(rng.uniform(0.35, 0.8)),
            float(rng.uniform(0.03, 0.14)),
            float(rng.uniform(0.004, 0.014)),
            float(rng.uniform(0.76, 1.12)),
            float(rng.uniform(0.92, 1.08)),
            0.0,
            0.0,
        )
    bright = {"T1c": 1.35, "T1": 1.15, "T2": 1.1, "FLAIR": 1.1}[contrast]
    return _Scanner(
        float(rng.uniform(0.3, 0.8)),
        float(rng.uniform(0.02, 0.1)),
        float(rng.uniform(0.004, 0.022)),
        bright * float(rng.uniform(0.75, 1.35)),
        float(rng.uniform(0.8, 1.15)),
        0.0 if common else float(rng.uniform(0.0, 0.05)),
        float(rng.uniform(0.0, 1.0)) if common else 0.0,
    )


def _acquire(
    image: Field, pixel: float, scanner: _Scanner, rng: np.random.Generator
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


def _require(name: str, value: object, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise ValueError(f"`{name}` must be one of {', '.join(legal)}. Received: {value!r}")


def _require_integer(name: str, value: object, low: int, high: int | None) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):  # type: ignore[operator]
        legal = f">= {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"`{name}` must be an integer {legal}. Received: {value!r}")


def make_phantom(
    label: str,
    seed: int,
    *,
    plane: str | None = None,
    contrast: str | None = None,
    size: int = 224,
    lesion: bool = True,
) -> Phantom:
    """Draw one phantom.

    Args:
        label: class to draw, one of ``LABELS``; it also sets the usual planes, framing and window.
        seed: any integer >= 0; the same arguments give the same bytes.
        plane: one of ``PLANES``, or None to draw one as frequent as among real images of the class.
        contrast: one of ``CONTRASTS``, or None: "T1c" for tumours, any for "notumor".
        size: side of the square image in pixels, 64 to 512; the picture does not depend on it.
        lesion: False draws the same picture without the tumour (label "notumor", empty mask).

    Returns:
        The phantom, see :class:`Phantom`.

    Raises:
        ValueError: an argument is not legal.
    """
    _require("label", label, LABELS)
    _require_integer("seed", seed, 0, None)
    if plane is not None:
        _require("plane", plane, PLANES)
    if contrast is not None:
        _require("contrast", contrast, CONTRASTS)
    _require_integer("size", size, *SIZES)
    streams = [np.random.default_rng([int(seed), LABELS.index(label), k]) for k in range(5)]
    choice, head, tumour, texture, noise = streams
    drawn_plane = str(choice.choice(PLANES, p=PLANE_SHARES[label]))
    drawn_contrast = (
        str(choice.choice(CONTRASTS, p=NOTUMOR_CONTRASTS)) if label == "notumor" else "T1c"
    )
    plane, contrast = plane or drawn_plane, contrast or drawn_contrast
    image, mask, scene_pixel = _render(
        label, plane, contrast, int(size), lesion, head, tumour, texture
    )
    shown = _acquire(image, scene_pixel, _scanner(noise, label, contrast), noise)
    return Phantom(shown, mask, label if lesion else "notumor", plane, contrast, int(seed))


def _render(
    label: str,
    plane: str,
    contrast: str,
    size: int,
    lesion: bool,
    head: np.random.Generator,
    tumour: np.random.Generator,
    texture: np.random.Generator,
) -> tuple[Field, NDArray[np.bool_], float]:
    """Noise-free signal, lesion mask and millimetres a pixel."""
    cut = _cut(head, label, plane)
    person = draw_person(head)
    tone = _tones(head, contrast)
    uv = cut.uv(size)
    xyz, fold = cut.points(uv)
    pixel = cut.fov[1] / size
    fold = widen_ventricles(fold, person.ventricles)
    canvas = Canvas(xyz, pixel, np.zeros((size, size), np.float32))
    tumour_here = None
    if lesion and label != "notumor":
        look = cut.uv(LOOK)
        look_xyz, _ = cut.points(look)
        tumour_here = draw_lesion(tumour, label, plane, look, look_xyz, dura_distance(look_xyz))
        moved = mass_effect(tumour_here, uv, dura_distance(xyz))
        fold = fold + np.tensordot(cut.axes.astype(np.float32).T, moved, 1)
    dura = paint_head(canvas, tone, fold, person, texture)
    if tumour_here is None:
        return canvas.image, np.zeros((size, size), bool), pixel
    return canvas.image, paint_lesion(canvas, tumour_here, contrast, uv, dura, tumour), pixel


def write_phantoms(
    out: Path, count: int, seed: int, size: int = 224, label: str | None = None
) -> list[dict[str, object]]:
    """Write phantoms as PNGs in class folders, masks and ``manifest.json``; returns its samples."""
    rows: list[dict[str, object]] = []
    for k in range(count):
        kind = label or LABELS[k % len(LABELS)]
        phantom = make_phantom(kind, seed + k, size=size)
        name = f"phantom-{kind}-{seed + k:07d}.png"
        for folder, pixels in (
            (kind, phantom.image),
            (f"masks/{kind}", phantom.mask.astype(np.uint8) * 255),
        ):
            (out / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(out / folder / name)
        rows.append(
            {
                "file": f"{kind}/{name}",
                "mask": f"masks/{kind}/{name}",
                "true_label": kind,
                "plane": phantom.plane,
                "contrast": phantom.contrast,
                "seed": phantom.seed,
            }
        )
    out.mkdir(parents=True, exist_ok=True)
    manifest = {"origin": "synthetic", "seed": seed, "size": size, "samples": rows}
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return rows


def main(argv: list[str] | None = None) -> None:
    """Command line, see the module's docstring."""
    parser = argparse.ArgumentParser(
        prog="python -m data.phantoms", description="Write synthetic brain MR images."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--label", choices=LABELS)
    arguments = parser.parse_args(argv)
    rows = write_phantoms(
        arguments.out, arguments.count, arguments.seed, arguments.size, arguments.label
    )
    print(f"{len(rows)} phantoms in {arguments.out}")


if __name__ == "__main__":
    main()
