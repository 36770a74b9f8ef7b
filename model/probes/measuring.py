"""The shortcut figures of a Keras network in one call: for the end of a training run.

    report = measure_model(model, outlined, pairs, heat_per_class=20)
    report["summary"]   # {"painted_out_to_notumor": 0.61, "control_changed": 0.02, ...}

Networks are folded ones with the layer names of `model.training.architecture`; any Keras backend
will do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from data.dataset.image_set import to_float
from data.phantoms.sets import Pairs
from model.inference.last_layers import Array, Tail
from model.predictors import predict_in_batches
from model.probes.pointing import DEFAULT, DEPTHS, Features, HeatMethod, point
from model.probes.shortcuts import Images, Outlined, measure


def measure_model(
    model: keras.Model,
    outlined: Outlined,
    pairs: Pairs | None = None,
    *,
    heat_per_class: int | None = None,
    method: HeatMethod = DEFAULT,
) -> dict[str, Any]:
    """All shortcut figures of a network.

    Args:
        model: A folded network.
        outlined: Tumour images that were held out of the run.
        pairs: From `data.phantoms.sets.cached_pairs`, or None.
        heat_per_class: At most so many images of a class for heat maps; None for all.
        method: The kind of heat map.

    Returns:
        As `model.probes.shortcuts.measure`, with `heat_map` (of `model.probes.pointing.point`) and
        the summary's `heat_map_hits` and `heat_map_iou`.
    """
    report = measure(partial(predict_in_batches, model), outlined, pairs)
    shown = outlined.at_most(heat_per_class)
    found = point(features_of(model, method.cuts), tails_of(model, method.cuts), shown, (method,))
    report["heat_map"] = {"method": method.name, **found[method.name]}
    report["summary"]["heat_map_hits"] = report["heat_map"]["hits"]["all"]["share"]
    report["summary"]["heat_map_iou"] = report["heat_map"]["iou"]["all"]
    return report


def features_of(model: keras.Model, cuts: Sequence[str] = DEPTHS) -> Features:
    """Features of a network at several cuts, in one pass: what `model.probes.pointing` asks for."""
    part = keras.Model(model.input, {cut: model.get_layer(cut).output for cut in cuts})

    def features(images: Images) -> Mapping[str, Array]:
        found = part.predict_on_batch(to_float(images))
        return {cut: np.asarray(value, dtype=np.float32) for cut, value in found.items()}

    return features


def tails_of(model: keras.Model, cuts: Sequence[str] = DEPTHS) -> dict[str, Tail]:
    """The tails of a network at several cuts."""
    return {cut: Tail.from_keras(model, cut) for cut in cuts}
