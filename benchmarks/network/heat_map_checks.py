"""Checks of the shipped heat map: faithfulness, randomised weights, masking and the served path."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.network.heat_map_methods import Maps, Tally
from data.dataset.image_set import to_float
from model.inference.classifier import Classifier
from model.inference.evidence import direction, evidence, heat_maps
from model.inference.head_mask import head_mask, mask_outside
from model.inference.last_layers import Array, Tail
from model.predictors import litert_predictor
from model.probes.faithfulness import BLUR, STEPS, faithfulness, rank_correlation
from model.probes.pointing import DEFAULT, compute, features_of
from model.probes.shortcuts import Images, Outlined, Predict, share, shares
from model.system import native_notices_silenced
from model.training.counterfactuals import head_mask as opencv_head

CUT = DEFAULT.cuts[0]
SEED = 0
LAYERS = ("logits", "dense2", "dense1", *(f"conv{index}" for index in range(8, 0, -1)))
Mask = NDArray[np.bool_]


def heads_of(images: Images) -> Mask:
    """The heads by `model.inference.head_mask`: bool (n, 224, 224)."""
    return np.stack([head_mask(to_float(image)) for image in images])


def served_predictor() -> Predict:
    """Probabilities of the exported file, before any temperature."""
    with native_notices_silenced():
        return litert_predictor(Classifier.load(calibrated=False, threads=1))


def faithfulness_report(
    predict: Predict, maps: Maps, outlined: Outlined, heads: Mask, names: Sequence[str]
) -> dict[str, Any]:
    """Deletion and insertion of the named maps; the last of the names is the random map."""
    areas = []
    for row in range(len(outlined)):
        one = slice(row, row + 1)
        found = maps(outlined.images[one], outlined.labels[one], heads[one], row)
        stack = np.concatenate([found[name] for name in names])
        label = int(outlined.labels[row])
        # Other seeds than the random maps have, so that ties do not follow them.
        areas.append(faithfulness(predict, outlined.images[row], label, stack, seed=10**6 + row))
    area = np.stack(areas)  # (n, maps, 2)
    lower = area[:, :, 0] < area[:, -1:, 0]
    higher = area[:, :, 1] > area[:, -1:, 1]
    figures = {
        name: {
            "deletion": float(area[:, k, 0].mean()),
            "insertion": float(area[:, k, 1].mean()),
            "deletion_below_random": shares(lower[:, k], outlined.labels),
            "insertion_above_random": shares(higher[:, k], outlined.labels),
        }
        for k, name in enumerate(names)
    }
    return {
        "images": len(outlined),
        "steps": STEPS,
        "shares_of_the_picture": "(k / steps) squared",
        "replaced_by": f"the picture blurred by a Gaussian of {BLUR:g} pixels",
        "followed": "mean area under the curve of the true class's probability",
        "network": "the exported file's",
        "methods": figures,
    }


def randomisation_report(
    model: keras.Model,
    outlined: Outlined,
    *,
    layers: Sequence[str] = LAYERS,
) -> dict[str, Any]:
    """Maps of the network with the weights of its layers shuffled, from the logits down."""
    changed = keras.models.clone_model(model)
    changed.set_weights(model.get_weights())
    rng = np.random.default_rng(SEED)
    original = _evidence_and_hits(model, outlined)
    stages = {"none": _stage(original, original, outlined)}
    for name in layers:
        layer = changed.get_layer(name)
        layer.set_weights([shuffled(values, rng) for values in layer.get_weights()])
        stages[name] = _stage(original, _evidence_and_hits(changed, outlined), outlined)
    return {
        "images": len(outlined),
        "seed": SEED,
        "randomised": "weights of each layer shuffled, cumulatively from the logits down",
        "similarity": "mean Spearman correlation of the 14 x 14 signed maps",
        "stages": stages,
    }


def shuffled(values: Array, rng: np.random.Generator) -> Array:
    """The same weights in another order: their spread stays, what was learnt does not."""
    return np.asarray(rng.permutation(values.ravel()).reshape(values.shape), dtype=np.float32)


def _evidence_and_hits(model: keras.Model, outlined: Outlined) -> tuple[Array, NDArray[np.bool_]]:
    features, tail = features_of(model, (CUT,)), Tail.from_keras(model, CUT)
    signed, tally = [], Tally()
    for start in range(0, len(outlined), 16):
        rows = slice(start, start + 16)
        given = features(outlined.images[rows])
        labels, masks = outlined.labels[rows], outlined.masks[rows]
        signed.append(evidence(tail, given[CUT], direction(labels)))
        heat = heat_maps(signed[-1], CUT, sigma=DEFAULT.sigma)
        tally.add(heat, masks, masks)
    return np.concatenate(signed), tally.hits


def _stage(
    original: tuple[Array, NDArray[np.bool_]],
    found: tuple[Array, NDArray[np.bool_]],
    outlined: Outlined,
) -> dict[str, Any]:
    pairs = zip(original[0], found[0], strict=True)
    alike = [rank_correlation(first, second) for first, second in pairs]
    return {
        "rank_correlation": float(np.nanmean(alike)),
        "mean_of_absolute_values": float(np.nanmean(np.abs(alike))),
        "hits": shares(found[1], outlined.labels),
    }


def masking_report(
    model: keras.Model, outlined: Outlined, true_heads: Mask | None = None
) -> dict[str, Any]:
    """The head mask's overlap with other masks, and the shipped map with and without it."""
    ours = heads_of(outlined.images)
    features, tails = features_of(model, (CUT,)), {CUT: Tail.from_keras(model, CUT)}
    plain, masked = Tally(), Tally()
    # The best head at hand decides what is outside, not the mask that is tested.
    heads = np.stack([opencv_head(image) for image in outlined.images])
    outer = heads if true_heads is None else true_heads
    for start in range(0, len(outlined), 16):
        rows = slice(start, start + 16)
        images, labels, masks = (
            outlined.images[rows], outlined.labels[rows], outlined.masks[rows],
        )  # fmt: skip
        heat = compute(features, tails, images, labels, (DEFAULT,))[DEFAULT.name]
        inside = np.stack([mask_outside(*pair) for pair in zip(heat, ours[rows], strict=True)])
        plain.add(heat, masks, outer[rows])
        masked.add(inside, masks, outer[rows])
    lost = (outlined.masks & ~ours).sum(axis=(1, 2)) / outlined.masks.sum(axis=(1, 2))
    report = {
        "images": len(outlined),
        "head_iou_with_opencv": _agreement(ours, heads),
        "share_of_lesion_masked": {"mean": float(lost.mean()), "largest": float(lost.max())},
        "whole_pictures_unmasked": int((~ours.any(axis=(1, 2))).sum()),
        "without_mask": plain.report(outlined.labels),
        "with_mask": masked.report(outlined.labels),
        "hits_gained": int((masked.hits & ~plain.hits).sum()),
        "hits_lost": int((plain.hits & ~masked.hits).sum()),
    }
    if true_heads is not None:
        report["head_iou_with_truth"] = _agreement(ours, true_heads)
        report["opencv_head_iou_with_truth"] = _agreement(heads, true_heads)
    return report


