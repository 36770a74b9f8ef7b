"""What training draws: images of the dataset and of other collections, grafts and phantoms.

In the dataset every tumor is of one style and most tumor-free images are of others, so a network
that is trained on it alone tells the classes apart by style. Four things undo that link:

- images of other collections, tumors and healthy heads evenly, and evenly by collection;
- counterfactuals: with its tumor painted out an image becomes `notumor` in its own style, with a
  patch beside the tumor painted out it keeps its class;
- grafts: tumors in healthy heads of another collection, and healthy tissue in the same way;
- phantoms, in pairs that differ in the lesion alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.dataset.collections import TUMOR, Collections
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline, outline_mask
from data.phantoms.sets import PhantomPool
from model.config import IMAGE_SIZE, NO_TUMOUR, TrainingConfig
from model.training.counterfactuals import MARGIN, control_patch, paint_out
from model.training.grafts import graft, graft_control


@dataclass(frozen=True)
class Draw:
    """An image before its augmentation; `mask` is None where the lesion is unknown.

    Attributes:
        image: uint8 (224, 224).
        mask: uint8 (224, 224), 255 inside the lesion.
        label: Index into `LABELS`.
        source: Name of the image, or "phantom ROW"; of a graft that of the head.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8] | None
    label: int
    source: str


