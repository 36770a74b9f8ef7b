"""Where the evidence for a class lies: heat maps without TensorFlow or Keras.

Maps are HiResCAM, features times gradient summed over channels (Draelos and Carin 2020,
arXiv:2011.08891), or Grad-CAM, which averages the gradient first (Selvaraju et al. 2017). The
gradient is that of `model.inference.last_layers`, taken at one of its `CUTS`.

Data contract: features float32 (n, side, side, channels), the output of the layer named by the
cut; maps float32 (n, side, side), signed; heat maps float32 (n, 224, 224) in [0, 1].
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from model.config import CLASS_NAMES, IMAGE_SIZE, ArchitectureConfig
from model.inference.last_layers import Array, Tail

TARGETS = ("logit", "contrast")
METHODS = ("hirescam", "gradcam")
_NOTUMOR = CLASS_NAMES.index("notumor")
_CONFIG = ArchitectureConfig()


def explain(
    tail: Tail,
    features: Array,
    labels: NDArray[np.int64],
    *,
    target: str = "contrast",
    method: str = "hirescam",
    sigma: float = 0.0,
) -> Array:
    """Heat maps for chosen classes.

    Args:
        tail: The network from the cut to the logits.
        features: float32 (n, side, side, channels) at the tail's cut.
        labels: int64 (n,), the class to explain for each image.
        target, method: As `direction` and `evidence`.
        sigma: As `heat_maps`.

    Returns:
        float32 (n, 224, 224) in [0, 1].

    Raises:
        ValueError: Another target or method.
    """
    maps = evidence(tail, features, direction(labels, target), method)
    return heat_maps(maps, tail.cut, sigma=sigma)


def evidence(tail: Tail, features: Array, directions: Array, method: str = "hirescam") -> Array:
    """Evidence a cell, signed.

    Args:
        tail, features: As `explain`.
        directions: float32 (n, 4), from `direction`.
        method: One of `METHODS`.

    Returns:
        float32 (n, side, side).

    Raises:
        ValueError: Another method.
    """
    if method not in METHODS:
        raise ValueError(f"`method` must be one of {', '.join(METHODS)}. Received: {method!r}")
    if method == "hirescam":
        return tail.evidence(features, directions)
    return combine(features, tail.gradient(features, directions), method)


def combine(features: Array, gradient: Array, method: str = "hirescam") -> Array:
    """Signed maps (n, side, side) from features and their gradient, both (n, side, side, c)."""
    if method == "gradcam":
        gradient = gradient.mean(axis=(1, 2), keepdims=True)  # (n, 1, 1, channels)
    maps: Array = np.einsum("nhwc,nhwc->nhw", features, np.broadcast_to(gradient, features.shape))
    return maps


def direction(labels: NDArray[np.int64], target: str = "contrast") -> Array:
    """Which combination of logits a map explains.

    Args:
        labels: int64 (n,), the class to explain for each image.
        target: "logit", the class's logit alone; or "contrast", its logit minus that of
            "notumor", and for "notumor" itself minus the mean of the tumours' logits.

    Returns:
        float32 (n, 4).

    Raises:
        ValueError: Another target.
    """
    if target not in TARGETS:
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}. Received: {target!r}")
    count = len(CLASS_NAMES)
    rows = np.eye(count, dtype=np.float32)
    if target == "contrast":
        against = np.tile(rows[_NOTUMOR], (count, 1))
        against[_NOTUMOR] = (1 - rows[_NOTUMOR]) / (count - 1)
        rows = rows - against
    chosen: Array = rows[labels]
    return chosen


def geometry(cut: str, config: ArchitectureConfig = _CONFIG) -> tuple[int, int, float]:
    """Where the cells of a layer lie in the image.

    Convolutions of stride 2 pad below and to the right alone, and pooling joins neighbours, so
    that cells sit half a pixel further right and down than an even division of the image says.

    Returns:
        Cells a side; pixels from one cell to the next; pixel index of the first cell's centre.
    """
    side, step, first = IMAGE_SIZE, 1, 0.0
    for index, (stride, pool) in enumerate(zip(config.strides, config.pools, strict=True), 1):
        # "same" padding of an even side puts a stride of 2 at the odd pixels.
        first += step * (stride - 1)
        step, side = step * stride, side // stride
        if cut == f"conv{index}":
            break
        first += step * (pool - 1) / 2
        step, side = step * pool, side // pool
        if cut == f"elu{index}":
            break
    return side, step, first


def upsample(maps: Array, cut: str) -> Array:
    """Bilinear enlargement, each cell at its place in the image.

    Args:
        maps: float32 (n, side, side), from `evidence`.
        cut: The layer they belong to.

    Returns:
        float32 (n, 224, 224). Beyond the outermost cells' centres it fades, so that the largest
        value always lies at a cell's centre and never in the image's corner.
    """
    matrix = _enlarging(cut)
    return np.asarray(matrix @ maps @ matrix.T, dtype=np.float32)


def heat_maps(maps: Array, cut: str, *, sigma: float = 0.0) -> Array:
    """What is shown: the positive evidence, enlarged, smoothed, at most 1.

    Args:
        maps, cut: As `upsample`.
        sigma: Standard deviation of a Gaussian smoothing, in pixels; 0 for none.

    Returns:
        float32 (n, 224, 224) in [0, 1]; all zeros where there is no positive evidence.
    """
    enlarged = np.maximum(upsample(maps, cut), 0)
    if sigma > 0:
        enlarged = smooth(enlarged, sigma)
    return scaled(enlarged)


def scaled(maps: Array) -> Array:
    """Non-negative maps (n, height, width) divided by their largest value."""
    largest = maps.max(axis=(1, 2), keepdims=True)
    return np.asarray(maps / np.where(largest > 0, largest, 1), dtype=np.float32)


def smooth(maps: Array, sigma: float) -> Array:
    """Gaussian smoothing of (n, 224, 224) maps, sigma in pixels, rim renormalised."""
    matrix = _smoothing(sigma)
    return np.asarray(matrix @ maps @ matrix.T, dtype=np.float32)


@cache
def _enlarging(cut: str) -> Array:
    """Bilinear weights of the cells along one side: (224, side)."""
    side, step, first = geometry(cut)
    places = (np.arange(IMAGE_SIZE) - first) / step
    weights = np.maximum(0, 1 - np.abs(places[:, np.newaxis] - np.arange(side)))
    return np.asarray(weights, dtype=np.float32)


@cache
def _smoothing(sigma: float) -> Array:
    """Gaussian weights of the pixels along one side: (224, 224), each row's sum 1."""
    pixels = np.arange(IMAGE_SIZE)
    matrix = np.exp(-((pixels[:, np.newaxis] - pixels) ** 2) / (2 * sigma**2))
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True), dtype=np.float32)