def harmless(masking: dict[str, Any]) -> bool:
    """Whether masking lost neither hits nor overlap."""
    before, after = masking["without_mask"], masking["with_mask"]
    fewer = after["hits"]["all"]["count"] < before["hits"]["all"]["count"]
    return not fewer and bool(after["iou"]["all"] >= before["iou"]["all"])


def _agreement(first: Mask, second: Mask) -> dict[str, float]:
    both = (first & second).sum(axis=(1, 2)) / np.maximum((first | second).sum(axis=(1, 2)), 1)
    return {"mean": float(both.mean()), "least": float(both.min())}


def served_report(model: keras.Model, outlined: Outlined) -> dict[str, Any]:
    """The shipped map from the exported file's output against that from Keras, and its cost."""
    with native_notices_silenced():
        classifier = Classifier.load(calibrated=False, threads=1)
    features, tail = features_of(model, (CUT,)), Tail.from_keras(model, CUT)
    tallies, times, away = (Tally(), Tally()), [], []
    for row, (image, mask) in enumerate(zip(outlined.images, outlined.masks, strict=True)):
        wanted = direction(outlined.labels[row : row + 1])
        found = classifier.outputs(to_float(image))
        started = time.perf_counter()
        maps = evidence(tail, found.maps[np.newaxis], wanted)
        heat = heat_maps(maps, CUT, sigma=DEFAULT.sigma)
        mapped = time.perf_counter()
        head_mask(to_float(image))
        times.append((found.milliseconds, mapped - started, time.perf_counter() - mapped))
        maps = evidence(tail, features(image[np.newaxis])[CUT], wanted)
        reference = heat_maps(maps, CUT, sigma=DEFAULT.sigma)
        for tally, heats in zip(tallies, (heat, reference), strict=True):
            tally.add(heats, mask[np.newaxis], mask[np.newaxis])
        ends = [np.array(np.unravel_index(x.argmax(), x[0].shape)) for x in (heat, reference)]
        away.append(float(np.hypot(*(ends[0] - ends[1]))))
    inference, mapping, masking = (statistics.median(column) for column in zip(*times, strict=True))
    same = tallies[0].hits == tallies[1].hits
    return {
        "images": len(outlined),
        "served": tallies[0].report(outlined.labels)["hits"],
        "keras": tallies[1].report(outlined.labels)["hits"],
        "same_verdict": share(int(same.sum()), len(same)),
        "pixels_between_maxima": {"median": statistics.median(away), "largest": max(away)},
        "milliseconds": {
            "inference": inference,
            "map": 1000 * mapping,
            "head_mask": 1000 * masking,
            "map_to_inference": 1000 * mapping / inference,
        },
    }
