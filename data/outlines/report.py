"""What ``python -m data.outlines`` says of the slices, the images and the matches."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data.outlines.collection import SLICES, Collection
from data.outlines.mat import LABELS
from data.outlines.matching import TUMOURS, Matches, SliceOutline

NAMES_SHOWN = 10


def warn_collection(collection: Collection) -> None:
    """Warn of slices that are missing or there twice, and of ``.mat`` files without a slice."""
    missing = sorted(set(range(1, SLICES + 1)) - set(collection.files))
    for what, names in (
        (f"of {SLICES} slices are missing; their images get no outline", missing),
        ("files are of a slice that was found before, and are not read", collection.repeated),
        (".mat files are no slice, and are not read", collection.others),
    ):
        if names:
            complain(f"warning: {len(names)} {what}: {', '.join(shown(list(map(str, names))))}")


def say_slices(slices: Sequence[SliceOutline]) -> None:
    """Print how many slices and patients there are, and whose outline was traced."""
    labels = Counter(found.label for found in slices)
    each = ", ".join(f"{label} {labels[label]}" for label in sorted(LABELS.values()))
    patients = len({found.patient for found in slices})
    print(f"{len(slices)} slices of {patients} patients: {each}.")
    traced = [str(found.number) for found in slices if found.traced]
    if traced:
        print(
            f"{len(traced)} of them have a border that disagrees with their mask; the mask's "
            f"contour is used: {', '.join(shown(traced))}"
        )


def report(matches: Matches, slices: Sequence[SliceOutline], out: Path) -> None:
    """Print the table of what was matched, by class, and every conflict."""
    labels = Counter(found.label for found in slices)
    without = matches.without_outline()
    print(f"{'':12}{'images':>9}{'outlined':>10}{'without':>9}{'slices':>9}{'unmatched':>11}")
    for label in TUMOURS:
        images, missing = matches.images[label], without[label]
        unmatched = labels[label] - matches.matched_slices[label]
        numbers = f"{images:9}{images - missing:10}{missing:9}{labels[label]:9}{unmatched:11}"
        print(f"{label:12}{numbers}")
    mirrored = sum(outline.mirrored for outline in matches.outlines.values())
    print(f"{mirrored} of the {len(matches.outlines)} outlined images are mirrored.")
    if matches.conflicts:
        print(f"{len(matches.conflicts)} images are filed under another class than their slice:")
    for name, number, label in matches.conflicts:
        kept = "" if name in matches.outlines else "; no outline written"
        print(f"  {name} shows slice {number}, {label}{kept}")
    print(f"Written: {out}")


def shown(names: list[str]) -> list[str]:
    """The first names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return [*names[:NAMES_SHOWN], f"and {more} more"] if more > 0 else names


def complain(message: str) -> None:
    """Print to the standard error stream."""
    print(message, file=sys.stderr, flush=True)
