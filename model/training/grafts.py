"""Tumors of one collection in healthy heads of another, and healthy tissue in the same way.

What is grafted keeps its own contrast to its surroundings and takes over the tones of the head.
A patch of the head's own tissue, blended alike, is the control: the seam tells nothing.

Data contract: images uint8 (224, 224); masks bool (224, 224).
Source of the blending: Perez, Gangnet and Blake 2003, "Poisson image editing", as implemented by
OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SIZE
from model.training.counterfactuals import dilate, head_mask
from model.training.style import brain_mask

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SMALLEST = 60  # pixels of a grafted region: what is smaller cannot be seen for certain
_VISIBLE = 12.0  # grey levels by which a grafted tumor changes the head on average
_SIZE = (IMAGE_SIZE, IMAGE_SIZE)


def graft(
    source: Image, region: Mask, head_image: Image, rng: np.random.Generator
) -> tuple[Image, Mask] | None:
    """Blends the tumor of one image into the brain of another.

    Args:
        source: uint8 (224, 224), the image with the tumor.
        region: bool (224, 224), the tumor.
        head_image: uint8 (224, 224), the healthy head.
        rng: Decides place, size, turn and tones.

    Returns:
        The head with the tumor in it, and the tumor there; None where there is no place for it, or
        it could not be seen there.
    """
    moved = _moved(source, region, head_image, rng)
    if moved is None:
        return None
    patch, place = moved
    blended = _blended(patch, place, head_image, rng)
    change = np.abs(blended[place].astype(np.float32) - head_image[place])
    return (blended, place) if change.mean() >= _VISIBLE else None


def graft_control(region: Mask, head_image: Image, rng: np.random.Generator) -> Image | None:
    """Blends healthy tissue of a head into its own neighbourhood, as `graft` does with a tumor.

    Args:
        region: bool (224, 224), the shape of a tumor.
        head_image, rng: As `graft`.

    Returns:
        uint8 (224, 224), or None where there is no place for it.
    """
    moved = _moved(head_image, region, head_image, rng)
    if moved is None:
        return None
    shift = rng.integers(4, 13, 2) * rng.choice([-1, 1], 2)
    return _blended(np.roll(head_image, shift, axis=(0, 1)), moved[1], head_image, rng)


def _blended(patch: Image, place: Mask, head_image: Image, rng: np.random.Generator) -> Image:
    wide = dilate(place, int(rng.integers(2, 5)))
    if rng.random() < 0.5:
        return _cloned(patch, wide, head_image)
    return _matched(patch, wide, head_image, rng)


def _moved(
    source: Image, region: Mask, head_image: Image, rng: np.random.Generator
) -> tuple[Image, Mask] | None:
    """The source turned, resized and shifted so that its region lies in the brain."""
    brain = brain_mask(head_image, head_mask(head_image))
    rows, columns = np.nonzero(region)
    if brain is None or not len(rows):
        return None
    places = np.argwhere(brain)
    angle, scale = float(rng.uniform(0, 360)), float(np.exp(rng.uniform(np.log(0.7), np.log(1.4))))
    middle = (float(columns.mean()), float(rows.mean()))
    matrix = cv2.getRotationMatrix2D(middle, angle, scale)
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, 2 * middle[0]], [0, 1, 0], [0, 0, 1]])
    for row, column in places[rng.integers(len(places), size=8)]:
        shifted = matrix.copy()
        shifted[:, 2] += (column - middle[0], row - middle[1])
        there = cv2.warpAffine(region.astype(np.uint8), shifted, _SIZE) > 0
        inside = there & brain
        if inside.sum() >= max(_SMALLEST, 0.85 * there.sum()):
            patch = cv2.warpAffine(source, shifted, _SIZE, borderMode=cv2.BORDER_REFLECT)
            return np.asarray(patch, np.uint8), inside
    return None


def _cloned(patch: Image, wide: Mask, head_image: Image) -> Image:
    """Poisson blending: the patch's gradients on the tones of the head."""
    rows, columns = np.nonzero(wide[1:-1, 1:-1])
    centre = (int(columns.min() + columns.max() + 3) // 2, int(rows.min() + rows.max() + 3) // 2)
    inner = np.zeros(wide.shape, np.uint8)
    inner[1:-1, 1:-1] = wide[1:-1, 1:-1].astype(np.uint8) * 255
    source, there = (cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) for image in (patch, head_image))
    blended = cv2.seamlessClone(source, there, inner, centre, cv2.NORMAL_CLONE)
    return np.ascontiguousarray(blended[:, :, 0])


def _matched(patch: Image, wide: Mask, head_image: Image, rng: np.random.Generator) -> Image:
    """The patch's difference from its own surroundings on top of the head's, softly rimmed."""
    ring = dilate(wide, 4) & ~wide
    if not ring.any():
        ring = ~wide
    soft = cv2.GaussianBlur(wide.astype(np.float32), (0, 0), float(rng.uniform(1.0, 2.5)))
    contrast = patch.astype(np.float32) - float(np.median(patch[ring]))
    gain = float(rng.uniform(0.7, 1.4)) * (1.0 if rng.random() < 0.9 else -1.0)
    below = cv2.GaussianBlur(head_image, (0, 0), 4.0).astype(np.float32)
    there = head_image.astype(np.float32)
    mixed = there + soft * (below + gain * contrast - there)
    return np.clip(mixed, 0, 255).astype(np.uint8)
