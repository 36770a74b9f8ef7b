"""Does the network use what a heat map points at? Deletion, insertion and rank correlation.

Deletion takes the hottest pixels away first and insertion brings them back first; the better the
map, the sooner the class's probability falls or rises (Petsiuk et al. 2018, RISE,
arXiv:1806.07421). What is taken away is replaced by the blurred picture, which has no edges of its
own; a grey patch could pass for a lesion.

Data contract: images uint8 (224, 224, 1); heat maps float32 (maps, 224, 224).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SIZE
from model.inference.evidence import heat_maps, smooth
from model.inference.last_layers import Array
from model.probes.shortcuts import Predict

STEPS = 8
BLUR = 20.0
"""Standard deviation in pixels of the blur that takes a lesion away."""

RANDOM_CELLS = "elu5"


def fractions(steps: int = STEPS) -> NDArray[np.float64]:
    """Shares of the picture to change, from 0 to 1: finer at first, as lesions are small."""
    return np.asarray((np.arange(steps + 1) / steps) ** 2)


def faithfulness(
    predict: Predict,
    image: NDArray[np.uint8],
    label: int,
    maps: Array,
    *,
    seed: int = 0,
    steps: int = STEPS,
) -> NDArray[np.float64]:
    """Areas under the deletion and the insertion curve of heat maps of one image.

    Args:
        predict: uint8 (n, 224, 224, 1) to probabilities (n, 4).
        image: uint8 (224, 224, 1).
        label: The class whose probability is followed.
        maps: float32 (maps, 224, 224); only their order of pixels counts.
        seed: Of the smooth random map that decides between equal pixels, so that a map's flat
            parts are no better than chance.
        steps: Steps of a curve.

    Returns:
        float64 (maps, 2): deletion, the lower the better; insertion, the higher the better.
    """
    shares = fractions(steps)
    blurred = blur(image)
    ties = random_maps(1, seed)[0].ravel()
    pictures = [image, blurred]
    for heat in maps:
        rank = np.empty(heat.size, dtype=np.int64)
        rank[np.lexsort((-ties, -heat.ravel()))] = np.arange(heat.size)
        for share in shares[1:-1]:
            hottest = (rank < share * heat.size).reshape(IMAGE_SIZE, IMAGE_SIZE, 1)
            pictures += [np.where(hottest, blurred, image), np.where(hottest, image, blurred)]
    scores = predict(np.stack(pictures))[:, label].astype(np.float64)
    inner = scores[2:].reshape(len(maps), steps - 1, 2)
    ends = np.array([[scores[0], scores[1]], [scores[1], scores[0]]])  # (first and last, curve)
    first, last = (np.broadcast_to(end, (len(maps), 1, 2)) for end in ends)
    curves = np.concatenate([first, inner, last], axis=1)  # (maps, steps + 1, 2)
    return np.asarray(np.trapezoid(curves, shares, axis=1))


def blur(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture without anything small: uint8 (224, 224, 1)."""
    smoothed = smooth(image[np.newaxis, :, :, 0].astype(np.float32), BLUR)[0]
    return np.asarray(np.rint(smoothed), dtype=np.uint8)[:, :, np.newaxis]


def random_maps(count: int, seed: int) -> Array:
    """Maps by lot, as smooth as those that are shown: float32 (count, 224, 224) in [0, 1]."""
    cells = np.random.default_rng(seed).random((count, 14, 14), dtype=np.float32)
    return heat_maps(cells, RANDOM_CELLS, sigma=8.0)


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rank correlation of all values of two arrays of one size, without ties.

    Returns:
        From -1 to 1; NaN where one of them is constant.
    """
    if first.min() == first.max() or second.min() == second.max():
        return float("nan")
    ranks = [values.ravel().argsort(kind="stable").argsort() for values in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
