"""Which dataset image shows which slice of the collection, and the slice's outline in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.audit.copies import MIRRORED, CopyPairs, coarse_pairs, gather
from data.dataset.outline_files import Outline
from data.outlines.mat import LABELS, Slice
from model.config import CLASS_NAMES, IMAGE_SIZE

# Cosine. Among the dataset's own images, copies of one slice are above 0.9997, and images of two
# slices, mirrored or not, below 0.992.
MATCH_THRESHOLD = 0.995
TUMOURS = tuple(name for name in CLASS_NAMES if name in LABELS.values())


@dataclass(frozen=True)
class SliceOutline:
    """What is kept of a slice: everything but its pixels.

    Attributes:
        number, label, patient, traced: as in `data.outlines.mat.Slice`.
        outline: float32 (k, 2), x and y in [0, 224], of the slice as it is.
    """

    number: int
    label: str
    patient: str
    outline: NDArray[np.float32]
    traced: bool


class Conflict(NamedTuple):
    """A dataset image whose folder says another class than the slice it shows."""

    name: str
    source_slice: int
    label: str


@dataclass(frozen=True)
class Matches:
    """What came of matching.

    Attributes:
        outlines: by ``class/file name``, for images in tumour classes.
        conflicts: images filed under another class than their slice's. Those in a tumour class
            have an outline all the same; those in ``notumor`` have none.
        images: number of dataset images of each class.
        matched_slices: number of slices of each class that some image shows.
    """

    outlines: dict[str, Outline]
    conflicts: tuple[Conflict, ...]
    images: dict[str, int]
    matched_slices: dict[str, int]

    def without_outline(self) -> dict[str, int]:
        """Images of each tumour class that have no outline."""
        outlined = Counter(name.partition("/")[0] for name in self.outlines)
        return {label: self.images[label] - outlined[label] for label in TUMOURS}


def in_dataset_pixels(found: Slice) -> SliceOutline:
    """Scale a slice's outline to 224 x 224, as preprocessing scales its image; clip to it."""
    height, width = found.image.shape
    scaled = found.outline * (IMAGE_SIZE / np.array([width, height]))
    points = np.clip(scaled, 0.0, IMAGE_SIZE).astype(np.float32)
    return SliceOutline(found.number, found.label, found.patient, points, found.traced)


def match(
    names: Sequence[str],
    images: NDArray[np.float32],
    slices: Sequence[SliceOutline],
    sources: NDArray[np.float32],
) -> Matches:
    """Find the slice that each dataset image shows, and its outline in the image.

    Args:
        names: ``class/file name`` of n dataset images.
        images: float32 (n, 32, 32), their signatures (`data.audit.signatures`).
        slices: m slices.
        sources: float32 (m, 32, 32), their signatures.

    Returns:
        The outlines and what to report. Of several slices that an image resembles, or of a slice
        and its mirror image, the most similar one counts.
    """
    pairs = gather([*coarse_pairs(images, sources, least=MATCH_THRESHOLD)])
    outlines: dict[str, Outline] = {}
    conflicts: list[Conflict] = []
    matched: set[int] = set()
    for row, column, mirrored in _nearest(pairs):
        name, found = names[row], slices[column]
        label = name.partition("/")[0]
        matched.add(column)
        if label != found.label:
            conflicts.append(Conflict(name, found.number, found.label))
        if label in TUMOURS:
            outlines[name] = _in_image(found, mirrored)
    return Matches(
        outlines,
        tuple(conflicts),
        _count(name.partition("/")[0] for name in names),
        _count(slices[column].label for column in matched),
    )


def _nearest(pairs: CopyPairs) -> list[tuple[int, int, bool]]:
    """Row, most similar column and whether mirrored, for each row that has a pair, ascending."""
    order = np.lexsort((pairs.right, -pairs.similarity, pairs.left))
    _, first = np.unique(pairs.left[order], return_index=True)
    chosen = order[first]
    return list(
        zip(
            pairs.left[chosen].tolist(),
            pairs.right[chosen].tolist(),
            (pairs.transform[chosen] == MIRRORED).tolist(),
            strict=True,
        )
    )


def _in_image(found: SliceOutline, mirrored: bool) -> Outline:
    points = found.outline.copy()
    if mirrored:
        points[:, 0] = IMAGE_SIZE - points[:, 0]
    return Outline(found.number, mirrored, points, found.patient)


def _count(labels: Iterable[str]) -> dict[str, int]:
    counts = Counter(labels)
    return {label: counts[label] for label in CLASS_NAMES}
