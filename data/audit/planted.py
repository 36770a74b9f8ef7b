"""Copies made on purpose, to measure how many of them the search finds and what it finds besides.

Data contract: images are uint8 (n, 224, 224, 1).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.audit.copies import MIRRORED, find_copies

Picture = NDArray[np.uint8]  # (224, 224)


def recompressed(picture: Picture, quality: int) -> Picture:
    """Through a JPEG file of that quality."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(picture: Picture, side: int) -> Picture:
    """To `side` pixels and back."""
    there = Image.fromarray(picture).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(there.resize(picture.shape[::-1], Image.Resampling.BICUBIC))


def rescaled(picture: Picture, contrast: float, brightness: float, gamma: float = 1.0) -> Picture:
    """Values to the power `gamma`, then times `contrast`, plus `brightness` of 255; clipped."""
    changed = contrast * (picture / 255.0) ** gamma + brightness
    return np.rint(np.clip(changed, 0, 1) * 255).astype(np.uint8)


def shifted(picture: Picture, down: int, right: int) -> Picture:
    """Moved by whole pixels; the border is repeated."""
    height, width = picture.shape
    padded = np.pad(picture, 2, mode="edge")
    return padded[2 - down : 2 - down + height, 2 - right : 2 - right + width]


def mirrored(picture: Picture) -> Picture:
    """Left-right mirror image."""
    return picture[:, ::-1]


def _chain(*steps: Callable[[Picture], Picture]) -> Callable[[Picture], Picture]:
    def apply(picture: Picture) -> Picture:
        for step in steps:
            picture = step(np.ascontiguousarray(picture))
        return picture

    return apply


_BRIGHT = partial(rescaled, contrast=0.75, brightness=0.2)
KINDS: dict[str, Callable[[Picture], Picture]] = {
    "JPEG 90": partial(recompressed, quality=90),
    "JPEG 60": partial(recompressed, quality=60),
    "JPEG 30": partial(recompressed, quality=30),
    "112 pixels and back": partial(resized, side=112),
    "160 pixels and back": partial(resized, side=160),
    "448 pixels and back": partial(resized, side=448),
    "brighter": _BRIGHT,
    "contrast 1.3, clipped": partial(rescaled, contrast=1.3, brightness=0.0),
    "gamma 0.7": partial(rescaled, contrast=1.0, brightness=0.0, gamma=0.7),
    "gamma 1.4": partial(rescaled, contrast=1.0, brightness=0.0, gamma=1.4),
    "shifted by a pixel": partial(shifted, down=0, right=1),
    "shifted by a pixel both ways": partial(shifted, down=1, right=-1),
    "mirrored": mirrored,
    "mirrored, JPEG 60": _chain(mirrored, partial(recompressed, quality=60)),
    "mirrored, brighter": _chain(mirrored, _BRIGHT),
    "mirrored, shifted by a pixel": _chain(mirrored, partial(shifted, down=1, right=0)),
    "mirrored, 160 pixels, gamma 0.7, JPEG 60": _chain(
        mirrored, partial(resized, side=160),
        partial(rescaled, contrast=1.0, brightness=0.0, gamma=0.7),
        partial(recompressed, quality=60),
    ),
}  # fmt: skip
"""What is done to an image, by name; names that begin with "mirrored" are mirrored copies."""


def measure(
    images: NDArray[np.uint8], labels: NDArray[np.int64], classes: tuple[str, ...],
    *, per_class: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Plants copies of some images and searches for them among all.

    Args:
        images: uint8 (n, 224, 224, 1), no two of them copies of each other: then every other
            match of a planted copy is a false one.
        labels: int64 (n,), indices into `classes`.
        classes: Names of the classes.
        per_class: How many images of each class to copy (all, where there are fewer).
        seed: Seed of the choice.

    Returns:
        JSON-ready: `originals`, `searched` (counts) and `kinds`: kind -> class or "all" ->
        `planted`, `found` (with the right transform), `recall`, `false` (other matches),
        `precision` (null where nothing was found).
    """
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(labels == c))[:per_class] for c in range(len(classes))]
    )
    kinds: dict[str, Any] = {}
    for kind, change in KINDS.items():
        copies = np.stack([change(images[row, :, :, 0]) for row in rows])[..., np.newaxis]
        pairs = find_copies(copies, images)
        meant = (pairs.right == rows[pairs.left]) & (
            pairs.transform == (MIRRORED if kind.startswith("mirrored") else 0)
        )
        of_class = labels[rows][pairs.left]
        kinds[kind] = {
            name: _figures(
                int((labels[rows] == c).sum()), int((meant & (of_class == c)).sum()),
                int((~meant & (of_class == c)).sum()),
            )
            for c, name in enumerate(classes)
        }  # fmt: skip
        kinds[kind]["all"] = _figures(len(rows), int(meant.sum()), int((~meant).sum()))
    return {"originals": len(rows), "searched": len(images), "kinds": kinds}


def _figures(planted: int, found: int, false: int) -> dict[str, Any]:
    return {
        "planted": planted,
        "found": found,
        "recall": found / planted if planted else None,
        "false": false,
        "precision": found / (found + false) if found + false else None,
    }
