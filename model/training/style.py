"""The look of an image changed at random, alike for every class: framing, tones, skull.

In every collection the style gives the class away in part. So each draw gets another style, drawn
without a look at its class: the network is left with what no style has, the tumor.
(Domain randomisation, Tobin et al. 2017; for MRI contrasts Billot et al. 2023, "SynthSeg".)

Data contract: images and masks uint8 (224, 224); masks are 255 inside the tumor.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SIZE, AugmentationConfig
from model.training.counterfactuals import head_mask

Image = NDArray[np.uint8]

_SIZE = (IMAGE_SIZE, IMAGE_SIZE)
_KEPT = 0.7  # share of a tumor that stripping must leave
_BRAIN = (0.3, 0.9)  # of the head's area: what passes for a brain
_LEVELS = np.arange(256, dtype=np.float32) / 255.0


def restyle(
    image: Image, mask: Image | None, config: AugmentationConfig, rng: np.random.Generator
) -> tuple[Image, Image | None]:
    """Another style of an image, and the mask that moves with it.

    Args:
        image: uint8 (224, 224).
        mask: uint8 (224, 224), 255 inside the tumor, or None where it is not known.
        config: Shares of the changes.
        rng: Decides which, and how.
    """
    head = None
    if rng.random() < config.recolor and mask is not None and mask.any():
        image = _recolored(image, mask, rng)
    if rng.random() < config.strip:
        head = head_mask(image)
        image, head = _stripped(image, mask, head, rng)
    if rng.random() < config.curve:
        image = np.asarray(cv2.LUT(image, _tone_curve(rng)), np.uint8)
    if rng.random() < config.frame:
        head = head_mask(image) if head is None else head
        image, mask = _framed(image, mask, head, rng)
    image = _rescaled(image)
    if rng.random() < config.background:
        image = _lifted(image, rng)
    if rng.random() < config.marks:
        image = _marked(image, rng)
    if rng.random() < config.turn:
        turns, flip = int(rng.integers(4)), rng.random() < 0.5
        image = _turned(image, turns, flip=flip)
        mask = None if mask is None else _turned(mask, turns, flip=flip)
    return image, mask


def _recolored(image: Image, mask: Image, rng: np.random.Generator) -> Image:
    """The tumor brighter or darker than it was, with a soft rim."""
    soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(1.0, 4.0))).astype(np.float32) / 255.0
    change = float(rng.uniform(15.0, 90.0)) * (1.0 if rng.random() < 0.65 else -1.0)
    changed = image.astype(np.float32) + change * soft
    return np.clip(changed, 0, 255).astype(np.uint8)


def _tone_curve(rng: np.random.Generator) -> Image:
    """A table of 256 tones: another window, or the tones of another contrast.

    Black stays black. Most of the curves rise; in the others tissues change places, as between
    T1 and T2.
    """
    knots = np.linspace(0.0, 1.0, 6)
    if rng.random() < 0.7:
        steps = rng.uniform(0.25, 1.75, 5)
        values = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
    else:
        values = np.concatenate([[0.0], rng.uniform(0.15, 1.0, 5)])
    curve = np.interp(_LEVELS, knots, values)
    return np.asarray(np.rint(curve * 255.0), dtype=np.uint8)


def brain_mask(image: Image, head: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """A rough mask of the brain, or None where none can be told from the skull.

    The dark skull parts the brain from the scalp: the largest bright piece that is left when the
    head is thinned, if its size is a brain's.

    Args:
        image: uint8 (224, 224).
        head: bool (224, 224), from `head_mask`.
    """
    area = int(head.sum())
    if area < 0.1 * image.size:
        return None
    level = 0.45 * float(np.median(image[head]))
    bright = ((image > level) & head).astype(np.uint8)
    width = max(3, round(0.06 * math.sqrt(area)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    count, pieces, sizes, _ = cv2.connectedComponentsWithStats(cv2.erode(bright, disc))
    if count < 2:
        return None
    largest = 1 + int(np.argmax(sizes[1:, cv2.CC_STAT_AREA]))
    piece = cv2.dilate((pieces == largest).astype(np.uint8), disc)
    contours, _ = cv2.findContours(
        cv2.morphologyEx(piece, cv2.MORPH_CLOSE, disc), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = np.zeros(image.shape, np.uint8)
    cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    brain = (filled > 0) & head
    return brain if _BRAIN[0] * area <= int(brain.sum()) <= _BRAIN[1] * area else None


def _stripped(
    image: Image, mask: Image | None, head: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Image, NDArray[np.bool_]]:
    """The image without skull and scalp, and what is left; unchanged where that takes a tumor."""
    brain = brain_mask(image, head)
    if brain is None:
        side = 2 * round(float(rng.uniform(0.05, 0.10)) * math.sqrt(float(head.sum()))) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        brain = cv2.erode(head.astype(np.uint8), disc) > 0
    if not brain.any():
        return image, head
    if mask is not None and mask.any() and (mask[brain] > 0).sum() < _KEPT * (mask > 0).sum():
        return image, head
    smooth = cv2.GaussianBlur(brain.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.5)))
    return (image * smooth).astype(np.uint8), brain


def _framed(
    image: Image, mask: Image | None, head: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Image, Image | None]:
    """The head in another frame: cut tightly, with margins, wider or narrower than it was."""
    rows, columns = np.flatnonzero(head.any(axis=1)), np.flatnonzero(head.any(axis=0))
    if len(rows) < 20 or len(columns) < 20:
        return image, mask
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
    if rng.random() < 0.5:  # the head's own proportions, else stretched to the square
        half = np.full(2, half.max()) * np.exp(rng.normal(0.0, 0.06, 2))
    half = half * (
        1.0 + float(rng.uniform(-0.04, 0.10) if rng.random() < 0.6 else rng.uniform(0.1, 0.6))
    )
    middle = middle + rng.normal(0.0, 0.03, 2) * half
    scale = half * 2 / IMAGE_SIZE
    matrix = np.array(
        [[scale[0], 0, middle[0] - half[0]], [0, scale[1], middle[1] - half[1]]], dtype=np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(image, matrix, _SIZE, flags=flags)
    return np.asarray(moved, np.uint8), (
        None
        if mask is None
        else np.asarray(cv2.warpAffine(mask, matrix, _SIZE, flags=flags), np.uint8)
    )


def _rescaled(image: Image) -> Image:
    """The intensities as `model.preprocessing` leaves them: 0.5th to 99.5th percentile."""
    counts = np.cumsum(np.bincount(image.ravel(), minlength=256))
    low, high = np.searchsorted(counts, (0.005 * counts[-1], 0.995 * counts[-1]))
    if high <= low or (low == 0 and high == 255):
        return image
    table = np.clip((np.arange(256) - float(low)) / float(high - low), 0.0, 1.0)
    return np.asarray(cv2.LUT(image, np.rint(table * 255.0).astype(np.uint8)), np.uint8)


def _lifted(image: Image, rng: np.random.Generator) -> Image:
    """Air that is grey instead of black, in the whole picture or in a frame around it."""
    if rng.random() < 0.7:
        floor = float(rng.uniform(5.0, 60.0))
        return np.asarray(floor + image * ((255.0 - floor) / 255.0), np.uint8)
    inside = np.zeros(image.shape, np.bool_)
    top, bottom, left, right = rng.integers(0, 18, 4) * (rng.random(4) < 0.6)
    inside[top : IMAGE_SIZE - bottom, left : IMAGE_SIZE - right] = True
    return np.where(inside, image, np.uint8(rng.choice([20, 60, 128, 255])))


def _marked(image: Image, rng: np.random.Generator) -> Image:
    """Letters and strokes near the rim, as viewers print them."""
    marked = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(list("RLAPHFS0123456789.:"), int(rng.integers(1, 9))))
        along, across = int(rng.integers(2, 200)), int(rng.integers(10, 22))
        place = (along, across if rng.random() < 0.5 else IMAGE_SIZE - across)
        if rng.random() < 0.4:
            place = (2 if rng.random() < 0.5 else IMAGE_SIZE - 24, along)
        cv2.putText(
            marked, text, place, cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.25, 0.55)),
            (int(rng.integers(120, 256)),), 1, cv2.LINE_AA,
        )  # fmt: skip
    return marked


def _turned(image: Image, turns: int, *, flip: bool) -> Image:
    turned = np.rot90(image, turns)
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned)
