"""What the pages that are sent around share: one file each, which loads nothing."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.batch.sources import find_source, read_source
from model.preprocessing import ImageError, prepare
from model.reading.open_scan import read_scan

SIDE = 160  # of a thumbnail, in pixels
SHOWN_PATH = 40
"""Characters of a path below a thumbnail, where three lines have room."""

_FOLDER = Path(__file__).parent


def environment(*folders: Path) -> jinja2.Environment:
    """Jinja with the pages' filters.

    Args:
        folders: Where templates lie, besides this folder.
    """
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader([*folders, _FOLDER]),
    )
    made.filters["number"] = "{:,}".format
    made.filters["percent"] = percent
    made.filters["ending"] = _ending
    return made


def percent(share: float) -> str:
    """One decimal, never rounded to a certainty that nobody stated."""
    if 0.9995 <= share < 1:
        return ">99.9%"
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{share:.1%}"


def _ending(path: str) -> str:
    """The end of a path, which tells files apart where there is no room for all of it."""
    return path if len(path) <= SHOWN_PATH else f"…{path[1 - SHOWN_PATH :]}"


def thumbnail(path: str, plane: str | None, number: int | None) -> str | None:
    """What the network saw, as a `data:` address; None where the source is gone or changed.

    Args:
        path: As rows name it.
        plane: How its volume is cut; None for a file without planes.
        number: Of the slice; None for a file without others.
    """
    try:
        scan = read_scan(read_source(find_source(path)))
        (one,) = scan.slices(plane, number or 0)
        return picture_of(prepare(one.pixels()))
    except (ImageError, OSError, LookupError):
        return None


def picture_of(image: NDArray[np.float32]) -> str:
    """A prepared image, float32 (224, 224, 1) in [0, 1], small, as a `data:` address."""
    picture = Image.fromarray(np.rint(image[:, :, 0] * 255).astype(np.uint8))
    buffer = io.BytesIO()
    picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(buffer, "WEBP", quality=60)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
