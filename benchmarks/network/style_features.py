"""What an image's style is made of, without any spatial detail of the brain, as numbers.

Five families: `histogram` (all pixels, and those of the head), `framing` (the head's box, margins
and area), `background` (the level of the air), `plane` (the silhouette's symmetry and shape) and
`noise` (spectrum, sharpness, blocks of compression). A sixth, `shell`, is the mean brightness of
rings below the head's rim: scalp, skull and what is left of them.

Data contract: images uint8 (224, 224).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SIZE
from model.training.counterfactuals import head_mask

Image = NDArray[np.uint8]
_QUANTILES = (2, 10, 25, 50, 75, 90, 98)
_SHELLS = ((0, 3), (3, 6), (6, 10), (10, 15), (15, 22))  # pixels below the head's rim
_BANDS = np.geomspace(2, IMAGE_SIZE / 2, 13)  # cycles an image, edges of the bands


def features(image: Image) -> dict[str, float]:
    """The style of an image: "family/name" to number."""
    head = head_mask(image)
    if head.sum() < 100:
        head = np.ones_like(head)
    values = image.astype(np.float32) / 255.0
    rows, columns = np.flatnonzero(head.any(axis=1)), np.flatnonzero(head.any(axis=0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    families = {
        "histogram": _histogram(image, values[head]),
        "framing": _framing(head, rows, columns),
        "background": _background(image, values, head),
        "plane": _plane(values, head, box),
        "shell": _shells(values, head),
        "noise": _noise(values, head),
    }
    return {
        f"{family}/{name}": float(value)
        for family, found in families.items()
        for name, value in found.items()
    }


def table(images: Iterable[Image]) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The style of images, float32 (n, features), and the features' names."""
    found = [features(image) for image in images]
    names = tuple(found[0])
    return np.array([[row[name] for name in names] for row in found], np.float32), names


def _histogram(image: Image, inside: NDArray[np.float32]) -> dict[str, float]:
    counts = np.bincount(image.ravel() >> 4, minlength=16) / image.size
    found = {f"{place:02d}": count for place, count in enumerate(counts)}
    levels = np.percentile(inside, _QUANTILES)
    found |= {f"head_q{q:02d}": level for q, level in zip(_QUANTILES, levels, strict=True)}
    spread = inside.std() + 1e-6
    scaled = (inside - inside.mean()) / spread
    return found | {
        "head_mean": inside.mean(),
        "head_spread": spread,
        "skewness": (scaled**3).mean(),
        "kurtosis": (scaled**4).mean(),
        "levels": len(np.unique(image)),
        "saturated": (image == 255).mean(),
    }


