"""Make tumour outlines for the dataset from the figshare collection its tumour images come from.

    python -m data.outlines --mat DIR_OR_ZIP --data data/raw --out data/raw/outlines.json

Reads the collection's ``.mat`` files (Cheng et al. 2017; data/README.md says where to get them),
finds the dataset images that show one of its slices or the mirror image of one, by the audit's
method, and writes the slice's outline for each (`data.dataset.outline_files` describes the file).
Nothing is left out silently: what is not matched, and labels that disagree, are counted and named.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data.audit import signatures
from data.dataset.outline_files import OutlinesError, save_outlines
from data.layout import SPLITS, DatasetError, ImageFile, list_images, list_strays
from data.outlines.collection import Collection, open_collection
from data.outlines.mat import MatError, read_slice
from data.outlines.matching import Matches, SliceOutline, in_dataset_pixels, match
from data.outlines.report import complain, report, say_slices, shown, warn_collection
from model.preprocessing import ImageError, load_image, prepare

DEFAULT_DATA = Path("data/raw")
WORKERS = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    splits = SPLITS if args.split == "all" else (args.split,)
    out = args.out or args.data / "outlines.json"
    try:
        make_outlines(args.mat, args.data, out, splits=splits, skip=args.skip_damaged)
    except (OutlinesError, DatasetError, OSError) as error:
        complain(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        complain(f"stopped; {out} is as it was.")
        return 130
    return 0


def make_outlines(
    mat: Path,
    data: Path,
    out: Path,
    *,
    splits: Sequence[str] = ("Training",),
    skip: bool = False,
) -> Matches:
    """Match the collection to the dataset, write the outlines, print a report.

    Args:
        mat: folder or zip of the collection's ``.mat`` files.
        data: the dataset, a folder with Training/ and Testing/ or one that wraps it.
        out: the file to write; one that is there is replaced once the new one is complete.
        splits: which of "Training" and "Testing" to match.
        skip: leave damaged slices out, with a warning, instead of stopping.

    Raises:
        OutlinesError: `mat` holds no slice or a damaged one; an image name occurs in both splits;
            or no image matches. `out` is as it was.
        data.layout.DatasetError: `data` is not the dataset.
        OSError: reading or writing failed.
    """
    files = list_images(data, splits=splits)
    _check_names(files)
    if out.is_dir():
        raise OutlinesError(f"`--out` must be a file. Received the folder {out}")
    with open_collection(mat) as collection:
        warn_collection(collection)
        slices, sources = _read_collection(collection, skip=skip)
    say_slices(slices)
    names, images = _read_dataset(data, files, splits)
    matches = match(names, images, slices, sources)
    if not matches.outlines:
        raise OutlinesError(
            f"No image of a tumour in {data} shows a slice in {mat}; nothing is written. "
            "Is this the Brain Tumor MRI Dataset, and are these its slices?"
        )
    save_outlines(matches.outlines, out)
    report(matches, slices, out)
    return matches


def _read_collection(
    collection: Collection, *, skip: bool
) -> tuple[list[SliceOutline], NDArray[np.float32]]:
    """All slices without their pixels, and their signatures, float32 (m, 32, 32)."""
    slices, sources, faults = [], [], []
    bar = tqdm(collection.files.values(), desc="slices", unit=" files", disable=None)
    for file in bar:
        try:
            found = read_slice(file.read(), file.number, file.name)
        except MatError as error:
            faults.append(str(error))
            continue
        slices.append(in_dataset_pixels(found))
        sources.append(_signature(prepare(found.image)))
    if faults:
        told = f"{len(faults)} of {len(collection.files)} slices cannot be used:\n  "
        told += "\n  ".join(shown(faults))
        if not slices or not skip:
            way_out = "\nGet them again, or leave them out with --skip-damaged." if slices else ""
            raise OutlinesError(told + way_out)
        complain(f"warning: {told}")
    return slices, np.concatenate(sources)


def _read_dataset(
    data: Path, files: Sequence[ImageFile], splits: Sequence[str]
) -> tuple[list[str], NDArray[np.float32]]:
    """``class/file name`` of all readable images, and their signatures, float32 (n, 32, 32)."""
    strays = [path.name for path in list_strays(data, splits=splits)]
    if strays:
        complain(f"warning: {len(strays)} files are no images: {', '.join(shown(strays))}")
    with ThreadPoolExecutor(WORKERS) as pool:
        work = pool.map(_read_image, files)
        read = list(tqdm(work, desc="images", total=len(files), unit=" files", disable=None))
    broken = [_name(file) for file, row in zip(files, read, strict=True) if row is None]
    if broken:
        complain(
            f"warning: {len(broken)} images cannot be read and get no outline: "
            + ", ".join(shown(broken))
        )
    rows = [row for row in read if row is not None]
    if not rows:
        raise OutlinesError(f"No image in {data} can be read")
    names = [_name(file) for file, row in zip(files, read, strict=True) if row is not None]
    return names, np.concatenate(rows)


def _read_image(file: ImageFile) -> NDArray[np.float32] | None:
    try:
        return _signature(load_image(file.path))
    except ImageError:
        return None


def _signature(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Prepared image (224, 224, 1) to signature (1, 32, 32), by way of uint8 as in the audit."""
    return signatures(np.rint(image * 255.0).astype(np.uint8)[np.newaxis])


def _name(file: ImageFile) -> str:
    return f"{file.label}/{file.path.name}"


def _check_names(files: Sequence[ImageFile]) -> None:
    counts = Counter(_name(file) for file in files)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise OutlinesError(
            f"{len(twice)} names are in both splits, so that one file cannot hold the outlines of "
            f"both: {', '.join(shown(twice))}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data.outlines",
        description="Make tumour outlines from the figshare collection's .mat files.",
    )
    parser.add_argument("--mat", type=Path, required=True, metavar="DIR_OR_ZIP")
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_DATA, metavar="DIR", help=f"default: {DEFAULT_DATA}"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: outlines.json in the dataset's folder"
    )
    parser.add_argument("--split", choices=(*SPLITS, "all"), default="Training")
    parser.add_argument(
        "--skip-damaged", action="store_true", help="leave damaged slices out instead of stopping"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
