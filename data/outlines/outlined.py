"""Tumour outlines of one dataset, or of several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.dataset.image_set import dataset_names
from data.outlines.files import Outline, load_outlines


def outlines_of(data: Path | Sequence[Path], outlines: Path | Sequence[Path]) -> dict[str, Outline]:
    """Reads outlines by the names that the images have in an `ImageSet`.

    Args:
        data: As for `data.dataset.image_set.load_split`.
        outlines: A file of outlines for each dataset, in the same order; the last datasets may
            be without.

    Raises:
        ValueError: There are more files than datasets.
        OSError, data.outlines.files.OutlinesError: A file cannot be read.
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
