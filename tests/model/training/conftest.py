"""Small runs that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from model.config import CLASS_NAMES
from model.training.train import train
from tests.model.training.small_run import CONFIG, halves
from tests.model_helpers import smooth_images


@pytest.fixture(scope="session")
def images() -> ImageSet:
    labels = np.arange(16) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{i}.png" for i, label in enumerate(labels))
    return ImageSet(smooth_images(16, seed=1), labels, names, "a-hash")


@pytest.fixture(scope="session")
def outlines(images: ImageSet) -> dict[str, Outline]:
    square = np.array([[60, 60], [100, 60], [100, 110], [60, 110]], np.float32)
    return {n: Outline(1, False, square) for n in images.names if not n.startswith("notumor")}


@pytest.fixture(scope="session")
def finished(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of two epochs; tests must not write to it."""
    folder = tmp_path_factory.mktemp("run") / "two"
    train(CONFIG, *halves(images), folder)
    return folder
