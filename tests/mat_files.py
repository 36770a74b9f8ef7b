"""``.mat`` files and a dataset for the tests of `data.outlines`, drawn from phantoms."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.phantoms import Phantom, make_phantom

CODES = {"meningioma": 1.0, "glioma": 2.0, "pituitary": 3.0}


def drawn(label: str, seed: int) -> Phantom:
    """A phantom at twice the network's size, in the collection's contrast."""
    return make_phantom(label, seed, size=448, contrast="T1c")


def matlab_border(mask: NDArray[np.bool_], points: int = 60) -> NDArray[np.float64]:
    """Border of a mask in MATLAB's coordinates, pixel centres counted from 1: (k, 2), x first."""
    fine = np.kron(mask.astype(np.uint8), np.ones((5, 5), np.uint8))
    contour = max(
        cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=cv2.contourArea
    )[:, 0]
    chosen = contour[np.linspace(0, len(contour) - 1, points, dtype=int)]
    border: NDArray[np.float64] = (chosen + 0.5) / 5 + 0.5
    return border


def fields(phantom: Phantom, patient: str = "100360") -> dict[str, NDArray[Any]]:
    """A slice's fields as MATLAB has them: rows first."""
    return {
        "label": np.array([[CODES[phantom.label]]]),
        "PID": np.array([[ord(letter) for letter in patient]], np.uint16),
        "image": phantom.image.astype(np.int16) * 9 + 40,
        "tumorBorder": matlab_border(phantom.mask).reshape(1, -1),
        "tumorMask": phantom.mask.astype(np.uint8),
    }


def mat_bytes(content: Mapping[str, Any], struct: str = "cjdata") -> bytes:
    """The HDF5 file that MATLAB would save: every array transposed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group(struct)
        for name, value in content.items():
            group[name] = np.asarray(value).T
    return buffer.getvalue()


def save_jpeg(pixels: NDArray[np.uint8], path: Path, *, size: int = 224, quality: int = 80) -> None:
    """Write a resampled, compressed copy, as the dataset's images are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC).save(
        path, quality=quality
    )


def halved(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask at half its size: pixels of which at least half is in."""
    height, width = mask.shape
    shares = mask.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    result: NDArray[np.bool_] = shares >= 0.5
    return result


def overlap(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((left & right).sum() / (left | right).sum())
