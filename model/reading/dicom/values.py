"""A DICOM frame's stored values as one grey channel, after the transforms that its file asks for.

In the order of PS3.3 C.7.6.3 and C.11: padding becomes background, the modality transform comes
before the window, a palette's indices become its colours, and MONOCHROME1, where large values are
dark, is inverted. What the standard does not allow, such as a window without a width, counts as
absent, since `model.preprocessing.prepare` has a window of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import _expand_segmented_lut, apply_modality_lut, apply_voi_lut

from model.reading.errors import ImageError

_ROWS_AT_ONCE = 256
_LUMINANCE = np.array([0.299, 0.587, 0.114])  # as Pillow's "L" (ITU-R 601-2)
_COLORS = ("Red", "Green", "Blue")
_MOST_ENTRIES = 2**16
_NOT_A_NUMBER = (TypeError, ValueError, ArithmeticError, LookupError)  # of what is no number


def grey(raw: NDArray[Any], dataset: Dataset) -> NDArray[np.float32]:
    """One grey channel, after the transforms that the file asks for.

    Args:
        raw: Stored values, (rows, columns) or (rows, columns, samples).
        dataset: What the file says of the frame; transforms that make no sense are dropped from it.

    Raises:
        Exception: One of `model.reading.dicom.header.DAMAGE`.
    """
    kind = dataset.get("PhotometricInterpretation")
    if raw.ndim == 2 and kind == "PALETTE COLOR":
        return _colored(raw, dataset)
    if raw.ndim == 2:
        _drop_what_is_no_transform(dataset)
        raw = _without_padding(raw, dataset, inverted=kind == "MONOCHROME1")
    values = np.empty(raw.shape[:2], np.float32)
    for top in range(0, len(raw), _ROWS_AT_ONCE):  # float64 of a whole slice takes too much memory
        rows = raw[top : top + _ROWS_AT_ONCE]
        if raw.ndim == 3:
            values[top : top + len(rows)] = rows[..., :3] @ _LUMINANCE
        else:
            values[top : top + len(rows)] = apply_voi_lut(
                apply_modality_lut(rows, dataset), dataset
            )
    if raw.ndim == 2 and kind == "MONOCHROME1":
        values = values.max() + values.min() - values
    return values


def spacing(dataset: Dataset) -> tuple[float, float]:
    """Millimetres, or other equal units, from row to row and from column to column."""
    for name in ("PixelSpacing", "PixelAspectRatio"):
        found = numbers(dataset, name)
        if len(found) == 2:
            return found[0], found[1]
    return 1.0, 1.0


def numbers(dataset: Dataset, name: str) -> list[float]:
    """An element's finite numbers; none where it is absent or something else."""
    try:
        value = dataset.get(name)
        values = [float(one) for one in ([value] if _is_single(value) else value)]
    except _NOT_A_NUMBER:
        return []
    return values if all(math.isfinite(one) for one in values) else []


def _is_single(value: object) -> bool:
    return isinstance(value, int | float | str)


def _drop_what_is_no_transform(dataset: Dataset) -> None:
    slope, intercept = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if len(slope) != 1 or len(intercept) != 1 or slope[0] == 0:
        for name in ("RescaleSlope", "RescaleIntercept"):
            if name in dataset:
                delattr(dataset, name)
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    window = next(((c, w) for c, w in zip(centers, widths, strict=False) if w > 0), None)
    if window is None:
        for name in ("WindowCenter", "WindowWidth"):
            if name in dataset:
                delattr(dataset, name)
        return
    dataset.WindowCenter, dataset.WindowWidth = window
    function = dataset.get("VOILUTFunction")
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        function = "LINEAR"
    # LINEAR takes 1 off the width. Who writes less with it means the exact kind.
    dataset.VOILUTFunction = "LINEAR_EXACT" if function == "LINEAR" and window[1] < 1 else function


def _without_padding(raw: NDArray[Any], dataset: Dataset, *, inverted: bool) -> NDArray[Any]:
    """Gives pixels that are not for display (PS3.3 C.7.5.1.1.2) the darkest value of the others."""
    bounds = [*numbers(dataset, "PixelPaddingValue"), *numbers(dataset, "PixelPaddingRangeLimit")]
    if not bounds or raw.dtype.kind not in "iu":
        return raw
    # Some files give a signed value as an unsigned one.
    low, high = sorted(np.array(bounds).astype(np.int64).astype(raw.dtype)[[0, -1]])
    padding = (raw >= low) & (raw <= high)
    if not padding.any() or padding.all():
        return raw
    slope = numbers(dataset, "RescaleSlope")
    bright_is_low = inverted != bool(slope and slope[0] < 0)
    shown = raw[~padding]
    return np.where(padding, shown.max() if bright_is_low else shown.min(), raw)


def _colored(raw: NDArray[Any], dataset: Dataset) -> NDArray[np.float32]:
    """The luminance of a palette's colours (PS3.3 C.7.6.3.1.5 and C.7.9)."""
    descriptor = numbers(dataset, "RedPaletteColorLookupTableDescriptor")
    if len(descriptor) != 3:
        raise ImageError(
            "`file` is a damaged DICOM file: one in PALETTE COLOR must have a palette. "
            "Received: one without"
        )
    entries, first, bits = (int(value) for value in descriptor)
    entries = entries or _MOST_ENTRIES
    palette = np.stack([_table(dataset, color, entries, bits) for color in _COLORS], axis=-1)
    shades = (palette @ _LUMINANCE).astype(np.float32)  # (entries,)
    index = np.clip(raw.astype(np.int32) - first, 0, len(shades) - 1)
    return np.asarray(shades[index], np.float32)


def _table(dataset: Dataset, color: str, entries: int, bits: int) -> NDArray[np.float64]:
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    whole = dataset.get(f"{color}PaletteColorLookupTableData")
    packed = dataset.get(f"Segmented{color}PaletteColorLookupTableData")
    if whole:
        wide = len(whole) >= 2 * entries
        values = np.frombuffer(whole, f"{order}u2" if wide else "u1")
    elif packed:
        kind = f"{order}u2" if bits > 8 else "u1"
        parts = np.frombuffer(packed, kind).tolist()
        _check_segments(parts)
        form = f"{order}{len(parts)}{'H' if bits > 8 else 'B'}"
        values = np.array(_expand_segmented_lut(tuple(parts), form))
    else:
        values = np.empty(0)
    if len(values) < entries:
        raise ImageError(
            f"`file` is a damaged DICOM file: its palette must have {entries:,} entries, as its "
            f"header says. Received: {len(values):,}"
        )
    return values[:entries].astype(np.float64)


def _check_segments(parts: list[int]) -> None:
    """Refuses a segmented palette that expands to more than a palette holds.

    Raises:
        ImageError: As said, or it refers to parts of itself, which can nest.
    """
    place = total = 0
    while place + 1 < len(parts):
        kind, count = parts[place : place + 2]
        total += count
        if kind > 1 or total > _MOST_ENTRIES:
            raise ImageError(
                "`file` must have a palette in full, or in segments of at most "
                f"{_MOST_ENTRIES:,} entries that do not refer to each other; save it in grey. "
                "Received: another"
            )
        place += 2 + (count if kind == 0 else 1)
