"""Occlusion maps: the slow reference for heat maps (Zeiler and Fergus 2014).

Grey patches are laid over the image in turn; where the answer's evidence falls most is where the
network looked. Needs no gradient, only some 200 predictions an image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.config import IMAGE_SIZE
from model.inference.evidence import direction, scaled
from model.probes.shortcuts import Images, Labels, Predict

_SMALLEST = 1e-7


def occlusion_maps(
    predict: Predict, images: Images, labels: Labels, *, side: int = 32, step: int = 16
) -> NDArray[np.float32]:
    """Heat maps by occlusion, for the class's logit against "notumor".

    Args:
        predict: uint8 (n, 224, 224, 1) to probabilities (n, 4).
        images: uint8 (n, 224, 224, 1).
        labels: int64 (n,), the class to explain for each image.
        side: Side of the patch in pixels; it has the image's mean grey.
        step: Pixels from one patch to the next.

    Returns:
        float32 (n, 224, 224) in [0, 1]: the mean loss of evidence of the patches over a pixel.
    """
    starts = range(0, IMAGE_SIZE - side + 1, step)
    places = [(row, column) for row in starts for column in starts]
    maps = np.zeros((len(images), IMAGE_SIZE, IMAGE_SIZE), np.float32)
    for number, (image, wanted) in enumerate(zip(images, direction(labels), strict=True)):
        covered = np.repeat(image[np.newaxis], len(places) + 1, axis=0)  # the last is whole
        for patch, (row, column) in zip(covered, places, strict=False):
            patch[row : row + side, column : column + side] = round(float(image.mean()))
        # Differences of logits are those of log-probabilities.
        evidence = np.log(np.maximum(predict(covered), _SMALLEST)) @ wanted
        counts = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
        for loss, (row, column) in zip(evidence[-1] - evidence, places, strict=False):
            maps[number, row : row + side, column : column + side] += loss
            counts[row : row + side, column : column + side] += 1
        maps[number] /= np.maximum(counts, 1)
    return scaled(np.maximum(maps, 0))
