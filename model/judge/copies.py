"""Copies of training images, found by signatures alone: nobody needs the images.

A signature says where a picture is brighter or darker than its surroundings. The picture becomes
112 x 112 pixels of 8 bits, then 28 x 28 block means, less the mean of the 5 x 5 blocks around
each; each of the 512 bits is the sign of one fixed random sum of the 784 values. Alike pictures
differ in few bits, whatever their contrast and brightness. 64 bytes do not hold a picture.

`training_signatures.npz` has one for each image of the dataset, in the order of `data/splits.csv`,
and for each image of the other collections whose person is not held out; `python -m
model.judge.signatures` makes it. Measured: of the 989 test images with a copy in Training 987 are
found there, and of the 322 without 7 are taken for copies (neighbouring slices of one head). Of
919 images of other collections all but one copy differ from all of the dataset in 78 bits or more.
Of 200 images nearly all are found after JPEG of quality 30, another gamma or brightness, a mirror
or a turn by one degree; cut by two pixels on each side of 224, most are missed.

Data contract: pictures are float32 (224, 224, 1) in [0, 1], as `model.preprocessing` makes them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset.division import Manifest
from model.judge.cases import Case

FILE = Path(__file__).with_name("training_signatures.npz")
SMALL, GRID = 112, 28
AROUND = 5
BITS = 512
MOST_BITS = 44
"""By how many bits a copy may differ."""
_TRAINING = "Training/"


@dataclass(frozen=True)
class Match:
    """The image that a picture is a copy of.

    Attributes:
        file: Its name in the dataset, or in the other collections.
        mirrored: Whether the picture is its mirror image.
    """

    file: str
    mirrored: bool


def signature(image: NDArray[np.float32]) -> bytes:
    """The signature of a picture, 64 bytes."""
    pixels = np.rint(_block_means(image[:, :, 0], SMALL) * 255)  # (112, 112)
    means = _block_means(pixels, GRID)  # (28, 28)
    padded = np.pad(means, AROUND // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (AROUND, AROUND))
    detail = means - windows.mean(axis=(2, 3))
    return np.packbits(_sums() @ detail.ravel() > 0).tobytes()


def _block_means(pixels: NDArray[np.floating[Any]], side: int) -> NDArray[np.floating[Any]]:
    """Square pixels to (side, side)."""
    block = len(pixels) // side
    means: NDArray[np.floating[Any]] = pixels.reshape(side, block, side, block).mean(axis=(1, 3))
    return means


def both_signatures(image: NDArray[np.float32]) -> dict[str, str]:
    """What a row of a batch holds for `Known.find`: the signatures of a picture and its mirror."""
    return {"plain": signature(image).hex(), "mirror": signature(image[:, ::-1]).hex()}


@lru_cache(maxsize=1)
def _sums() -> NDArray[np.float64]:
    """Plus or minus one, (512, 784): the same everywhere and for ever."""
    stream = hashlib.shake_256(b"sums of a signature").digest(BITS * GRID * GRID // 8)
    bits = np.unpackbits(np.frombuffer(stream, dtype=np.uint8)).astype(np.float64)
    return bits.reshape(BITS, GRID * GRID) * 2 - 1


class Known:
    """Signatures of images that a network may have learned from."""

    def __init__(self, files: tuple[str, ...], signatures: NDArray[np.uint8]) -> None:
        """Takes the images' names and their signatures, uint8 (n, 64)."""
        self.files = files
        self._signatures = signatures

    @classmethod
    def load(cls, path: Path = FILE) -> Known:
        """Reads a file of `model.judge.signatures`."""
        with np.load(path, allow_pickle=False) as saved:
            return cls(tuple(saved["files"].tolist()), saved["signatures"])

    def find(self, plain: str, mirror: str) -> Match | None:
        """The nearest image, if it is near enough to be the same.

        Args:
            plain, mirror: Of `both_signatures`.
        """
        nearest = []
        for text in (plain, mirror):
            own = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
            distance = np.bitwise_count(self._signatures ^ own).sum(axis=1, dtype=np.int64)
            nearest.append((int(distance.min()), int(distance.argmin())))
        mirrored = nearest[1][0] < nearest[0][0]
        bits, at = nearest[mirrored]
        return Match(self.files[at], mirrored) if bits <= MOST_BITS else None


def training_files(manifest: Manifest) -> dict[str, str]:
    """The image of Training that each image of the dataset is or is a copy of, where there is one.

    Args:
        manifest: The dataset's division, whose groups hold what signatures may miss.
    """
    first: dict[str, str] = {}
    for file, row in manifest.rows.items():
        if file.startswith(_TRAINING):
            first.setdefault(row["group"], file)
    found = {file: first.get(row["group"], "") for file, row in manifest.rows.items()}
    itself = {file: file for file in found if file.startswith(_TRAINING)}
    return {file: origin for file, origin in (found | itself).items() if origin}


def marked(case: Case, match: Match | None, trained: dict[str, str]) -> Case:
    """The case, as a copy where its match is an image that was trained on, or a copy of one."""
    if match is None:
        return case
    # images of the other collections are in no division: those with a signature were trained on
    in_dataset = match.file.split("/")[0] in ("Training", "Testing")
    origin = trained.get(match.file) if in_dataset else match.file
    return case if origin is None else replace(case, copy_of=origin, mirrored=match.mirrored)
