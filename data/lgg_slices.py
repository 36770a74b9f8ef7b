"""The slices of `lgg-mri-segmentation` as two collections: FLAIR and contrast T1 of each person.

Data contract: a person is a folder of ``NAME_SLICE.tif``, uint8 (height, width, 3), with contrast
T1 in the last channel and FLAIR in the middle one (where the contrast is missing, FLAIR stands
there too), beside ``NAME_SLICE_mask.tif``, 255 inside the lesion.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

CHANNELS = {"lgg-flair": 1, "lgg-t1c": 2}
EACH = 7
"""Slices of a person with the lesion, and as many without."""

_LESION = 0.004  # share of the slice from which a lesion can be seen for certain
_BRAIN = 0.15  # share of the slice that is brighter than air, from which it shows a brain


def find_people(folder: Path) -> list[Path]:
    """The folders of people below a folder, in order."""
    return sorted({path.parent for path in folder.rglob("TCGA_*_mask.tif")})


def write_slices(people: Sequence[Path], out: Path) -> None:
    """Writes `EACH` slices with and without the lesion of each person, and `outlines.json`.

    Args:
        people: From `find_people`; a person's number is the place in it.
        out: Folder for the collections.
    """
    outlines: dict[str, dict[str, list[list[list[float]]]]] = {name: {} for name in CHANNELS}
    for number, person in enumerate(people):
        for label, slices in _chosen(person).items():
            for place, (image, mask) in slices:
                name = f"{number:03d}-{place:02d}.png"
                for collection, channel in CHANNELS.items():
                    if channel == 2 and np.array_equal(image[..., 1], image[..., 2]):
                        continue
                    path = out / collection / label / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(image[..., channel]).save(path)
                    if label == "glioma":
                        outlines[collection][name] = _polygons(mask)
    for collection, found in outlines.items():
        if found:
            path = out / collection / "outlines.json"
            path.write_text(json.dumps(found), encoding="utf-8")


_Slice = tuple[int, tuple[NDArray[np.uint8], NDArray[np.bool_]]]


def _chosen(person: Path) -> dict[str, list[_Slice]]:
    """Slices of a person by class, evenly over those that show enough."""
    found: dict[str, list[_Slice]] = {"glioma": [], "notumor": []}
    for masked in sorted(person.glob("*_mask.tif"), key=_place):
        path = masked.with_name(masked.name.replace("_mask", ""))
        image, mask = np.asarray(Image.open(path)), np.asarray(Image.open(masked)) > 127
        brain = (image[..., 1] > 20).mean()
        if mask.mean() >= _LESION:
            found["glioma"].append((_place(masked), (image, mask)))
        elif not mask.any() and brain >= _BRAIN:
            found["notumor"].append((_place(masked), (image, mask)))
    return {label: _evenly(slices) for label, slices in found.items()}


def _place(masked: Path) -> int:
    return int(masked.stem.split("_")[-2])


def _evenly(slices: list[_Slice]) -> list[_Slice]:
    places = np.linspace(0, len(slices) - 1, min(EACH, len(slices))).round().astype(int)
    return [slices[place] for place in places]


def _polygons(mask: NDArray[np.bool_]) -> list[list[list[float]]]:
    """Outlines of the lesion, (x, y) as fractions of width and height."""
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    size = np.array(mask.shape[::-1])
    fractions = [((contour[:, 0] + 0.5) / size).round(4).tolist() for contour in contours]
    return [points for points in fractions if len(points) >= 3]
