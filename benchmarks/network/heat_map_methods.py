"""The kinds of heat map that are compared, and what is counted of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from data.dataset.image_set import to_float
from model.config import IMAGE_SIZE
from model.inference.evidence import direction, scaled, smooth
from model.inference.last_layers import Array
from model.probes.faithfulness import random_maps
from model.probes.pointing import (
    DEFAULT,
    HeatMethod,
    compute,
    features_of,
    hits,
    overlaps,
    summarise,
    tails_of,
)
from model.probes.shortcuts import Images, Labels, Outlined

SERVED_CUTS = ("elu5", "conv6", "elu6", "elu7", "conv8", "elu8")
"""Cuts whose features follow from the maps that the exported file gives."""

KINDS: tuple[HeatMethod, ...] = (
    DEFAULT,
    HeatMethod(DEFAULT.cuts),
    HeatMethod(DEFAULT.cuts, target="logit", sigma=8.0),
    *(HeatMethod((cut,), sigma=8.0) for cut in ("elu2", "elu3", "conv6", "elu7", "conv8")),
    *(HeatMethod((cut,), method="gradcam", sigma=8.0) for cut in ("elu5", "conv6", "elu6", "elu8")),
)
GRADIENT = "gradient x input sigma8"
GRADIENT_SIZE = "|gradient x input| sigma8"
MIDDLE = "middle of the head"
RANDOM = "random"
BATCH = 16
_MIDDLE_SIGMA = 40.0

Maps = Callable[[Images, Labels, NDArray[np.bool_], int], dict[str, Array]]


@dataclass
class Tally:
    """Figures of one kind of map, gathered batch by batch."""

    parts: list[tuple[NDArray[np.bool_], Array]] = field(default_factory=list)
    outside: list[Array] = field(default_factory=list)

    def add(self, heat: Array, masks: NDArray[np.bool_], heads: NDArray[np.bool_]) -> None:
        """Counts a batch: heat float32 (n, 224, 224), lesions and heads bool (n, 224, 224)."""
        self.parts.append((hits(heat, masks), overlaps(heat, masks)))
        total = np.maximum(heat.sum(axis=(1, 2)), 1e-6)
        self.outside.append((heat * ~heads).sum(axis=(1, 2)) / total)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """bool (n,), of all batches."""
        return np.concatenate([part[0] for part in self.parts])

    def report(self, labels: Labels) -> dict[str, Any]:
        """As `model.probes.pointing.point` gives, with the mean share of heat outside the head."""
        outside = float(np.concatenate(self.outside).mean())
        return summarise(self.parts, labels) | {"share_of_heat_outside_head": outside}


def served(name: str) -> bool:
    """Whether a kind can be computed from what the exported file gives."""
    return any(kind.name == name and set(kind.cuts) <= set(SERVED_CUTS) for kind in KINDS)


def maps_of(
    model: keras.Model, kinds: tuple[HeatMethod, ...] = KINDS, *, gradients: bool = True
) -> Maps:
    """All kinds of map of a network but occlusion: by name float32 (n, 224, 224) in [0, 1].

    The function takes images, labels, heads and the number of the first image, which is the
    random map's seed. Without `gradients`, those with respect to the image, it is much faster.
    """
    cuts = tuple(sorted({cut for kind in kinds for cut in kind.cuts}))
    features, tails = features_of(model, cuts), tails_of(model, cuts)
    gradient = gradient_times_input(model)

    def maps(
        images: Images, labels: Labels, heads: NDArray[np.bool_], first: int
    ) -> dict[str, Array]:
        found = compute(features, tails, images, labels, kinds)
        if gradients:
            product = gradient(images, labels)
            found[GRADIENT] = scaled(smooth(np.maximum(product, 0), 8.0))
            found[GRADIENT_SIZE] = scaled(smooth(np.abs(product), 8.0))
        found[MIDDLE] = middle_maps(heads)
        lots = [random_maps(1, first + row) for row in range(len(images))]
        found[RANDOM] = np.concatenate(lots)
        return found

    return maps


def gradient_times_input(model: keras.Model) -> Callable[[Images, Labels], Array]:
    """Gradient of the contrast with respect to the image, times the image: (n, 224, 224)."""
    logits = keras.Model(model.input, model.get_layer("logits").output)

    def product(images: Images, labels: Labels) -> Array:
        pixels = tf.constant(to_float(images))
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            wanted = tf.reduce_sum(logits(pixels, training=False) * direction(labels))
        gradient = tape.gradient(wanted, pixels).numpy()
        return np.asarray((gradient * pixels.numpy())[:, :, :, 0], dtype=np.float32)

    return product


def middle_maps(heads: NDArray[np.bool_]) -> Array:
    """Blind guesses: a bell about the middle of each head, (n, 224, 224) in [0, 1]."""
    rows, columns = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE]
    found = []
    for head in heads:
        places = np.argwhere(head) if head.any() else np.full((1, 2), IMAGE_SIZE // 2)
        row, column = np.rint(places.mean(axis=0))
        away = (rows - row) ** 2 + (columns - column) ** 2
        found.append(np.exp(-away / (2 * _MIDDLE_SIGMA**2)))
    return np.stack(found).astype(np.float32)


def compare(maps: Maps, outlined: Outlined, heads: NDArray[np.bool_]) -> dict[str, Tally]:
    """Counts all kinds of map, for the true class."""
    tallies: dict[str, Tally] = {}
    for start in range(0, len(outlined), BATCH):
        rows = slice(start, start + BATCH)
        found = maps(outlined.images[rows], outlined.labels[rows], heads[rows], start)
        for name, heat in found.items():
            tallies.setdefault(name, Tally()).add(heat, outlined.masks[rows], heads[rows])
    return tallies


def best(methods: Mapping[str, Mapping[str, Any]]) -> str:
    """The kind with the most hits; among equals, the one with the larger overlap."""

    def merit(name: str) -> tuple[int, float]:
        return methods[name]["hits"]["all"]["count"], methods[name]["iou"]["all"]

    return max(methods, key=merit)
