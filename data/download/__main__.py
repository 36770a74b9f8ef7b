"""Get the Kaggle Brain Tumor MRI Dataset, check every image, and put it under ``data/raw/``.

    python -m data.download                      # from Kaggle, version 1
    python -m data.download --from archive.zip   # from a zip or folder that is already there
    python -m data.download --also               # where other collections are found
    python -m data.download --also lgg.zip       # takes one that was downloaded

The dataset is built in a hidden folder beside its destination and renamed into place once it is
complete, so ``data/raw/`` is either absent or whole. The layout it then has is `data.layout`'s.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from data import layout
from data.download.kaggle import BY_HAND, NAME, OWNER, VERSION, DownloadError, download
from data.download.progress import bar
from data.download.unpacking import extract_zip
from data.layout import DatasetError, DatasetReport
from data.staging import staging, swap

DEFAULT_OUT, DEFAULT_ALSO = Path("data/raw"), Path("data/other")

NAMES_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    args = _parser().parse_args(argv)
    try:
        if args.also is not None:
            return _run_also(args.also, args.out or DEFAULT_ALSO, force=args.force)
        return _run(args.source, args.out or DEFAULT_OUT, force=args.force)
    except DownloadError as error:
        _complain(f"error: {error}\n{BY_HAND}")
    except (DatasetError, OSError, shutil.Error) as error:
        _complain(f"error: {error}")
    except KeyboardInterrupt:
        _complain("stopped; what was there is as it was. Run the command again to go on.")
        return 130
    return 1


def install(source: Path, out: Path) -> DatasetReport:
    """Put the readable images of a folder or zip at `out`, all of them or none.

    Args:
        source: a folder that holds, or wraps, ``Training/`` and ``Testing/``; or a zip of one.
        out: where to; a dataset that is already there is replaced.

    Returns:
        What was found in `source`; its counts are those of `out` now.

    Raises:
        DatasetError: `source` is not the dataset, a class of it is empty, or the zip is unsafe.
        OSError: reading or writing failed; `out` is as it was.
    """
    with staging(out) as folder:
        if source.is_file():
            extract_zip(source, folder / "unpacked")
            report = _copy_readable(folder / "unpacked", folder / "complete")
        else:
            report = _copy_readable(source, folder / "complete")
        swap(folder / "complete", out, folder / "previous")
    return report


def _run(source: Path | None, out: Path, *, force: bool) -> int:
    if _already_there(out, force=force):
        return 0
    if source is None:
        print(f"Downloading {OWNER}/{NAME}, version {VERSION}, from Kaggle (about 150 MB).")
        print("Ctrl-C is safe: the next run goes on from there.", flush=True)
        source = download()
        print(f"kagglehub keeps its copy in {source}; it may be deleted.")
    elif not source.exists():
        raise DatasetError(f"`--from` must be a folder or a zip. There is no {source}")
    elif source.resolve().is_relative_to(out.resolve()):
        raise DatasetError(f"`--from` must lie outside `--out`. Received: {source} and {out}")
    report = install(source, out)
    _warn_rejected(report)
    _warn_counts(report.counts)
    print(f"{out}: {layout.describe_counts(report.counts)}.")
    return 0


def _run_also(sources: Sequence[Path], out: Path, *, force: bool) -> int:
    """Says where other collections are found, or takes those that were downloaded."""
    from data.dataset.collections import CollectionError
    from data.other_collections import describe, take

    if not sources:
        print(describe())
        return 0
    if missing := [str(source) for source in sources if not source.exists()]:
        raise DatasetError(f"`--also` must be folders or zips. There is no {', '.join(missing)}")
    with staging(out) as folder:
        unpacked = []
        for number, source in enumerate(sources):
            if source.is_file():
                extract_zip(source, folder / str(number) / source.stem)
                source = folder / str(number) / source.stem
            unpacked.append(source)
        try:
            counts = take(unpacked, out, force=force)
        except CollectionError as error:
            raise DatasetError(str(error)) from error
    for name, count in counts.items():
        print(f"{out / name}: {count:,} images.")
    print(f"Look for copies: python -m model audit --data data/raw --also {out}")
    return 0


def _already_there(out: Path, *, force: bool) -> bool:
    """Whether `out` holds a dataset to keep; raises where replacing it could lose something."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not out.is_dir():
        raise DatasetError(f"`--out` must be a folder. Received: {out}")
    if force:
        others = {child.name for child in out.iterdir()} - {*layout.SPLITS, ".DS_Store"}
        if others:
            names = ", ".join(sorted(others)[:NAMES_SHOWN])
            raise DatasetError(f"{out} holds more than the dataset; not replacing it: {names}")
        return False
    try:
        counts = layout.count_by_class(layout.list_images(out))
    except DatasetError as error:
        raise DatasetError(f"{out} is incomplete; --force replaces it. {error}") from error
    _warn_counts(counts)
    print(f"{out} is already there: {layout.describe_counts(counts)}. --force replaces it.")
    return True


def _copy_readable(source: Path, target: Path) -> DatasetReport:
    images = layout.list_images(source)
    strays = layout.list_strays(source)
    report = layout.check_images(images, progress=lambda it: bar(it, "checking", len(images)))
    layout.require_every_class(report.counts)
    rejected = set(report.rejected)
    for file in bar([image for image in images if image.path not in rejected], "copying"):
        folder = target / file.split / file.label
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.path, folder / file.path.name)
    return DatasetReport(
        counts=report.counts,
        layout=report.layout,
        unreadable=report.unreadable,
        non_images=tuple(sorted([*report.non_images, *strays])),
    )


def _warn_rejected(report: DatasetReport) -> None:
    for what, paths in (
        ("unreadable images", report.unreadable),
        ("files that are no images", report.non_images),
    ):
        if paths:
            names = [f"{p.parent.parent.name}/{p.parent.name}/{p.name}" for p in paths]
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            shown = ", ".join(names[:NAMES_SHOWN])
            _complain(f"warning: {len(names)} {what} left out: {shown}{more}")


def _warn_counts(counts: dict[str, dict[str, int]]) -> None:
    if layout.layout_of(counts) == "other":
        known = "\n".join(
            f"  {name}: {layout.describe_counts(each)}"
            for name, each in layout.KNOWN_LAYOUTS.items()
        )
        _complain(
            "warning: these counts are no version's that is known; results will differ.\n"
            f"  found: {layout.describe_counts(counts)}\n{known}"
        )


def _complain(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data.download", description="Get the dataset.")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--from", dest="source", type=Path, metavar="DIR_OR_ZIP", help="take it from here instead"
    )
    kinds.add_argument(
        "--also", type=Path, nargs="*", metavar="DIR_OR_ZIP",
        help="other collections: take these, or say where each is found",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR",
        help=f"default: {DEFAULT_OUT}, for other collections {DEFAULT_ALSO}",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="replace what is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
