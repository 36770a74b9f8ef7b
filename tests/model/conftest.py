"""A small dataset in the layout that `python -m model` reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from data.dataset.division import COLUMNS
from model.config import CLASS_NAMES
from tests.model_helpers import smooth_images


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two Training images and a Testing image of each class, and their `splits.csv`."""
    pictures = iter(smooth_images(12, seed=4))
    lines = [",".join(COLUMNS)]
    for label in CLASS_NAMES:
        for number, (split, role) in enumerate(
            (("Training", "train"), ("Training", "validation"), ("Testing", "test"))
        ):
            path = tmp_path / split / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(next(pictures)[:, :, 0]).save(path)
            name = path.relative_to(tmp_path).as_posix()
            lines.append(f"{name},{len(lines)},,,,,{role},{role},{number}")
    (tmp_path / "splits.csv").write_text("\n".join(lines) + "\n")
    return tmp_path
