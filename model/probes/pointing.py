"""Do heat maps point at the tumour? Pointing game and overlap, for many kinds of map at once.

Pointing game (Zhang et al. 2016): a map hits when its largest value lies in the tumour or within
8 pixels of it. Overlap: intersection over union of the map above a threshold with the tumour, at
the one threshold that is best for all images together (chosen on the same images).

Data contract: images uint8 (n, 224, 224, 1); features a dictionary from cut
(`model.inference.last_layers.CUTS`) to float32 (n, side, side, channels).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import keras
import numpy as np
from numpy.typing import NDArray

from data.dataset.image_set import to_float
from data.phantoms.sets import TUMOURS
from model.config import CLASS_NAMES
from model.inference.evidence import combine, direction, scaled, smooth, upsample
from model.inference.heat_map import CUT, SIGMA, TARGET
from model.inference.last_layers import Array, Tail
from model.probes.shortcuts import Images, Labels, Outlined, shares
from model.training.counterfactuals import head_mask

TOLERANCE = 8
THRESHOLDS = np.arange(1, 20) / 20
_BATCH = 32

Features = Callable[[Images], Mapping[str, Array]]


@dataclass(frozen=True)
class HeatMethod:
    """A kind of heat map.

    Attributes:
        cuts: Layers whose maps are averaged, each divided by its largest value first.
        target, method: As `model.inference.evidence.direction` and `evidence`.
        sigma: Smoothing in pixels.
        mirrored: Average with the mirrored image's map, mirrored back.
    """

    cuts: tuple[str, ...]
    target: str = "contrast"
    method: str = "hirescam"
    sigma: float = 0.0
    mirrored: bool = False

    @property
    def name(self) -> str:
        """Such as "elu3+conv6 hirescam contrast sigma8 mirrored"."""
        parts = ["+".join(self.cuts), self.method, self.target]
        parts += [f"sigma{self.sigma:g}"] * (self.sigma > 0) + ["mirrored"] * self.mirrored
        return " ".join(parts)


DEPTHS = ("elu2", "elu3", "elu4", "elu5", "conv6", "elu7", "elu8")
DEFAULT = HeatMethod((CUT,), target=TARGET, sigma=SIGMA)
"""The one that the server shows."""

CANDIDATES: tuple[HeatMethod, ...] = (
    *(HeatMethod((cut,)) for cut in DEPTHS),
    *(HeatMethod((cut,), target="logit") for cut in DEPTHS),
    *(HeatMethod((cut,), method="gradcam") for cut in DEPTHS),
    *(HeatMethod((cut,), sigma=8.0) for cut in DEPTHS),
    *(HeatMethod((cut,), sigma=8.0, mirrored=True) for cut in DEPTHS),
    HeatMethod(("elu2", "elu3"), sigma=8.0),
    HeatMethod(("elu2", "elu3", "conv6"), sigma=8.0),
    HeatMethod(("elu3", "conv6"), sigma=8.0),
    HeatMethod(("elu5", "conv6"), sigma=8.0),
    HeatMethod(("elu3", "elu5", "conv6"), sigma=8.0),
    HeatMethod(("elu3", "elu5", "conv6"), sigma=8.0, mirrored=True),
)


def point(
    features: Features,
    tails: Mapping[str, Tail],
    outlined: Outlined,
    methods: Sequence[HeatMethod] = (DEFAULT,),
    *,
    labels: Labels | None = None,
) -> dict[str, dict[str, Any]]:
    """Measures kinds of heat map on outlined tumours.

    Args:
        features: From images to the features at all the cuts that `methods` need.
        tails: A tail for each of these cuts.
        outlined: At least one image.
        methods: The kinds.
        labels: int64 (n,), the classes to explain; by default the true ones.

    Returns:
        By name of the method, JSON-ready: `hits` (of `shares`), `threshold`, `iou` (mean, overall
        and by class).
    """
    explained = outlined.labels if labels is None else labels
    found: dict[str, list[tuple[NDArray[np.bool_], Array]]] = {m.name: [] for m in methods}
    for start in range(0, len(outlined), _BATCH):
        rows = slice(start, start + _BATCH)
        images, masks = outlined.images[rows], outlined.masks[rows]
        maps = compute(features, tails, images, explained[rows], methods)
        for name, heat in maps.items():
            found[name].append((hits(heat, masks), overlaps(heat, masks)))
    return {name: summarise(parts, outlined.labels) for name, parts in found.items()}


def compute(
    features: Features,
    tails: Mapping[str, Tail],
    images: Images,
    labels: Labels,
    methods: Iterable[HeatMethod],
) -> dict[str, Array]:
    """Heat maps by name of the method: float32 (n, 224, 224) in [0, 1].

    Features and gradients that several methods need are computed once.
    """
    given: dict[bool, Mapping[str, Array]] = {}
    gradients: dict[tuple[str, str, bool], Array] = {}

    def enlarged(method: HeatMethod, cut: str, mirrored: bool) -> Array:
        if mirrored not in given:
            given[mirrored] = features(images[:, :, ::-1] if mirrored else images)
        key = cut, method.target, mirrored
        if key not in gradients:
            wanted = direction(labels, method.target)
            gradients[key] = tails[cut].gradient(given[mirrored][cut], wanted)
        maps = combine(given[mirrored][cut], gradients[key], method.method)
        large = np.maximum(upsample(maps, cut), 0)
        return large[:, :, ::-1] if mirrored else large

    heats = {}
    for method in methods:
        layers = []
        for cut in method.cuts:
            heat = enlarged(method, cut, False)
            if method.mirrored:
                heat = heat + enlarged(method, cut, True)
            layers.append(scaled(smooth(heat, method.sigma) if method.sigma else heat))
        heats[method.name] = scaled(np.sum(layers, axis=0))
    return heats


def hits(heat: Array, masks: NDArray[np.bool_], tolerance: int = TOLERANCE) -> NDArray[np.bool_]:
    """Whether each map's largest value is in the mask or within `tolerance` pixels: bool (n,).

    A map that is flat points nowhere and misses.
    """
    best = heat.reshape(len(heat), -1).argmax(axis=1)
    found = np.zeros(len(heat), dtype=np.bool_)
    for row, (place, mask) in enumerate(zip(best, masks, strict=True)):
        away = distance(mask).flat[place]
        found[row] = away <= tolerance and heat[row].max() > heat[row].min()
    return found


def distance(mask: NDArray[np.bool_]) -> Array:
    """Pixels to the nearest pixel of the mask, 0 inside: float32 (height, width)."""
    if not mask.any():
        return np.full(mask.shape, np.inf, dtype=np.float32)
    outside = (~mask).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def overlaps(heat: Array, masks: NDArray[np.bool_]) -> Array:
    """Intersection over union at each of `THRESHOLDS`: float32 (n, 19)."""
    found = np.zeros((len(heat), len(THRESHOLDS)), np.float32)
    for column, threshold in enumerate(THRESHOLDS):
        above = heat >= threshold
        union = (above | masks).sum(axis=(1, 2))
        found[:, column] = (above & masks).sum(axis=(1, 2)) / np.maximum(union, 1)
    return found


def head_centre_hits(outlined: Outlined) -> NDArray[np.bool_]:
    """What a map would hit that always points at the middle of the head: bool (n,)."""
    found = []
    for image, mask in zip(outlined.images, outlined.masks, strict=True):
        places = np.argwhere(head_mask(image))
        row, column = np.rint(places.mean(axis=0)).astype(int) if len(places) else (112, 112)
        found.append(distance(mask)[row, column] <= TOLERANCE)
    return np.array(found, dtype=np.bool_)


def summarise(parts: list[tuple[NDArray[np.bool_], Array]], labels: Labels) -> dict[str, Any]:
    """Figures of one kind of map, JSON-ready.

    Args:
        parts: For each batch its `hits` and `overlaps`.
        labels: int64 (n,), of all batches together.

    Returns:
        As `point` gives for each method.
    """
    hit = np.concatenate([part[0] for part in parts])
    overlap = np.concatenate([part[1] for part in parts])  # (n, 19)
    best = int(overlap.mean(axis=0).argmax())
    iou: dict[str, float | None] = {"all": float(overlap[:, best].mean())}
    for name in TUMOURS:
        of_class = overlap[labels == CLASS_NAMES.index(name), best]
        iou[name] = float(of_class.mean()) if len(of_class) else None
    return {"hits": shares(hit, labels), "threshold": float(THRESHOLDS[best]), "iou": iou}


def features_of(model: keras.Model, cuts: Sequence[str] = DEPTHS) -> Features:
    """Features of a network at several cuts, in one pass: what `point` asks for."""
    part = keras.Model(model.input, {cut: model.get_layer(cut).output for cut in cuts})

    def features(images: Images) -> Mapping[str, Array]:
        found = part.predict_on_batch(to_float(images))
        return {cut: np.asarray(value, dtype=np.float32) for cut, value in found.items()}

    return features


def tails_of(model: keras.Model, cuts: Sequence[str] = DEPTHS) -> dict[str, Tail]:
    """The tails of a network at several cuts."""
    return {cut: Tail.from_keras(model, cut) for cut in cuts}