@dataclass(frozen=True)
class _Outlined:
    """A tumor to graft: its image, uint8 (224, 224), and its mask, uint8 (224, 224)."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class Sources:
    """What the draws are made from.

    Attributes:
        dataset: Images of the four classes.
        outlines: Tumor outlines by image name.
        phantoms: Pool of phantoms, or None.
        collections: Images of other collections, or None.
    """

    dataset: ImageSet
    outlines: Mapping[str, Outline]
    phantoms: PhantomPool | None = None
    collections: Collections | None = None
    _packed: dict[int, NDArray[np.uint8]] = dataclasses.field(default_factory=dict)

    def lesion(self, row: int) -> NDArray[np.bool_] | None:
        """The outlined tumor of a dataset image, bool (224, 224), or None.

        Kept as bits once drawn: 6 KB each, where drawing it takes as long as all else of a draw.
        """
        outline = self.outlines.get(self.dataset.names[row])
        if outline is None:
            return None
        if row not in self._packed:
            self._packed[row] = np.packbits(outline_mask(outline))
        lesion = np.unpackbits(self._packed[row]).reshape(IMAGE_SIZE, IMAGE_SIZE) > 0
        # With nothing to paint out, the image as it is would be taught as `notumor`.
        return lesion if lesion.any() else None

    def shares(self, config: TrainingConfig) -> dict[str, float]:
        """Share of each kind of draw, in order; without its source a kind has none."""
        there = self.collections is not None and len(self.collections) > 0
        shares = {
            "collection": config.collection_share * there,
            "graft": config.graft_share * bool(self.outlines),
            "phantom": config.phantom_share * (self.phantoms is not None),
        }
        return {"dataset": 1.0 - sum(shares.values()), **shares}

    def draws(self, config: TrainingConfig) -> int:
        """Draws of an epoch: each dataset image once, and the other kinds on top."""
        return round(len(self.dataset) / self.shares(config)["dataset"])


KINDS = ("dataset", "collection", "graft", "phantom")
_EVEN = 250  # images up to which a larger collection is drawn more often than a smaller one
_TRIES = 4  # to find a tumor and a head in which it can be seen
_OTHER_TUMORS = 0.3  # share of the grafted tumors that are of collections, where outlined
_OWN_HEADS = 0.3  # share of the grafts that go into healthy heads of the dataset itself


def even_chances(collections: Collections) -> NDArray[np.float64]:
    """How often each image of the collections is drawn, (n,), 1 in all.

    Tumors and healthy heads are drawn equally often, and on both sides the collections are, up to
    `_EVEN` images each.
    """
    names, healthy = collections.collections, collections.healthy
    chances = np.zeros(len(collections))
    for side in (healthy, ~healthy):
        for name in np.unique(names[side]):
            rows = side & (names == name)
            chances[rows] = min(int(rows.sum()), _EVEN) / rows.sum()
        if side.any():
            chances[side] /= chances[side].sum()
    return np.asarray(chances / chances.sum())


class Draws:
    """The draws of one epoch."""

    def __init__(self, sources: Sources, config: TrainingConfig, epoch: int) -> None:
        """Settles what can be drawn, and how often an outlined tumor is changed.

        Args:
            sources: The images.
            config: The run's settings.
            epoch: Number of the epoch, from 0.
        """
        self._sources = sources
        self._graft_controls = config.graft_controls
        grown = 1.0 if config.ramp == 0 else min(1.0, epoch / (config.ramp * config.epochs))
        self.paint_out = config.paint_out_share * grown
        self.control = config.control_share * grown
        self._outlined = np.array(
            [row for row, name in enumerate(sources.dataset.names) if name in sources.outlines],
            dtype=np.int64,
        )
        self._healthy = np.flatnonzero(sources.dataset.labels == NO_TUMOUR)
        if sources.collections is not None:
            self._chances = np.cumsum(even_chances(sources.collections))
            side = np.where(sources.collections.healthy, even_chances(sources.collections), 0.0)
            self._healthy_chances = np.cumsum(side)

    def draw(self, kind: str, row: int, rng: np.random.Generator) -> Draw:
        """A draw of one of `KINDS`; of the dataset the image of a row."""
        if kind == "phantom":
            pool = self._sources.phantoms
            assert pool is not None  # or the kind would have no share
            row = int(rng.integers(len(pool)))
            label = int(pool.labels[row])
            return Draw(pool.images[row], pool.masks[row], label, f"phantom {row}")
        if kind == "collection":
            return self._counterfactual(self._from_collection(self._chances, rng), rng)
        if kind == "graft":
            return self._graft(rng)
        return self._counterfactual(self._from_dataset(row), rng)

    def _from_dataset(self, row: int) -> Draw:
        dataset = self._sources.dataset
        image, label = dataset.images[row, :, :, 0], int(dataset.labels[row])
        name = dataset.names[row]
        if label == NO_TUMOUR:
            return Draw(image, np.zeros_like(image), label, name)
        lesion = self._sources.lesion(row)
        mask = None if lesion is None else lesion.astype(np.uint8) * 255
        return Draw(image, mask, label, name)

    def _from_collection(self, chances: NDArray[np.float64], rng: np.random.Generator) -> Draw:
        collections = self._sources.collections
        assert collections is not None  # or the kind would have no share
        row = min(int(np.searchsorted(chances, rng.random() * chances[-1])), len(collections) - 1)
        mask = collections.lesions[row] if collections.known[row] else None
        label, name = int(collections.labels[row]), collections.names[row]
        return Draw(collections.images[row, :, :, 0], mask, label, name)

    def _healthy_head(self, rng: np.random.Generator) -> Draw:
        """A healthy head of the dataset or of a collection."""
        collections = self._sources.collections
        if collections is None or not collections.healthy.any() or rng.random() < _OWN_HEADS:
            return self._from_dataset(int(rng.choice(self._healthy)))
        return self._from_collection(self._healthy_chances, rng)

    def _graft(self, rng: np.random.Generator) -> Draw:
        """A healthy head with a tumor of another image, or with its own tissue blended alike."""
        host = self._healthy_head(rng)
        control = rng.random() < self._graft_controls
        for _ in range(_TRIES):
            donor = self._donor(rng)
            if control:
                blended = graft_control(donor.mask > 0, host.image, rng)
                if blended is not None:
                    return dataclasses.replace(host, image=blended)
            else:
                found = graft(donor.image, donor.mask > 0, host.image, rng)
                if found is not None:
                    return Draw(found[0], found[1].astype(np.uint8) * 255, TUMOR, host.source)
            host = self._healthy_head(rng)
        return host

    def _donor(self, rng: np.random.Generator) -> _Outlined:
        """An outlined tumor of the dataset or of a collection."""
        collections = self._sources.collections
        if collections is not None and rng.random() < _OTHER_TUMORS:
            other = self._from_collection(self._chances, rng)
            if other.mask is not None and other.mask.any():
                return _Outlined(other.image, other.mask)
        row = int(rng.choice(self._outlined))
        mask = self._sources.lesion(row)
        image = self._sources.dataset.images[row, :, :, 0]
        return _Outlined(image, np.zeros_like(image) if mask is None else mask.astype(np.uint8))

    def _counterfactual(self, draw: Draw, rng: np.random.Generator) -> Draw:
        """The image itself, or one of its two counterfactuals."""
        if draw.label == NO_TUMOUR or draw.mask is None or not draw.mask.any():
            return draw
        chance, lesion = rng.random(), draw.mask > 0
        margin = MARGIN - 1 + int(rng.integers(4))
        if chance < self.paint_out:
            painted = paint_out(draw.image, lesion, margin=margin)
            return Draw(painted, np.zeros_like(draw.mask), NO_TUMOUR, draw.source)
        if chance < self.paint_out + self.control:
            seed = int(rng.integers(2**31))
            control = control_patch(draw.image, lesion, seed=seed, margin=margin)
            return draw if control is None else dataclasses.replace(draw, image=control)
        return draw
