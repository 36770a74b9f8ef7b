"""Sets of phantoms: to evaluate on, to train on, and pairs that differ only in the lesion.

Data contract: images uint8 (n, 224, 224, 1), or (n, 224, 224) in a pool, preprocessed like any
other image, times 255. The seed of a phantom is the set's, and its number added.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data.dataset.image_set import ImageSet, to_uint8
from data.phantoms import Phantom, make_phantom, one_thread
from model.config import CLASS_NAMES, NO_TUMOUR
from model.preprocessing import prepare

Images = NDArray[np.uint8]

PAIR_SEED = 3_000_000
Drawn = TypeVar("Drawn")
TUMOURS = tuple(name for name in CLASS_NAMES if name != "notumor")


@dataclass(frozen=True)
class Pairs:
    """Phantoms with and without their lesion, else equal.

    Attributes:
        with_lesion, without: uint8 (n, 224, 224, 1), preprocessed.
        labels: int64 (n,), the class of the lesion.
        masks: bool (n, 224, 224), the lesion.
    """

    with_lesion: Images
    without: Images
    labels: NDArray[np.int64]
    masks: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class PhantomPool:
    """Phantoms to train on, each tumor followed by the same head without it.

    Attributes:
        images: uint8 (n, 224, 224).
        masks: uint8 (n, 224, 224), 255 inside the lesion.
        labels: int64 (n,), indices into `CLASS_NAMES`.
    """

    images: Images
    masks: Images
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def make_phantoms(per_class: int, seed: int) -> ImageSet:
    """Draws `per_class` phantoms of each class, classes in turn.

    Half are drawn at 224 pixels and half at 448, so that resampling is part of the set.
    """
    wanted = range(per_class * len(CLASS_NAMES))
    stacked = np.stack(drawn_in_processes(partial(_image, seed=seed), wanted, workers=1))
    labels = np.arange(len(wanted), dtype=np.int64) % len(CLASS_NAMES)
    names = tuple(f"{CLASS_NAMES[k]}/phantom-{seed + n}" for n, k in enumerate(labels))
    digest = hashlib.sha256(stacked.tobytes() + "\n".join(names).encode()).hexdigest()
    return ImageSet(stacked, labels, names, digest)


def draw_phantoms(per_class: int, seed: int) -> PhantomPool:
    """As `make_phantoms`, but with their masks, and each tumor followed by its tumor-free twin."""
    wanted = range(per_class * len(CLASS_NAMES))
    drawn = drawn_in_processes(partial(_with_twin, seed=seed), wanted, workers=1)
    images, masks, labels = zip(*(row for rows in drawn for row in rows), strict=True)
    return PhantomPool(np.stack(images), np.stack(masks), np.array(labels, dtype=np.int64))


def cached_phantoms(per_class: int, seed: int, folder: Path) -> PhantomPool:
    """As `draw_phantoms`, kept in `folder` so that a resumed run need not draw them again."""
    path = folder / f"phantom-pairs-{per_class}-{seed}.npz"
    return PhantomPool(**kept(path, lambda: dataclasses.asdict(draw_phantoms(per_class, seed))))


def make_pairs(per_class: int, seed: int = PAIR_SEED, *, workers: int = 1) -> Pairs:
    """Draws pairs of phantoms at 224 pixels and preprocesses them like any other image.

    Args:
        per_class: Pairs of each tumour class.
        seed: Seed of the first; each pair has its own, counted up from here.
        workers: Processes to draw with; the result does not depend on it.

    Returns:
        `3 * per_class` pairs, classes in turn.
    """
    wanted = range(per_class * len(TUMOURS))
    draw = partial(_pair, seed=seed)
    drawn = drawn_in_processes(draw, wanted, workers)
    labels = [CLASS_NAMES.index(TUMOURS[number % len(TUMOURS)]) for number in wanted]
    there, gone, masks = (_stacked([row[part] for row in drawn]) for part in range(3))
    return Pairs(
        there.astype(np.uint8), gone.astype(np.uint8), np.array(labels, dtype=np.int64),
        masks.astype(np.bool_),
    )  # fmt: skip


def cached_pairs(per_class: int, folder: Path, *, workers: int = 1) -> Pairs:
    """As `make_pairs`, kept in `folder`, since drawing them takes minutes."""
    path = folder / f"lesion-pairs-{per_class}-{PAIR_SEED}.npz"
    return Pairs(**kept(path, lambda: dataclasses.asdict(make_pairs(per_class, workers=workers))))


def kept(path: Path, draw: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """The arrays saved at `path`; drawn and saved there when it is missing."""
    if path.exists():
        with np.load(path, allow_pickle=False) as saved:
            return dict(saved)
    arrays = draw()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial.npz")
    np.savez_compressed(unfinished, **arrays)  # type: ignore[arg-type]
    unfinished.replace(path)
    return arrays


def drawn_in_processes(
    draw: Callable[[int], Drawn], numbers: Sequence[int], workers: int
) -> list[Drawn]:
    """`draw` of each number, in order, by `workers` processes."""
    shown = partial(tqdm, total=len(numbers), desc="phantoms", leave=False, disable=None)
    if workers <= 1:
        with one_thread():
            return [draw(number) for number in shown(numbers)]
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=one_thread
    ) as pool:
        return list(shown(pool.map(draw, numbers, chunksize=8)))


def prepared(phantom: Phantom) -> Images:
    """A phantom as the network sees it: uint8 (224, 224, 1)."""
    return to_uint8(prepare(phantom.image.astype(np.float32)))


def _phantom(number: int, seed: int, *, lesion: bool = True) -> Phantom:
    size = 224 if (number // len(CLASS_NAMES)) % 2 == 0 else 448
    label = CLASS_NAMES[number % len(CLASS_NAMES)]
    return make_phantom(label, seed + number, size=size, lesion=lesion)


def _image(number: int, seed: int) -> Images:
    return prepared(_phantom(number, seed))


def _with_twin(number: int, seed: int) -> list[tuple[Images, Images, int]]:
    """Image, mask and label of a phantom, and of a tumor's twin without it."""
    rows = []
    for lesion in (True,) if number % len(CLASS_NAMES) == NO_TUMOUR else (True, False):
        phantom = _phantom(number, seed, lesion=lesion)
        image = prepared(phantom)[:, :, 0]
        drawn = phantom.mask.astype(np.uint8) * 255
        mask = cv2.resize(drawn, image.shape, interpolation=cv2.INTER_AREA).astype(np.uint8)
        rows.append((image, mask, CLASS_NAMES.index(phantom.label)))
    return rows


def _pair(number: int, seed: int) -> tuple[Images, Images, NDArray[np.bool_]]:
    label = TUMOURS[number % len(TUMOURS)]
    there, gone = (make_phantom(label, seed + number, lesion=lesion) for lesion in (True, False))
    return prepared(there), prepared(gone), there.mask


def _stacked(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.stack(rows) if rows else np.empty((0, 224, 224, 1))
