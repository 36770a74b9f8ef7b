"""Public collections beside the dataset: where each is found, and how a downloaded one is taken.

    python -m data.download --also                          # where each is found
    python -m data.download --also archive.zip folder ...   # takes what was downloaded

What is taken lies in ``data/other/COLLECTION/CLASS/*`` as `data.dataset.collections` reads it. A
folder or zip that has that layout already is copied; two layouts that are published are turned into
it: pictures in a folder `yes`, and the TIFF slices of `lgg-mri-segmentation`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.audit.copies import connected_groups, find_copies
from data.audit.similarity import TRANSFORMS
from data.dataset.collections import LABELS, CollectionError, load_collections
from data.dataset.image_set import to_uint8
from data.layout import IMAGE_SUFFIXES, SPLITS
from data.lgg_slices import find_people, write_slices
from data.staging import staging, swap
from model.preprocessing import load_image

OUT = Path("data/other")
KAGGLE = "https://www.kaggle.com/datasets"


@dataclass(frozen=True)
class Source:
    """A public source of collections.

    Attributes:
        collections: The names that they have here.
        what: What the pictures show.
        pages: Where to get them.
        licence: Under what terms.
        taken: How a download becomes COLLECTION/CLASS/*.
    """

    collections: str
    what: str
    pages: tuple[str, ...]
    licence: str
    taken: str


_SLICES = (
    "It comes as volumes: save slices as COLLECTION/CLASS/PERSON-SLICE.png, then --also FOLDER."
)
SOURCES = (
    Source(
        "web",
        "tumors in T2, FLAIR and contrast T1, mostly axial (Br35H, and 253 pictures before it)",
        (
            f"{KAGGLE}/ahmedhamada0/brain-tumor-detection",
            f"{KAGGLE}/navoneel/brain-mri-images-for-brain-tumor-detection",
        ),
        "not stated",
        "--also with both zips at once; `yes` is taken, `no` is what the dataset's notumor holds.",
    ),
    Source(
        "lgg-flair, lgg-t1c",
        "low-grade gliomas, FLAIR and contrast T1, slices with and without the lesion",
        (f"{KAGGLE}/mateuszbuda/lgg-mri-segmentation",),
        "TCGA-LGG (TCIA, CC BY 3.0); masks Buda et al. 2019 (CC BY-NC-SA 4.0)",
        "--also with the zip.",
    ),
    Source(
        "progression-t1c",
        "glioblastomas after treatment, contrast T1",
        ("https://www.cancerimagingarchive.net/collection/brain-tumor-progression/",),
        "Schmainda and Prah 2018, TCIA (CC BY 3.0)",
        _SLICES,
    ),
    Source(
        "nichart-t1, nichart-flair",
        "elderly people, several with white-matter lesions",
        ("https://github.com/CBICA/NiChart_Project",),
        "demo data of NiChart; see there",
        _SLICES,
    ),
    Source(
        "brats-stripped",
        "gliomas, skull stripped",
        ("https://www.synapse.org/brats",),
        "examples of BraTS 2021 and 2023; an account and their terms",
        _SLICES,
    ),
    Source(
        "oasis-t1",
        "people of 60 to 96, T1, skull stripped (OASIS-2)",
        ("https://sites.wustl.edu/oasisbrains/",),
        "OASIS terms of use",
        _SLICES,
    ),
)


def describe() -> str:
    """Where each collection is found, as text for a terminal."""
    parts = [
        "None of these is downloaded for you: most want an account, or terms accepted in a browser."
    ]
    for source in SOURCES:
        lines = [f"{source.collections}: {source.what}", *source.pages]
        parts.append("\n  ".join([*lines, f"licence: {source.licence}", source.taken]))
    parts.append("Any other collection of your own: COLLECTION/CLASS/*, see data/README.md.")
    return "\n\n".join(parts)


def take(folders: Sequence[Path], out: Path, *, force: bool = False) -> dict[str, int]:
    """Puts collections below `out`, each whole or not at all.

    Args:
        folders: Folders, as downloaded and unpacked.
        out: Folder of the collections.
        force: Replace a collection that is already there.

    Returns:
        Images of each collection that was taken.

    Raises:
        CollectionError: Nothing was found in a folder, an image cannot be read, or a collection
            is already there.
        OSError: Reading or writing failed.
    """
    with staging(out) as aside:
        built = aside / "built"
        _build(folders, built)
        found = {folder.name: folder for folder in sorted(built.iterdir())}
        counts = {name: len(load_collections([folder])) for name, folder in found.items()}
        there = [name for name in found if (out / name).exists()]
        if there and not force:
            raise CollectionError(
                f"{out} already holds {', '.join(there)}; --force replaces what is there."
            )
        out.mkdir(parents=True, exist_ok=True)
        for name, folder in found.items():
            swap(folder, out / name, aside / f"previous-{name}")
    return counts


def _build(folders: Sequence[Path], built: Path) -> None:
    """Writes what is found in folders as COLLECTION/CLASS/*."""
    pictures: list[Path] = []
    for folder in folders:
        ready = list(_ready(folder))
        for collection in ready:
            shutil.copytree(collection, built / collection.name)
        people = find_people(folder)
        write_slices(people, built)
        found = [path for path in sorted(folder.rglob("yes/*")) if _is_picture(path)]
        pictures += found
        if not (ready or people or found):
            raise CollectionError(
                f"A collection must be COLLECTION/CLASS/*, with CLASS one of {', '.join(LABELS)}; "
                f"or pictures in a folder `yes`; or the slices of lgg-mri-segmentation. "
                f"Received: {folder}, with nothing of these"
            )
    if pictures:
        _write_groups(pictures, built / "web" / "tumor")


def _ready(folder: Path) -> Iterator[Path]:
    """The folders that hold class folders, at any depth."""
    inside = (path for label in LABELS for path in folder.rglob(label) if path.is_dir())
    for found in sorted({path.parent for path in inside}):
        if found.name in SPLITS:
            raise CollectionError(
                f"`--also` must be another collection than the dataset. Received: {found}"
            )
        yield found


def _write_groups(pictures: Sequence[Path], target: Path) -> None:
    """Copies pictures of which no person is known, named by their group of copies first.

    Copies and turned copies are in one group, so that they come into one part.
    """
    images = np.stack([to_uint8(load_image(path.read_bytes())) for path in pictures])
    pairs = find_copies(images, transforms=TRANSFORMS)
    groups = connected_groups(len(images), pairs.left, pairs.right)
    target.mkdir(parents=True)
    for number, (group, path) in enumerate(zip(groups, pictures, strict=True)):
        shutil.copyfile(path, target / f"{group:04d}-{number:04d}{path.suffix.lower()}")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
