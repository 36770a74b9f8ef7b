"""Accuracy under corruptions, and whether versions of one image get the same label.

Data contract: images uint8 (n, 224, 224, 1); a network is a function from these to probabilities
float32 (n, 4). Every corrupted image passes the intensity step of preprocessing again, as an
upload would.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data.phantoms import make_phantom
from model.config import CLASS_NAMES
from model.preprocessing import load_image, prepare
from model.probes.corruptions import STRENGTHS, corrupt, mirror
from model.probes.shortcuts import Images, Labels, Predict, share

SIZE_SEED = 4_000_000
MIDDLE = 3
LARGE = 512
ENCODINGS: dict[str, int | None] = {"lossless": None, "jpeg95": 95, "jpeg75": 75}
"""How versions are saved; "lossless" tells what resampling alone does."""


def corruption_table(predict: Predict, images: Images, labels: Labels) -> dict[str, Any]:
    """Accuracy at each strength of each corruption.

    Args:
        predict: The network.
        images, labels: What to corrupt; image number k has the seed k.

    Returns:
        JSON-ready: `clean` (of `share`); `corruptions`: by name the `meaning` of the five
        strengths, `accuracy` at each (five of `share`), `lost_at_middle` in percentage points;
        and `worst`, the corruption that loses most at middle strength.
    """
    clean = predict(images).argmax(axis=1) == labels
    rows: dict[str, Any] = {}
    for name, meaning in STRENGTHS.items():
        right = []
        for strength in range(1, 6):
            changed = _corrupted(images, name, strength)
            right.append(int((predict(changed).argmax(axis=1) == labels).sum()))
        rows[name] = {
            "meaning": list(meaning),
            "accuracy": [share(count, len(labels)) for count in right],
            "lost_at_middle": 100 * (int(clean.sum()) - right[MIDDLE - 1]) / len(labels),
        }
    worst = max(rows, key=lambda name: rows[name]["lost_at_middle"])
    return {"clean": share(int(clean.sum()), len(labels)), "corruptions": rows, "worst": worst}


def mirror_agreement(predict: Predict, images: Images) -> dict[str, Any]:
    """Share of images that get the label of their mirror image: of `share`."""
    mirrored = np.stack([mirror(image) for image in images])
    return _agreement(predict(images), predict(mirrored))


def real_size_agreement(predict: Predict, images: Images) -> dict[str, Any]:
    """Do images agree with themselves at 512 pixels?

    The images exist at 224 pixels only, so the large version is made of the preprocessed image:
    Lanczos to 512, saved in each of `ENCODINGS`, and back through preprocessing. No detail is
    gained by that: it measures the blur of resampling, and what compression adds to it.

    Returns:
        By name of the encoding: of `share`.
    """
    answers = predict(images)
    large = [_resized(image[:, :, 0], LARGE, Image.Resampling.LANCZOS) for image in images]
    return {name: _agreement(answers, predict(_uploads(large, name))) for name in ENCODINGS}


def phantom_size_agreement(
    predict: Predict, per_class: int, seed: int = SIZE_SEED
) -> dict[str, Any]:
    """Do phantoms drawn at 512 pixels agree with their copies at 224?

    Each phantom is drawn once, at 512 pixels. The copy is resized to 224 by Pillow (bilinear,
    antialiased) and saved in each of `ENCODINGS`; both then pass preprocessing, as two
    uploads would.

    Args:
        predict: The network.
        per_class: Phantoms of each class.
        seed: Of the first.

    Returns:
        By name of the encoding: of `share`.
    """
    drawn = [
        make_phantom(CLASS_NAMES[k % len(CLASS_NAMES)], seed + k, size=LARGE).image
        for k in range(per_class * len(CLASS_NAMES))
    ]
    answers = predict(np.stack([_uint8(prepare(image.astype(np.float32))) for image in drawn]))
    small = [_resized(image, 224, Image.Resampling.BILINEAR) for image in drawn]
    return {name: _agreement(answers, predict(_uploads(small, name))) for name in ENCODINGS}


def _agreement(left: NDArray[np.float32], right: NDArray[np.float32]) -> dict[str, Any]:
    same = left.argmax(axis=1) == right.argmax(axis=1)
    return share(int(same.sum()), len(same))


def _corrupted(images: Images, name: str, strength: int) -> Images:
    """All images, each with its own seed, after the intensity step of preprocessing."""
    changed = (corrupt(image, name, strength, seed) for seed, image in enumerate(images))
    return np.stack([_uint8(prepare(image[:, :, 0].astype(np.float32))) for image in changed])


def _resized(image: NDArray[np.uint8], side: int, method: Image.Resampling) -> Image.Image:
    return Image.fromarray(image).resize((side, side), method)


def _uploads(pictures: list[Image.Image], encoding: str) -> Images:
    """What the network sees of the pictures once they are saved and preprocessed."""
    return np.stack([_uint8(load_image(_encoded(picture, encoding))) for picture in pictures])


def _encoded(picture: Image.Image, encoding: str) -> bytes:
    buffer, quality = io.BytesIO(), ENCODINGS[encoding]
    if quality is None:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _uint8(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(image * 255).astype(np.uint8)
