"""The heat map that the server shows: from the exported file's deep map, in NumPy.

HiResCAM (Draelos and Carin 2020, arXiv:2011.08891) of the contrast between a class and "notumor"
before the sixth convolution. The layers from there on are `heat_map.npz` beside the model,
written by `python -m model export` and listed with its hash in `metadata.json`.

Data contract: maps float32 (14, 14, 256), what goes into the sixth convolution;
heat maps float32 (112, 112) in [0, 1], row-major over the image as the network sees it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.config import CLASS_NAMES, IMAGE_SIZE
from model.inference.evidence import explain
from model.inference.head_mask import head_mask, mask_outside
from model.inference.last_layers import Array, Tail, weighted_layers
from model.inference.model_files import ModelFileError

HEAT_FILE = "heat_map.npz"
CUT = "elu5"
TARGET = "contrast"
SIGMA = 8.0
METHOD = f"HiResCAM, {CUT}, {TARGET}, sigma {SIGMA:g} px"
SIDE = 112
"""Cells a side of what is given out: every second pixel is as much as the smoothing leaves."""


@dataclass(frozen=True)
class Explanation:
    """Where the evidence for a class lies.

    Attributes:
        label: Name of the class that is explained.
        method: How the map was made.
        values: float32 (112, 112) in [0, 1], row-major over the image as the network sees it; all
            zeros where nothing speaks for the class.
    """

    label: str
    method: str
    values: NDArray[np.float32]


class Explainer:
    """Makes heat maps; keeps no state, so threads may share it."""

    def __init__(self, tail: Tail, class_names: Sequence[str] = CLASS_NAMES) -> None:
        self._tail = tail
        self._class_names = tuple(class_names)

    def explain(
        self, maps: NDArray[np.float32], label: str, image: NDArray[np.float32]
    ) -> Explanation:
        """The heat map of one image for one class, without what lies outside the head.

        Masking changes no maximum that was measured (`benchmarks/reports/heat_maps.json`); it
        takes away the tenth of the heat that smoothing leaves in the air.

        Args:
            maps: float32 (14, 14, 256), of the exported network.
            label: One of the class names.
            image: float32 (224, 224, 1) in [0, 1], what the network was shown.

        Raises:
            ValueError: No such class.
        """
        if label not in self._class_names:
            raise ValueError(
                f"`label` must be one of {', '.join(self._class_names)}. Received: {label!r}"
            )
        labels = np.array([self._class_names.index(label)])
        heat = explain(self._tail, maps[np.newaxis], labels, target=TARGET, sigma=SIGMA)[0]
        return Explanation(label, METHOD, shrink(mask_outside(heat, head_mask(image))))


def shrink(heat: Array) -> NDArray[np.float32]:
    """Means of 2 x 2 pixels, the largest of them 1: (224, 224) to (112, 112)."""
    step = IMAGE_SIZE // SIDE
    small = heat.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3))
    largest = float(small.max())
    return np.asarray(small / largest if largest > 0 else small, dtype=np.float32)


def heat_bytes(keras_model: Any) -> bytes:
    """The content of `heat_map.npz` for a folded network: the layers after the cut, as float16."""
    weights: dict[str, NDArray[np.float16]] = {}
    for name in weighted_layers(CUT):
        kernel, bias = keras_model.get_layer(name).get_weights()
        weights[f"{name}_kernel"] = np.asarray(kernel, dtype=np.float16)
        weights[f"{name}_bias"] = np.asarray(bias, dtype=np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **weights)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_explainer(content: bytes, path: Path, class_names: Sequence[str]) -> Explainer:
    """Reads the content of a `heat_map.npz`.

    Raises:
        ModelFileError: It is damaged, or was made for another network.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            weights = {name: saved[name].astype(np.float32) for name in saved.files}
        tail = Tail(CUT, weights)
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile) as error:
        raise ModelFileError(f"The heat map's layers {path} cannot be read: {error}.") from error
    outputs = weights["logits_bias"].shape
    if outputs != (len(class_names),):
        raise ModelFileError(
            f"The heat map's layers {path} must end in {len(class_names)} classes; "
            f"their shape is {outputs}."
        )
    return Explainer(tail, class_names)
