"""Slices of the figshare brain tumour collection: MATLAB v7.3 files, which are HDF5.

Each file holds a struct ``cjdata`` with `label`, `PID`, `image`, `tumorBorder` and `tumorMask`.
MATLAB stores columns first, so HDF5 shows every array transposed; and it counts pixels from 1 at
their centres, where `data.dataset.outline_files` counts from 0 at the image's edge: half a pixel
between.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from data.dataset.outline_files import OutlinesError, fill_polygon
from model.reading.pictures.guards import MAX_PIXELS

FIELDS = ("label", "PID", "image", "tumorBorder", "tumorMask")
LABELS = {1: "meningioma", 2: "glioma", 3: "pituitary"}
AGREEMENT = 0.8  # IoU with the mask below which a border is not believed
TRACE = 3  # times finer the mask is where its contour is traced


class MatError(OutlinesError):
    """A file is not a slice of the collection, or it is damaged; says which and why."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One slice of the collection.

    Attributes:
        number: from the file's name, from 1.
        label: "meningioma", "glioma" or "pituitary".
        patient: the patient's id.
        image: float32 (height, width), as the scanner's units.
        outline: float64 (k, 2), x and y in this image's pixels, pixel i from i to i + 1.
        traced: the outline is the mask's contour, because the border disagrees with the mask.
    """

    number: int
    label: str
    patient: str
    image: NDArray[np.float32]
    outline: NDArray[np.float64]
    traced: bool


def read_slice(content: bytes, number: int, name: str) -> Slice:
    """Read one ``.mat`` file.

    Args:
        content: the whole file.
        number: of the slice.
        name: of the file, for errors.

    Raises:
        MatError: not HDF5, or a field is missing, empty, of another shape or out of range.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _slice(_struct(file), number)
    except MatError as error:
        raise MatError(f"{name}: {error}") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # h5py's, if damaged
        if content.startswith(b"MATLAB 5.0"):
            raise MatError(f"{name} is an older MATLAB file; v7.3 (HDF5) is needed") from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MatError(f"{name} is not HDF5 (MATLAB v7.3), or it is damaged: {reason}") from error


def border_outline(
    border: NDArray[np.float64], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], bool]:
    """Turn a stored border into an outline, trusting the mask.

    The collection's description does not say which coordinate of a pair comes first, so both
    readings are compared with the mask. Where neither fits, the contour of the mask's largest part
    is traced instead.

    Args:
        border: (2k,) pairs of coordinates, counted from 1.
        mask: bool (height, width), not empty.

    Returns:
        (k, 2) x and y, pixel i from i to i + 1; and whether it was traced.
    """
    pairs = border.reshape(-1, 2) - 0.5
    readings = (pairs, np.ascontiguousarray(pairs[:, ::-1]))
    fits = [_overlap(fill_polygon(reading, *mask.shape), mask) for reading in readings]
    best = int(np.argmax(fits))
    if fits[best] >= AGREEMENT:
        return readings[best], False
    return _trace(mask), True


def _overlap(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    return float((left & right).sum() / max((left | right).sum(), 1))


def _trace(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    fine = mask.astype(np.uint8).repeat(TRACE, axis=0).repeat(TRACE, axis=1)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=cv2.contourArea)
    outline: NDArray[np.float64] = (largest[:, 0].astype(np.float64) + 0.5) / TRACE
    return outline


def _struct(file: h5py.File) -> dict[str, h5py.Dataset]:
    struct = file.get("cjdata")
    if not isinstance(struct, h5py.Group):
        raise MatError(f"has no struct `cjdata`. It holds: {', '.join(file) or 'nothing'}")
    missing = [name for name in FIELDS if not isinstance(struct.get(name), h5py.Dataset)]
    if missing:
        raise MatError(f"`cjdata` has no {', '.join(f'`{name}`' for name in missing)}")
    for name in FIELDS:
        if struct[name].attrs.get("MATLAB_empty", 0) or struct[name].size == 0:
            raise MatError(f"`{name}` is empty")
        if struct[name].size > MAX_PIXELS:
            raise MatError(f"`{name}` is too large: {struct[name].shape}")
        if struct[name].dtype.kind not in "iufb":
            raise MatError(f"`{name}` must hold numbers. Received: {struct[name].dtype}")
    return {name: struct[name] for name in FIELDS}


def _slice(struct: dict[str, h5py.Dataset], number: int) -> Slice:
    label = _label(struct["label"][()])
    image = struct["image"][()].T.astype(np.float32)
    mask = struct["tumorMask"][()].T != 0
    border = struct["tumorBorder"][()].astype(np.float64).ravel()
    if image.ndim != 2 or min(image.shape) < 2:
        raise MatError(f"`image` must have shape (height, width). Received: {image.shape}")
    if not np.isfinite(image).all():
        raise MatError("`image` must be finite. Received: NaN or infinite values")
    if image.min() == image.max():
        raise MatError("`image` is flat")
    if mask.shape != image.shape:
        raise MatError(f"`tumorMask` must be as `image`, {image.shape}. Received: {mask.shape}")
    if not mask.any():
        raise MatError("`tumorMask` has no tumour in it")
    if border.size < 6 or border.size % 2:
        raise MatError(
            f"`tumorBorder` must be at least 3 pairs of coordinates. Received: {border.size} values"
        )
    if not (np.abs(border) <= 2 * max(image.shape)).all():  # also for NaN
        raise MatError("`tumorBorder` lies outside the image")
    outline, traced = border_outline(border, mask)
    return Slice(number, label, _patient(struct["PID"][()]), image, outline, traced)


def _label(value: NDArray[Any]) -> str:
    number = float(value.ravel()[0]) if value.size == 1 else None
    if number not in LABELS:
        known = ", ".join(f"{code} ({name})" for code, name in LABELS.items())
        received = f"{value.size} values" if number is None else f"{number:g}"
        raise MatError(f"`label` must be one of {known}. Received: {received}")
    return LABELS[int(number)]


def _patient(value: NDArray[Any]) -> str:
    """Text stored as character codes, one a row; or a plain number."""
    if value.dtype.kind == "u":
        text = "".join(chr(code) for code in value.T.ravel()).strip()
    else:
        text = f"{value.ravel()[0]:g}" if value.size == 1 else ""
    if not text or not text.isprintable():
        raise MatError("`PID` must be a text that is not empty")
    return text
