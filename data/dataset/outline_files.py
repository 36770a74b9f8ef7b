"""Tumour outlines as a file, in memory and as masks.

Data contract: a JSON object, one entry an image, keys ``class/file name``, sorted::

    {"glioma/Tr-gl_0010.jpg": {"source_slice": 2546, "mirrored": false,
                               "outline": [[71.3, 98.0], ...], "patient": "100360"}}

`outline` is a polygon of (x, y) points, x to the right and y down, in pixels of the image at
224 x 224: pixel i reaches from i to i + 1, so that the image reaches from 0 to 224 and a mirrored
image has 224 - x. It may be closed or not. `patient` may be absent, and fields that are not named
here are passed over. ``python -m data.outlines`` writes such a file.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from data.dataset.image_set import dataset_names
from model.config import CLASS_NAMES, IMAGE_SIZE

FINENESS = 7  # odd, so that one of the finer pixels has its centre at the pixel's centre
FRACTION_BITS = 4  # of the coordinates that OpenCV draws


class OutlinesError(ValueError):
    """A file of outlines, or what one is made from, is not as it should be; says why."""


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of one tumour in one dataset image.

    Attributes:
        source_slice: number of the slice in the figshare collection, from 1.
        mirrored: the dataset image is the slice's left-right mirror image.
        outline: float32 (k, 2), k >= 3: x and y in the dataset image, in [0, 224].
        patient: the collection's patient id, where the file has it.
    """

    source_slice: int
    mirrored: bool
    outline: NDArray[np.float32]
    patient: str | None = None


def load_outlines(path: str | os.PathLike[str]) -> dict[str, Outline]:
    """Read and check a file of outlines.

    Args:
        path: a JSON file as described above.

    Returns:
        Outlines by ``class/file name``, in the file's order.

    Raises:
        FileNotFoundError: there is no such file.
        OutlinesError: it is not JSON, has no entry, or an entry is not as described; the message
            names the entry.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise OutlinesError(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise OutlinesError(f"{path} is nested too deeply to be a file of outlines") from error
    except OutlinesError as error:
        raise OutlinesError(f"{path}: {error}") from error
    if not isinstance(content, dict) or not content:
        raise OutlinesError(f"{path} must be a JSON object with at least one entry")
    outlines = {}
    for key, entry in content.items():
        try:
            _check_key(key)
            outlines[key] = _parse(entry)
        except OutlinesError as error:
            raise OutlinesError(f"{path}, entry {key!r}: {error}") from error
    return outlines


def save_outlines(outlines: Mapping[str, Outline], path: str | os.PathLike[str]) -> None:
    """Write a file of outlines: keys sorted, an entry a line, one decimal; all of it or nothing.

    Args:
        outlines: outlines by ``class/file name``.
        path: where to; a file that is there is replaced, and missing folders are made.

    Raises:
        OSError: writing failed; what was at `path` is as it was.
    """
    path = Path(path)
    lines = [f"{json.dumps(key)}: {json.dumps(_entry(outlines[key]))}" for key in sorted(outlines)]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("{\n" + ",\n".join(lines) + "\n}\n")
        Path(name).chmod(0o644)  # mkstemp's files are their owner's alone
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def outline_mask(
    outline: Outline | NDArray[np.float32], size: int = IMAGE_SIZE
) -> NDArray[np.bool_]:
    """Rasterise an outline: a pixel is in when its centre is.

    Args:
        outline: an outline, or its points, (k, 2) x and y in [0, 224].
        size: side of the mask; the outline is scaled with it.

    Returns:
        bool (size, size), indexed [y, x].

    Raises:
        ValueError: `size` is below 1, or the points are not of shape (k, 2) with k >= 3.
    """
    points = outline.outline if isinstance(outline, Outline) else outline
    if size < 1:
        raise ValueError(f"`size` must be at least 1. Received: {size}")
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise ValueError(f"`outline` must have shape (k, 2), k >= 3. Received: {points.shape}")
    return fill_polygon(points.astype(np.float64) * (size / IMAGE_SIZE), size, size)


def fill_polygon(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels whose centres lie in a polygon.

    Args:
        points: (k, 2) x and y in pixels, pixel i reaching from i to i + 1.
        height, width: of the mask.

    Returns:
        bool (height, width). Drawn `FINENESS` times finer, because OpenCV also paints every
        pixel that the border touches.
    """
    fine = np.zeros((height * FINENESS, width * FINENESS), np.uint8)
    # OpenCV's coordinates are 0 at the centre of the first pixel
    drawn = np.rint((points * FINENESS - 0.5) * 2**FRACTION_BITS).astype(np.int32)
    cv2.fillPoly(fine, [drawn], (1,), shift=FRACTION_BITS)
    middle = FINENESS // 2
    return fine[middle::FINENESS, middle::FINENESS].astype(np.bool_)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise OutlinesError(f"named more than once: {', '.join(twice[:5])}")
    return content