def _framing(
    head: NDArray[np.bool_], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> dict[str, float]:
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    sides = sorted((int(columns[0]), IMAGE_SIZE - 1 - int(columns[-1])))
    rim = np.concatenate([head[0], head[-1], head[:, 0], head[:, -1]])
    return {
        "top": rows[0],
        "bottom": IMAGE_SIZE - 1 - rows[-1],
        "narrower_side": sides[0],
        "wider_side": sides[1],
        "height": height,
        "width": width,
        "aspect": height / width,
        "area": head.mean(),
        "fill": head.sum() / (height * width),
        "touching_the_rim": rim.mean(),
    }


def _background(
    image: Image, values: NDArray[np.float32], head: NDArray[np.bool_]
) -> dict[str, float]:
    sides = np.array([part.mean() for part in (values[0], values[-1], values[:, 0], values[:, -1])])
    air = values[cv2.dilate(head.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0]
    if len(air) < 50:
        air = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    corners = np.array([values[y, x].mean() for y in _ENDS for x in _ENDS])
    return {
        "median": np.median(air),
        "mean": air.mean(),
        "spread": air.std(),
        "q99": np.percentile(air, 99),
        "black": (air == 0).mean(),
        "share": len(air) / image.size,
        "lowest": np.percentile(values, 1),
        "zeros": (image == 0).mean(),
        "corners": corners.mean(),
        "darkest_corner": corners.min(),
        "brightest_corner": corners.max(),
        "sides": sides.mean(),
        "brightest_side": sides.max(),
    }


_ENDS = (slice(0, 12), slice(-12, None))


def _plane(
    values: NDArray[np.float32], head: NDArray[np.bool_], box: tuple[slice, slice]
) -> dict[str, float]:
    """Axial, coronal or sagittal: the silhouette's symmetry, widths and roundness."""
    crop: NDArray[Any] = cv2.resize(
        head[box].astype(np.float32), (64, 64), interpolation=cv2.INTER_AREA
    )
    tones = cv2.resize(values[box], (16, 16), interpolation=cv2.INTER_AREA)
    flips: dict[str, Any] = {
        "left_right": np.s_[:, ::-1],
        "up_down": np.s_[::-1],
        "turned": np.s_[::-1, ::-1],
    }
    found = {name: _overlap(crop, crop[flip]) for name, flip in flips.items()}
    for name in ("left_right", "up_down"):
        found[f"tones_{name}"] = (
            np.corrcoef(tones.ravel(), tones[flips[name]].ravel())[0, 1] if tones.std() > 0 else 0
        )
    across, down = crop.mean(axis=1), (crop.mean(axis=0) + crop.mean(axis=0)[::-1]) / 2
    found |= {f"row{k}": across[8 * k : 8 * k + 8].mean() for k in range(8)}
    found |= {f"column{k}": down[8 * k : 8 * k + 8].mean() for k in range(4)}
    moments = cv2.HuMoments(cv2.moments(head.astype(np.uint8), True)).ravel()
    found |= {f"moment{k}": np.log10(abs(moments[k]) + 1e-12) for k in range(3)}
    contours, _ = cv2.findContours(head.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(contour)
    found["solidity"] = area / max(cv2.contourArea(cv2.convexHull(contour)), 1.0)
    found["roundness"] = 4 * np.pi * area / max(cv2.arcLength(contour, True) ** 2, 1.0)
    return found


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.minimum(one, other).sum() / max(float(np.maximum(one, other).sum()), 1e-6))


def _shells(values: NDArray[np.float32], head: NDArray[np.bool_]) -> dict[str, float]:
    depth = cv2.distanceTransform(head.astype(np.uint8), cv2.DIST_L2, 3)
    found = {}
    for number, (least, most) in enumerate(_SHELLS):
        ring = (depth > least) & (depth <= most)
        found[str(number)] = float(values[ring].mean()) if ring.any() else 0.0
    return found


def _noise(values: NDArray[np.float32], head: NDArray[np.bool_]) -> dict[str, float]:
    found = _spectrum(values)
    fine = (values[::2, ::2] - values[1::2, ::2] - values[::2, 1::2] + values[1::2, 1::2]) / 2
    there = head[::2, ::2]
    for name, where in (("everywhere", there | True), ("head", there), ("air", ~there)):
        found[f"fine_{name}"] = float(np.median(np.abs(fine[where]))) if where.any() else 0.0
    across, down = np.abs(np.diff(values, axis=1)), np.abs(np.diff(values, axis=0))
    columns, rows = across.mean(axis=0), down.mean(axis=1)
    edges = columns[7::8].mean() + rows[7::8].mean()
    return found | {
        "laplacian": np.log(cv2.Laplacian(values, cv2.CV_32F)[head].var() + 1e-9),
        "blocks": edges / (columns.mean() + rows.mean() + 1e-6),
        "gradient": across[head[:, 1:]].mean(),
    }


def _spectrum(values: NDArray[np.float32]) -> dict[str, float]:
    """Shares of the energy by frequency, and across against down, as logarithms."""
    window = np.hanning(IMAGE_SIZE)
    tapered = (values - values.mean()) * np.outer(window, window)
    energy = np.abs(np.fft.fftshift(np.fft.fft2(tapered))) ** 2
    middle = IMAGE_SIZE // 2
    y, x = np.indices(energy.shape) - middle
    place = np.digitize(np.hypot(x, y), _BANDS)
    sums = np.bincount(place.ravel(), energy.ravel(), minlength=len(_BANDS) + 1)
    total = sums[1:].sum() + 1e-9
    found = {f"band{k:02d}": np.log(sums[k] / total + 1e-9) for k in range(1, len(_BANDS))}
    wide = energy[(np.abs(x) > middle / 2) & (np.abs(y) < middle / 4)].sum()
    high = energy[(np.abs(y) > middle / 2) & (np.abs(x) < middle / 4)].sum()
    found["across_against_down"] = np.log((wide + 1e-9) / (high + 1e-9))
    return found
