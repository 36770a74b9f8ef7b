"""Synthetic brain MR images with exact tumour masks: glioma, meningioma, notumor, pituitary.

    phantom = make_phantom("glioma", seed=3)
    phantom.image   # (224, 224) uint8
    phantom.mask    # (224, 224) bool, the tumour without its oedema
    phantom.head    # (224, 224) bool, the head with its cavities

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
from threadpoolctl import threadpool_limits

from data.phantoms.acquisition import PLANES, Slice, acquire, cut_head, draw_scanner
from data.phantoms.anatomy import TONES, paint_head, widen_ventricles
from data.phantoms.atlas import dura_distance
from data.phantoms.canvas import Canvas, Field
from data.phantoms.lesions import draw_lesion, mass_effect, paint_lesion
from data.phantoms.person import draw_person
from data.phantoms.variety import draw_holes, paint_holes, strip

LABELS = ("glioma", "meningioma", "notumor", "pituitary")
CONTRASTS = ("T1c", "T1", "T2", "FLAIR", "PD")
SIZES = (64, 512)
LOOK = 64  # samples a side of the coarse look used to place a lesion

# the same for every class, or style would tell the class
PLANE_SHARES = (0.5, 0.25, 0.25)
CONTRAST_SHARES = (0.34, 0.17, 0.2, 0.2, 0.09)
STRIPPED_SHARE = 0.2
HEAD_SIGNAL = 0.005  # without noise; air gives none, and the darkest tissue 0.012


def one_thread() -> threadpool_limits:
    """Keeps BLAS to one thread: in a `with` block, or for good where a process begins with it.

    The matrices of a phantom are small. Several threads take longer for them than one, and several
    times as long where another process wants the cores.
    """
    return threadpool_limits(1, user_api="blas")


@dataclass(frozen=True)
class Phantom:
    """One synthetic slice.

    Attributes:
        image: (size, size) uint8, air near 0.
        mask: (size, size) bool, the lesion without its oedema; all False for "notumor".
        label: "glioma", "meningioma", "notumor" or "pituitary".
        plane: "axial", "coronal" or "sagittal".
        contrast: "T1c" (with contrast agent), "T1", "T2", "FLAIR" or "PD" (proton density).
        seed: the seed it was made from.
        head: (size, size) bool, whatever gives signal, and the cavities it encloses.
        stripped: whether all but the brain was cut away, as tools for research do.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    label: str
    plane: str
    contrast: str
    seed: int
    head: NDArray[np.bool_]
    stripped: bool


def _tones(rng: np.random.Generator, contrast: str) -> dict[str, float]:
    """The sequence's signals, varied by a few percent each."""
    return {
        name: value * float(np.exp(rng.normal(0.0, 0.06)))
        for name, value in TONES[contrast].items()
    }


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
        label: class to draw, one of ``LABELS``; it sets nothing but the tumour and where heads are
            cut to show one. Plane, contrast, framing and scanner are drawn alike for all.
        seed: any integer >= 0; the same arguments give the same bytes.
        plane: one of ``PLANES``, or None to draw one.
        contrast: one of ``CONTRASTS``, or None to draw one.
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
    drawn_plane = str(choice.choice(PLANES, p=PLANE_SHARES))
    drawn_contrast = str(choice.choice(CONTRASTS, p=CONTRAST_SHARES))
    stripped = bool(choice.random() < STRIPPED_SHARE)
    plane, contrast = plane or drawn_plane, contrast or drawn_contrast
    cut = cut_head(head, label, plane, stripped)
    kind = label if lesion else "notumor"
    image, mask = _render(kind, cut, contrast, int(size), stripped, head, tumour, texture)
    inside = np.asarray(ndimage.binary_fill_holes(image > HEAD_SIGNAL), dtype=np.bool_)
    shown = acquire(image, cut.fov[1] / size, draw_scanner(noise, contrast), noise)
    return Phantom(shown, mask, kind, plane, contrast, int(seed), inside, stripped)


def _render(
    kind: str,
    cut: Slice,
    contrast: str,
    size: int,
    stripped: bool,
    head: np.random.Generator,
    tumour: np.random.Generator,
    texture: np.random.Generator,
) -> tuple[Field, NDArray[np.bool_]]:
    """Noise-free signal and lesion mask."""
    person = draw_person(head)
    tone = _tones(head, contrast)
    uv, look = cut.uv(size), cut.uv(LOOK)
    xyz, fold = cut.points(uv)
    look_xyz, _ = cut.points(look)
    look_dura, dura = dura_distance(look_xyz), dura_distance(xyz)
    fold = widen_ventricles(fold, person.ventricles)
    holes = draw_holes(head, look, look_dura)
    canvas = Canvas(xyz, cut.fov[1] / size, np.zeros((size, size), np.float32))
    lesion = None
    if kind != "notumor":
        lesion = draw_lesion(tumour, kind, cut.plane, look, look_xyz, look_dura)
        moved = mass_effect(lesion, uv, dura)
        fold = fold + np.tensordot(cut.axes.astype(np.float32).T, moved, 1)
    paint_head(canvas, tone, fold, dura, person, texture, stripped)
    paint_holes(canvas, holes, tone, uv, dura, texture)
    edge = None if lesion is None else paint_lesion(canvas, lesion, contrast, uv, dura, tumour)
    if stripped:
        strip(canvas, dura, edge, texture)
    return canvas.image, np.zeros((size, size), bool) if edge is None else np.asarray(edge < 0.0)


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
