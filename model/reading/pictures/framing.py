"""Pictures that are not one head: several panels, a viewer's window, a photo of a screen.

The network is shown squares, into which a picture is stretched. Its training pictures are at most
1.4 times as long on one side as on the other; what is longer, or falls apart into two, would be
squeezed into a square with two narrow heads in it, and answered.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

_LONGEST = 1.5  # times the other side
_LONG = 1.15  # from which on a gap between two halves is looked for
_FOREGROUND = 0.1  # of the range of intensities
_GAP = 0.01  # of the longer side, empty from edge to edge
_MIDDLE = (0.35, 0.65)  # where the gap lies
_SHARE = 0.25  # of the foreground, at least, on either side


def doubt_of(pixels: NDArray[np.float32]) -> Literal["shape", "panels"] | None:
    """Why a picture does not look like one head; None where it may.

    Args:
        pixels: float32 (height, width), finite.
    """
    height, width = pixels.shape
    ratio = max(height, width) / min(height, width)
    if ratio > _LONGEST:
        return "shape"
    if ratio < _LONG:
        return None
    low, high = float(pixels.min()), float(pixels.max())
    shown = pixels > low + _FOREGROUND * (high - low)
    return "panels" if _falls_apart(shown.sum(axis=int(width < height))) else None


def _falls_apart(counts: NDArray[np.int64]) -> bool:
    """Whether the foreground, counted along the longer side, has a gap between two like parts."""
    total, length = int(counts.sum()), len(counts)
    first, last = (int(share * length) for share in _MIDDLE)
    wide = max(2, round(_GAP * length))
    empty = np.convolve(counts[first:last] == 0, np.ones(wide, int), "valid") == wide
    if total == 0 or not empty.any():
        return False
    before = int(counts[: first + int(np.argmax(empty))].sum())
    return min(before, total - before) >= _SHARE * total
