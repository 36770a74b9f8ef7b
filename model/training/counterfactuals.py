"""Images without their tumour, and controls that lose a patch elsewhere instead.

A network that looks at tumours answers "notumor" once the tumour is painted out, and keeps its
answer when a patch of the same shape is painted out where no tumour is. OpenCV and NumPy only;
the same arguments give the same bytes.

Data contract: images uint8 (height, width) or (height, width, 1); masks bool (height, width).
Source of the painting: Telea 2004, "An image inpainting technique based on the fast marching
method", as implemented by OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

INPAINT_RADIUS = 3
MARGIN = 3
"""Pixels by which a mask is dilated before painting: outlines run along the rim's middle."""

OUTSIDE_SHARE = 0.02
"""Share of a control patch that may lie outside the head."""

_SCALP = 9  # pixels kept between the head's rim and a patch that was placed by lot

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def paint_out(image: Image, mask: Mask, *, margin: int = MARGIN) -> Image:
    """Fills a region from its surroundings.

    Args:
        image: uint8 (height, width) or (height, width, 1).
        mask: bool (height, width), the region.
        margin: Pixels by which the region is dilated; training varies it, so that the width
            of the painted rim tells nothing.

    Returns:
        uint8, the shape of `image`; equal to it outside the dilated region.

    Raises:
        ValueError: `image` or `mask` has another dtype or shape, or everything is masked.
    """
    _check(image, mask)
    region = dilate(mask, margin)
    if region.all():
        raise ValueError("`mask` must leave pixels to paint from. Received: a mask of everything")
    flat = np.ascontiguousarray(image.reshape(mask.shape))
    painted = cv2.inpaint(flat, region.astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(painted, dtype=np.uint8).reshape(image.shape)


def control_patch(image: Image, mask: Mask, *, seed: int = 0, margin: int = MARGIN) -> Image | None:
    """Paints out a patch of the tumour's shape where no tumour is.

    Args:
        image, mask: As `paint_out`.
        seed: Decides the place where the mirrored one will not do; see `control_mask`.
        margin: As `paint_out`.

    Returns:
        uint8, the shape of `image`, or None where no place was found.

    Raises:
        ValueError: As `paint_out`.
    """
    place = control_mask(image, mask, seed=seed)
    return None if place is None else paint_out(image, place, margin=margin)


def control_mask(image: Image, mask: Mask, *, seed: int = 0) -> Mask | None:
    """Where `control_patch` paints.

    The first choice is the mirror image of the tumour about the head's own midline. It will not
    do where what is painted would touch what is painted of the tumour (tumours at the midline,
    such as pituitary ones) or would leave the head; then the place is drawn by lot among the
    shifts of the mask that stay away from the tumour and from the scalp, the nearest quarter of
    them, so that it stays among like tissue. Very large tumours may have none. On sagittal
    slices the mirrored place is no anatomical counterpart, but inside the head as well.

    Args:
        image, mask: As `paint_out`.
        seed: Seed of the lot.

    Returns:
        bool (height, width); None for an empty mask or where no place is left.

    Raises:
        ValueError: As `paint_out`.
    """
    _check(image, mask)
    if not mask.any():
        return None
    head, tumour = head_mask(image), dilate(mask)
    mirrored = _mirrored(mask, midline(head))
    if mirrored is not None:
        painted = dilate(mirrored)
        outside = (painted & ~head).sum() / painted.sum()
        if not (painted & tumour).any() and outside <= OUTSIDE_SHARE:
            return mirrored
    return _placed_by_lot(mask, tumour, head, seed)


def head_mask(image: Image) -> Mask:
    """The head: the largest region brighter than air, its holes filled.

    By OpenCV, at full size; `model.inference.head_mask` serves where OpenCV is not installed.

    Args:
        image: As `paint_out`.

    Returns:
        bool (height, width); all False for a flat image.
    """
    flat = np.ascontiguousarray(image.reshape(image.shape[:2]))
    smooth = cv2.GaussianBlur(flat, (5, 5), 0)
    otsu, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    # Half of Otsu's level: the level itself cuts through dark brain tissue.
    bright = (smooth > otsu / 2).astype(np.uint8)
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(flat.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(bool)


def midline(head: Mask) -> float:
    """Column of a head's left-right midline: the median over rows of the row's middle.

    Args:
        head: bool (height, width), from `head_mask`.

    Returns:
        Column, counted in pixel centres; the image's own middle without a head.
    """
    rows = head[head.any(axis=1)]  # (rows with head, width)
    if not len(rows):
        return float(head.shape[1] - 1) / 2
    first = rows.argmax(axis=1)
    last = rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    return float(np.median((first + last) / 2))


def dilate(mask: Mask, pixels: int = MARGIN) -> Mask:
    """Grows a mask by a disc of `pixels` radius: bool (height, width)."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc)).astype(bool)


def _mirrored(mask: Mask, column: float) -> Mask | None:
    """The mask reflected about a column; None where it would leave the image."""
    rows, columns = np.nonzero(mask)
    reflected = np.rint(2 * column - columns).astype(np.int64)
    if reflected.min() < 0 or reflected.max() >= mask.shape[1]:
        return None
    moved = np.zeros_like(mask)
    moved[rows, reflected] = True
    return moved


def _placed_by_lot(mask: Mask, tumour: Mask, head: Mask, seed: int) -> Mask | None:
    """The mask shifted to a random place inside the head, clear of the tumour."""
    rows, columns = np.nonzero(tumour)
    box = tumour[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    # The frame of zeros lets erosion keep patches off the image's rim too.
    padded = np.pad(head, 1).astype(np.uint8)
    inside = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=_SCALP)[1:-1, 1:-1]
    forbidden = (inside == 0) | tumour
    touched = cv2.matchTemplate(
        forbidden.astype(np.float32), box.astype(np.float32), cv2.TM_CCORR
    )  # number of forbidden pixels under the box at each place
    places = np.argwhere(touched < 0.5)
    if not len(places):
        return None
    origin = np.array([rows.min(), columns.min()])
    nearest = np.argsort(((places - origin) ** 2).sum(axis=1), kind="stable")
    nearest = nearest[: max(1, len(nearest) // 4)]
    shift = places[nearest[np.random.default_rng(seed).integers(len(nearest))]] - origin
    moved = np.zeros_like(mask)
    moved[tuple((np.argwhere(mask) + shift).T)] = True
    return moved


def _check(image: Image, mask: Mask) -> None:
    if image.dtype != np.uint8 or image.shape not in (mask.shape, (*mask.shape, 1)):
        raise ValueError(
            "`image` must be uint8 of the mask's shape, or with one channel more. "
            f"Received: {image.dtype} {image.shape} with a mask of {mask.shape}"
        )
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(
            f"`mask` must be bool (height, width). Received: {mask.dtype} {mask.shape}"
        )
