"""Random variants of training images, and of the outlines that go with them.

`FastImageDataGenerator` is Keras's `ImageDataGenerator` with the same arguments, the same random
draws and the same geometry; its affine warp runs in OpenCV, which takes a tenth of SciPy's time
and moves a mask along with its image.

Data contract: images uint8 (224, 224) or (224, 224, 1); variants float32 (224, 224, 1) in [0, 1].
"""

from __future__ import annotations

import math
import threading
from typing import Any

import cv2
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from numpy.typing import NDArray

from model.config import IMAGE_SIZE, KERAS_AUGMENTATION, AugmentationConfig
from model.training.style import restyle

# `get_random_transform` seeds NumPy's global generator, which threads share.
_global_generator = threading.Lock()
_CENTRE = IMAGE_SIZE / 2 - 0.5
_RESAMPLINGS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
_GRID = 6  # points a side at which a bend is drawn: one in about 40 pixels
_BEND = 2.5  # standard deviation of their shifts in pixels, below which nothing folds over


class FastImageDataGenerator(ImageDataGenerator):  # type: ignore[misc]
    """`ImageDataGenerator` whose random transforms also apply to a mask, by OpenCV."""

    def draw(self, seed: int) -> dict[str, Any]:
        """Parameters of one random transform, as `get_random_transform` draws them."""
        with _global_generator:
            parameters: dict[str, Any] = self.get_random_transform(
                (IMAGE_SIZE, IMAGE_SIZE, 1), seed
            )
        return parameters

    def warp(self, image: NDArray[Any], parameters: dict[str, Any]) -> NDArray[Any]:
        """Moves an image or a mask as `apply_transform` would; brightness stays as it is.

        Args:
            image: uint8 or float32 (224, 224).
            parameters: From `draw`.

        Returns:
            An array of the same shape and dtype; what comes from outside is 0.
        """
        moved: NDArray[Any] = cv2.warpAffine(
            image, _matrix(parameters)[:2], (IMAGE_SIZE, IMAGE_SIZE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT,
        )  # fmt: skip
        return moved[:, ::-1] if parameters["flip_horizontal"] else moved


def _matrix(parameters: dict[str, Any]) -> NDArray[np.float64]:
    """Keras's affine matrix, (x, y, 1) of the variant to (x, y, 1) of the image."""
    theta, shear = math.radians(parameters["theta"]), math.radians(parameters["shear"])
    rotate = [[math.cos(theta), -math.sin(theta), 0], [math.sin(theta), math.cos(theta), 0]]
    move = [[1, 0, parameters["tx"]], [0, 1, parameters["ty"]]]
    skew = [[1, -math.sin(shear), 0], [0, math.cos(shear), 0]]
    zoom = [[parameters["zx"], 0, 0], [0, parameters["zy"], 0]]
    to_centre = [[1, 0, -_CENTRE], [0, 1, -_CENTRE]]
    back = [[1, 0, _CENTRE], [0, 1, _CENTRE]]
    result = np.eye(3)
    for part in (back, rotate, move, skew, zoom, to_centre):
        result = result @ np.array([*part, [0, 0, 1]], dtype=np.float64)
    return result


def augmenter(config: AugmentationConfig) -> FastImageDataGenerator:
    """The generator with the given ranges."""
    return FastImageDataGenerator(
        **{name: getattr(config, name) for name in KERAS_AUGMENTATION},
        fill_mode="constant",
        cval=0.0,
        data_format="channels_last",
    )


def augment(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    generator: FastImageDataGenerator,
    config: AugmentationConfig,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """One random variant of an image, and the mask moved along with it.

    Args:
        image: uint8 (224, 224) or (224, 224, 1).
        mask: uint8 (224, 224), 255 inside the lesion, or None.
        generator: From `augmenter(config)`.
        config: Shares of the other changes.
        seed: The same seed gives the same variant.

    Returns:
        float32 (224, 224, 1) in [0, 1], and float32 (224, 224) in [0, 1] or None.
    """
    parameters = generator.draw(seed)
    rng = np.random.default_rng(seed)
    image, mask = restyle(image.reshape(IMAGE_SIZE, IMAGE_SIZE), mask, config, rng)
    bend = _drawn_bend(config, seed)
    changed = _bent(generator.warp(image, parameters), bend)
    if rng.random() < config.degrade:
        changed = _degrade(changed, rng)
    values = changed.astype(np.float32) * np.float32(parameters["brightness"] / 255.0)
    values = _disturb(np.clip(values, 0.0, 1.0), config, rng)
    moved = None
    if mask is not None:
        moved = _bent(generator.warp(mask, parameters), bend).astype(np.float32) / np.float32(255.0)
    return np.clip(values, 0.0, 1.0).astype(np.float32)[:, :, np.newaxis], moved


def _drawn_bend(config: AugmentationConfig, seed: int) -> NDArray[np.float32] | None:
    """Where each pixel of an elastic variant comes from, (2, 224, 224) as x and y, or None.

    Simard et al. 2003, with shifts drawn on a coarse grid and interpolated by cubics.
    """
    rng = np.random.default_rng([seed, 1])  # of its own: the other draws are those of before
    if rng.random() >= config.elastic:
        return None
    shifts = rng.normal(0.0, _BEND, (2, _GRID, _GRID)).astype(np.float32)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    fields = [cv2.resize(field, size, interpolation=cv2.INTER_CUBIC) for field in shifts]
    along = np.arange(IMAGE_SIZE, dtype=np.float32)
    return np.stack([fields[0] + along, fields[1] + along[:, np.newaxis]])


def _bent(image: NDArray[np.uint8], bend: NDArray[np.float32] | None) -> NDArray[np.uint8]:
    if bend is None:
        return image
    found = cv2.remap(image, bend[0], bend[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(found, dtype=np.uint8)


def _degrade(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Down to 80..224 pixels and back or up to 512 and back, then JPEG of quality 25..95."""
    side = int(rng.integers(80, IMAGE_SIZE)) if rng.random() < 0.7 else int(rng.integers(225, 513))
    there, back = (_RESAMPLINGS[rng.integers(len(_RESAMPLINGS))] for _ in range(2))
    resized = cv2.resize(image, (side, side), interpolation=there)
    resized = cv2.resize(resized, (IMAGE_SIZE, IMAGE_SIZE), interpolation=back)
    quality = int(rng.integers(25, 96))
    encoded = cv2.imencode(".jpg", resized, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _disturb(
    image: NDArray[np.float32], config: AugmentationConfig, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Gamma, bias field, blur and noise, each with its own share."""
    if rng.random() < config.gamma:
        image = np.power(image, np.float32(math.exp(rng.uniform(-0.5, 0.5))))
    if rng.random() < config.bias_field:
        coarse = rng.normal(0.0, 0.2, (3, 3)).astype(np.float32)
        field = cv2.resize(coarse, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_CUBIC)
        image = image * np.exp(field)
    if rng.random() < config.blur:
        blurred = cv2.GaussianBlur(image, (0, 0), sigmaX=rng.uniform(0.3, 1.5))
        image = np.asarray(blurred, dtype=np.float32)
    if rng.random() < config.noise:
        level = np.float32(rng.uniform(0.005, 0.06))
        image = image + level * rng.standard_normal(image.shape, dtype=np.float32)
    return image
