"""What the tests of the phantoms share: sizes, tumors, the geometry that a head was drawn from."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from data.phantoms import LABELS, Phantom, acquisition, atlas, make_phantom

SIZE = 112  # enough for every fact below, and a quarter of the work
TUMOURS = ("glioma", "meningioma", "pituitary")


@cache
def drawn(label: str, seed: int, contrast: str | None = None, lesion: bool = True, /) -> Phantom:
    """A phantom of `SIZE`, drawn once for all tests; they must not write to it."""
    return make_phantom(label, seed, contrast=contrast, size=SIZE, lesion=lesion)


def digest(phantom: Phantom) -> str:
    return hashlib.sha256(phantom.image.tobytes() + phantom.mask.tobytes()).hexdigest()


def head_source(label: str, seed: int) -> np.random.Generator:
    """The source of the head's shape and framing."""
    return np.random.default_rng([seed, LABELS.index(label), 1])


def geometry(phantom: Phantom) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """MNI coordinates and distance to the dura of the phantom's pixels, and millimetres a pixel."""
    label = phantom.label
    source = head_source(label, phantom.seed)
    cut = acquisition.cut_head(source, label, phantom.plane, phantom.stripped)
    size = phantom.image.shape[0]
    xyz, _ = cut.points(cut.uv(size))
    return xyz, atlas.dura_distance(xyz), cut.fov[1] / size
