"""Does the network look at tumours? Shares of answers under changes whose effect is known.

- the tumour painted out: the answer should become "notumor";
- a patch of the tumour's shape painted out elsewhere: the answer should stay;
- phantoms that differ only in the lesion: both answers should be right;
- the heat map's maximum should lie in the tumour (`model.probes.pointing`).

Data contract: images uint8 (n, 224, 224, 1), masks bool (n, 224, 224), labels int64 (n,). Every
share is given with its count and Wilson 95% interval, overall and by class. Nothing here loads
Keras: a network is a function from images to probabilities float32 (n, 4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.phantoms.sets import TUMOURS, Pairs
from model.config import CLASS_NAMES
from model.metrics.accuracy import wilson_interval
from model.training.counterfactuals import control_patch, paint_out

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Predict = Callable[[Images], NDArray[np.float32]]

NOTUMOR = CLASS_NAMES.index("notumor")

BARS = {
    "painted_out_to_notumor": 0.65,  # at least
    "control_changed": 0.03,  # at most
    "pairs_both_right": 0.95,  # at least
    "heat_map_hits": 0.85,  # at least
}


@dataclass(frozen=True)
class Outlined:
    """Tumour images with the tumour's mask.

    Attributes:
        images: uint8 (n, 224, 224, 1).
        labels: int64 (n,).
        masks: bool (n, 224, 224).
        names: "class/file name" of each.
    """

    images: Images
    labels: Labels
    masks: NDArray[np.bool_]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def at_most(self, per_class: int | None, seed: int = 0) -> Outlined:
        """A seeded sample of at most `per_class` images of each class, in the given order."""
        if per_class is None:
            return self
        order = np.random.default_rng(seed).permutation(len(self))
        rows = [order[self.labels[order] == k][:per_class] for k in range(len(CLASS_NAMES))]
        kept = np.sort(np.concatenate(rows))
        names = tuple(self.names[i] for i in kept)
        return Outlined(self.images[kept], self.labels[kept], self.masks[kept], names)


def measure(
    predict: Predict, outlined: Outlined | None, pairs: Pairs | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """The answers' shares, for a report or for the row of a training run.

    Args:
        predict: uint8 (n, 224, 224, 1) to probabilities (n, 4).
        outlined: Tumour images that were held out of the run, or None.
        pairs: From `data.phantoms.sets.make_pairs`, or None.
        seed: For the controls that are placed by lot.

    Returns:
        JSON-ready: `painted_out` and `control` (of `counterfactual_shares`), `pairs` (of
        `pair_shares`), each only where its images are given, and `summary`: the figures that the
        keys of `BARS` name, as plain numbers.
    """
    report: dict[str, Any] = {"summary": {}}
    if outlined is not None and len(outlined):
        report |= counterfactual_shares(predict, outlined, seed=seed)
        painted, control = report["painted_out"], report["control"]
        report["summary"] |= {
            "painted_out_to_notumor": painted["to_notumor"]["all"]["share"],
            "painted_out_left_class": painted["left_class"]["all"]["share"],
            "control_changed": control["changed"]["all"]["share"],
        }
    if pairs is not None and len(pairs):
        report["pairs"] = pair_shares(predict, pairs)
        report["summary"]["pairs_both_right"] = report["pairs"]["both_right"]["all"]["share"]
    return report


def counterfactual_shares(predict: Predict, outlined: Outlined, *, seed: int = 0) -> dict[str, Any]:
    """Answers with the tumour, and with a control patch, painted out.

    Args:
        predict, outlined, seed: As `measure`.

    Returns:
        `original`: `right`. `painted_out`: `to_notumor`, answered "notumor", and `left_class`,
        another answer than for the image itself. `control`: `changed`, another answer than for
        the image itself, and `without`, the number of images that have no place for a control.
        Every image counts, also where the answer was wrong to begin with.
    """
    painted, controls, controlled = [], [], []
    for row, (image, mask) in enumerate(zip(outlined.images, outlined.masks, strict=True)):
        painted.append(paint_out(image, mask))
        control = control_patch(image, mask, seed=seed + row)
        controlled.append(control is not None)
        if control is not None:
            controls.append(control)
    original = predict(outlined.images).argmax(axis=1)
    without = predict(np.stack(painted)).argmax(axis=1)
    has = np.array(controlled)
    after = predict(np.stack(controls)).argmax(axis=1) if controls else original[has]
    labels = outlined.labels
    return {
        "original": {"right": shares(original == labels, labels)},
        "painted_out": {
            "to_notumor": shares(without == NOTUMOR, labels),
            "left_class": shares(without != original, labels),
        },
        "control": {
            "changed": shares(after != original[has], labels[has]),
            "without": int((~has).sum()),
        },
    }


def pair_shares(predict: Predict, pairs: Pairs) -> dict[str, Any]:
    """Answers to phantoms with and without their lesion.

    Returns:
        `with_lesion_right` (its class), `without_right` ("notumor") and `both_right`.
    """
    there = predict(pairs.with_lesion).argmax(axis=1) == pairs.labels
    gone = predict(pairs.without).argmax(axis=1) == NOTUMOR
    return {
        "with_lesion_right": shares(there, pairs.labels),
        "without_right": shares(gone, pairs.labels),
        "both_right": shares(there & gone, pairs.labels),
    }


def share(count: int, images: int) -> dict[str, Any]:
    """A share with its 95% interval; null of no images."""
    return {
        "share": count / images if images else None,
        "count": count,
        "images": images,
        "interval_95": list(wilson_interval(count, images)),
    }


def shares(hits: NDArray[np.bool_], labels: Labels) -> dict[str, Any]:
    """The share of True in all images ("all") and by tumour class: hits bool (n,)."""
    found = {"all": share(int(hits.sum()), len(hits))}
    for name in TUMOURS:
        of_class = hits[labels == CLASS_NAMES.index(name)]
        found[name] = share(int(of_class.sum()), len(of_class))
    return found
