"""Preprocessed images in one file on the disk, for datasets that do not fit the memory.

Data contract: `images.u8` holds one image after the other, uint8 224 x 224, as `ImageSet` holds
them; `images.sha256` the 32-byte SHA-256 of the encoded file that each was made from, in the same
order. An image is known by that hash alone: a file that was renamed, or stands in two datasets, is
stored once, and one that was changed is another image. What a stop leaves half written is written
again. Images are read from the file as they are asked for and never mapped, so that they take no
memory of the process.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import PIL
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from model.config import IMAGE_SIZE
from model.preprocessing import SETTINGS, ImageError

log = logging.getLogger(__name__)

SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 1)
ROW = IMAGE_SIZE * IMAGE_SIZE
DIGEST = hashlib.sha256().digest_size
_CHUNK = 256  # files that are read before what they give is written, and lost by a stop


Decode = Callable[[bytes], NDArray[np.uint8]]


class ImageArray(Protocol):
    """Images in memory or on the disk: what an array and `StoredImages` have in common."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __getitem__(self, key: Any, /) -> NDArray[np.uint8]: ...

    def __array__(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class StoredImages:
    """Rows of a store; like uint8 (n, 224, 224, 1), of which what is indexed is read.

    Attributes:
        path: The store's `images.u8`.
        rows: int64 (n,), places in it.
    """

    path: Path
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.rows), *SHAPE)

    @property
    def ndim(self) -> int:
        return 1 + len(SHAPE)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """As for an array: an integer, a slice or an array of rows first, then what NumPy takes."""
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        chosen = self.rows[first]
        if chosen.ndim == 0:
            image: NDArray[np.uint8] = self._read(chosen[np.newaxis])[0]
            return np.asarray(image[rest])
        images = self._read(chosen)
        return images[(slice(None), *rest)] if rest else images

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[k] for k in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("`copy` must not be False for images on the disk. Received: False")
        images = self._read(self.rows)
        return images if dtype is None else images.astype(dtype, copy=False)

    def take(self, indices: NDArray[np.int64]) -> StoredImages:
        """The images at `indices`, int64 (k,), none of which is read."""
        return StoredImages(self.path, self.rows[indices])

    def _read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        images = np.empty((len(rows), *SHAPE), dtype=np.uint8)
        with self.path.open("rb", buffering=0) as file:
            starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)  # of runs of neighbours
            for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
                file.seek(int(rows[start]) * ROW)
                wanted = images[start:end].data.cast("B")
                while len(wanted):
                    got = file.readinto(wanted)
                    if not got:
                        raise OSError(f"{self.path} was cut short after it was opened")
                    wanted = wanted[got:]
        return images


def join(parts: Sequence[StoredImages]) -> StoredImages:
    """Images of one store, one after the other.

    Raises:
        ValueError: There is no part, or they are of several stores.
    """
    stores = {part.path for part in parts}
    if len(stores) != 1:
        raise ValueError(f"`parts` must be of one store. Received: {len(stores)} stores")
    return StoredImages(parts[0].path, np.concatenate([part.rows for part in parts]))


class ImageStore:
    """A store in a folder; several processes may use it, one at a time adds to it."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the store of today's preprocessing in `folder`."""
        made_by = json.dumps([SETTINGS, PIL.__version__], sort_keys=True).encode()
        self.folder = folder / f"images-{hashlib.sha256(made_by).hexdigest()[:12]}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path, self._index = self.folder / "images.u8", self.folder / "images.sha256"

    def add(
        self, paths: Sequence[Path], decode: Decode, description: str
    ) -> tuple[StoredImages, list[bytes | None]]:
        """Puts the images of files into the store, where they are not yet.

        Args:
            paths: Encoded images.
            decode: From a file's content to uint8 (224, 224, 1), by `model.preprocessing`; raises
                `ImageError` where that is no image.
            description: What the progress bar says.

        Returns:
            The images that could be read, in order; and for each file the SHA-256 of its
            content, or None where it could not be read as an image.
        """
        rows: list[int] = []
        digests: list[bytes | None] = []
        with FileLock(self.folder / "lock"), ThreadPoolExecutor(2) as pool:
            known = self._open()
            with tqdm(total=len(paths), desc=description, leave=False, disable=None) as bar:
                for start in range(0, len(paths), _CHUNK):
                    part = paths[start : start + _CHUNK]
                    found = list(pool.map(lambda path: _read(path, known, decode), part))
                    self._append(found, known)
                    for digest, _ in found:
                        row = known.get(digest)
                        digests.append(None if row is None else digest)
                        rows += [] if row is None else [row]
                    bar.update(len(part))
        return StoredImages(self.path, np.array(rows, dtype=np.int64)), digests

    def _open(self) -> dict[bytes, int]:
        """The row of each hash; what a stop left half written is cut off."""
        for file in (self.path, self._index):
            file.touch()
        whole = min(self.path.stat().st_size // ROW, self._index.stat().st_size // DIGEST)
        os.truncate(self.path, whole * ROW)
        os.truncate(self._index, whole * DIGEST)
        content = self._index.read_bytes()
        return {content[k * DIGEST : (k + 1) * DIGEST]: k for k in range(whole)}

    def _append(
        self, found: Sequence[tuple[bytes, NDArray[np.uint8] | None]], known: dict[bytes, int]
    ) -> None:
        """Writes new images, then their hashes: a hash without its image must never stand."""
        fresh = {digest: image for digest, image in found if image is not None}
        if not fresh:
            return
        for file, parts in ((self.path, _bytes_of(fresh)), (self._index, iter(fresh))):
            with file.open("ab") as stream:
                stream.writelines(parts)
                stream.flush()
                os.fsync(stream.fileno())
        for digest in fresh:
            known[digest] = len(known)


def _bytes_of(images: dict[bytes, NDArray[np.uint8]]) -> Iterator[bytes]:
    return (image.tobytes() for image in images.values())


def _read(
    path: Path, known: dict[bytes, int], decode: Decode
) -> tuple[bytes, NDArray[np.uint8] | None]:
    """A file's hash, and its image unless that is known or cannot be read."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).digest()
    if digest in known:
        return digest, None
    try:
        return digest, decode(content)
    except ImageError as error:
        log.debug("%s: %s", path, error)
        return digest, None