def _check_key(key: str) -> None:
    label, slash, name = key.partition("/")
    if label not in CLASS_NAMES or not slash or not name or "/" in name:
        raise OutlinesError(
            f"the key must be class/file name, the class one of {', '.join(CLASS_NAMES)}"
        )


def _parse(entry: Any) -> Outline:
    if not isinstance(entry, dict):
        raise OutlinesError(f"must be an object. Received: {type(entry).__name__}")
    missing = [name for name in ("source_slice", "mirrored", "outline") if name not in entry]
    if missing:
        raise OutlinesError(f"has no {' and no '.join(f'`{name}`' for name in missing)}")
    number, mirrored, patient = entry["source_slice"], entry["mirrored"], entry.get("patient")
    if type(number) is not int or number < 1:
        raise OutlinesError(f"`source_slice` must be an integer from 1. Received: {number!r}")
    if type(mirrored) is not bool:
        raise OutlinesError(f"`mirrored` must be true or false. Received: {mirrored!r}")
    if patient is not None and (not isinstance(patient, str) or not patient):
        raise OutlinesError(f"`patient` must be a text that is not empty. Received: {patient!r}")
    return Outline(number, mirrored, _points(entry["outline"]), patient)


def _points(value: Any) -> NDArray[np.float32]:
    legal = f"`outline` must be at least 3 pairs of numbers from 0 to {IMAGE_SIZE}."
    try:
        points = np.asarray(value)
    except ValueError:
        raise OutlinesError(f"{legal} Received: rows of different lengths") from None
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise OutlinesError(f"{legal} Received: shape {points.shape}")
    if points.dtype.kind not in "if":
        raise OutlinesError(f"{legal} Received: values that are not numbers")
    if not ((points >= 0) & (points <= IMAGE_SIZE)).all():  # also False for NaN
        raise OutlinesError(f"{legal} Received: {points.min()} to {points.max()}")
    return points.astype(np.float32)


def _entry(outline: Outline) -> dict[str, Any]:
    points = [[round(float(x), 1), round(float(y), 1)] for x, y in outline.outline]
    entry: dict[str, Any] = {
        "source_slice": outline.source_slice,
        "mirrored": outline.mirrored,
        "outline": points,
    }
    return entry if outline.patient is None else {**entry, "patient": outline.patient}


def outlines_of(data: Path | Sequence[Path], outlines: Path | Sequence[Path]) -> dict[str, Outline]:
    """Reads outlines by the names that the images have in an `ImageSet`.

    Args:
        data: As for `data.dataset.image_set.load_split`.
        outlines: A file of outlines for each dataset, in the same order; the last datasets may
            be without.

    Raises:
        ValueError: There are more files than datasets.
        OSError, OutlinesError: A file cannot be read.
    """
    names = dataset_names(data)
    files = [outlines] if isinstance(outlines, Path) else list(outlines)
    if len(files) > len(names):
        raise ValueError(
            f"`outlines` must be at most one file for each dataset. Received: {len(files)} files "
            f"for {len(names)} datasets"
        )
    found: dict[str, Outline] = {}
    for dataset, file in zip(names, files, strict=False):
        for key, outline in load_outlines(file).items():
            label, _, name = key.partition("/")
            found["/".join(filter(None, (label, dataset, name)))] = outline
    return found
