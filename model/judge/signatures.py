"""Makes `training_signatures.npz`: `python -m model.judge.signatures --data DIR --collections DIR`.

For each image of the dataset, in the order of `data/splits.csv`, and for each image of the other
collections whose person is not held out for the report, the 64 bytes of `model.judge.copies`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.dataset.collections import LABELS, find_collections, part_of
from data.dataset.division import load_manifest
from model.judge.copies import FILE, signature
from model.preprocessing import load_image


def main(arguments: list[str] | None = None) -> int:
    """Writes the file."""
    parser = argparse.ArgumentParser(prog="python -m model.judge.signatures", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument(
        "--collections", type=Path, nargs="*", default=[], help="other collections trained on"
    )
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args(arguments)
    pictures = {file: options.data / file for file in load_manifest().rows}
    pictures |= dict(_trained_on(options.collections))
    write_signatures(pictures, options.out)
    return 0


def write_signatures(pictures: dict[str, Path], out: Path) -> None:
    """Writes the signatures of pictures, by their names."""
    found = [
        np.frombuffer(signature(load_image(path)), dtype=np.uint8)
        for path in tqdm(pictures.values(), disable=None)
    ]
    np.savez_compressed(out, files=np.array(list(pictures)), signatures=np.stack(found))


def _trained_on(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for folder in find_collections(folders):
        for path in sorted(path for label in LABELS for path in (folder / label).glob("*.jpg")):
            name = f"{folder.resolve().name}/{path.parent.name}/{path.name}"
            if part_of(name) != "report":
                yield name, path


if __name__ == "__main__":
    sys.exit(main())
