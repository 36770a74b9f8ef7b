"""Galleries of example images with a manifest: embedded phantoms, real test images on request.

``manifest.json`` beside the images: ``{"origin", "notice", "seed", "samples": [{"id", "file",
"true_label", "plane", "contrast", "origin", "seed", "width", "height", "sha256"}, ...]}``; ids
match ``^[a-z0-9][a-z0-9_-]{0,63}$``; for real images plane, contrast and seed are null. Command
line::

    python -m data.samples phantoms                      # rewrite data/samples/
    python -m data.samples real --data DIR [--out data/gallery] [--per-class 25] [--seed 7]

``DIR`` holds the dataset's Testing folder, itself or in a subfolder. Training images, and test
images that ``data/splits.csv`` gives a copy in Training, are never used: an example the network was
trained on would show nothing. Real images stay on the
machine; ``data/gallery/`` is ignored by git.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.dataset.division import MANIFEST, Manifest, load_manifest
from data.layout import is_readable, list_images
from data.staging import staging, swap
from model.config import CLASS_NAMES

HERE = Path(__file__).parent
SAMPLES_DIR = HERE / "samples"
GALLERY_DIR = HERE / "gallery"
FIRST_SEED = 1_000_000  # the gallery's reserved seeds: 1_000_000 .. 1_000_039
PER_CLASS = 10
SAMPLE_SIZE = 448
ID_PATTERN = re.compile(r"^[a-z0-9][a-z0-9_-]{0,63}$")
PHANTOM_NOTICE = (
    "Synthetic images, drawn from the ICBM 152 average brain (see data/atlas/NOTICE)."
    " They show no patient."
)
DATASET_NOTICE = (
    "Test images of the Brain Tumor MRI Dataset, copied unchanged for local use;"
    " not part of the repository."
)


class UnreadableImageWarning(UserWarning):
    """An image of the dataset could not be read and was left out."""


class UnlistedImageWarning(UserWarning):
    """The manifest does not name an image, so that nobody knows whether Training has a copy."""


class FewUnseenWarning(UserWarning):
    """A class has fewer unseen test images than were asked for."""


def phantom_png(label: str, seed: int) -> tuple[bytes, dict[str, Any]]:
    """The PNG bytes of one gallery phantom, and its plane and contrast."""
    # Drawing needs SciPy, which a server that only copies real images does not have.
    from data.phantoms import make_phantom

    phantom = make_phantom(label, seed, size=SAMPLE_SIZE)
    buffer = io.BytesIO()
    Image.fromarray(phantom.image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue(), {"plane": phantom.plane, "contrast": phantom.contrast}


def phantom_entries() -> list[tuple[str, str, int]]:
    """(id, label, seed) of every embedded sample, in the gallery's order."""
    return [
        (f"phantom-{label}-{k:02d}", label, FIRST_SEED + group * PER_CLASS + k)
        for group, label in enumerate(CLASS_NAMES)
        for k in range(PER_CLASS)
    ]


def build_phantoms(out: Path = SAMPLES_DIR) -> Path:
    """Write the embedded gallery to ``out``, replacing it; returns the manifest's path."""
    rows: list[dict[str, Any]] = []
    with _fresh(out) as folder:
        for name, label, seed in phantom_entries():
            data, facts = phantom_png(label, seed)
            (folder / f"{name}.png").write_bytes(data)
            rows.append(_row(name, f"{name}.png", label, "phantom", data, seed=seed, **facts))
        _write_manifest(folder, "synthetic", PHANTOM_NOTICE, FIRST_SEED, rows)
    return out / "manifest.json"


def build_real(
    data: Path, out: Path = GALLERY_DIR, per_class: int = 25, seed: int = 7,
    splits: Path = MANIFEST,
) -> Path:  # fmt: skip
    """Copy a seeded choice of unseen test images, byte for byte; returns the manifest's path.

    Args:
        data: folder of the dataset, as ``data.layout.list_images`` takes it.
        out: folder to replace; it is built aside and renamed, so that no half gallery is ever seen.
        per_class: images a class; all unseen ones, after a warning, where there are fewer.
        seed: seed of the choice; the same seed and dataset give the same gallery.
        splits: the dataset's division, which tells the test images with a copy in Training; images
            that it does not name are taken too, after a warning.

    Raises:
        data.layout.DatasetError: the Testing folder or a class folder is missing or empty.
        data.dataset.division.ManifestError: ``splits`` cannot be read.
        ValueError: ``per_class`` is below 1 or above a class's readable images, or ``out`` holds
            other files.
    """
    if per_class < 1:
        raise ValueError(f"`per_class` must be at least 1. Received: {per_class}")
    images = list_images(data, splits=("Testing",))
    seen = _with_copy_in_training([image.path for image in images], load_manifest(splits))
    chosen = {
        label: _choose(label, [i.path for i in images if i.label == label], seen, per_class, seed)
        for label in CLASS_NAMES
    }
    rows: list[dict[str, Any]] = []
    with _fresh(out) as folder:
        for label, paths in chosen.items():
            for path in paths:
                name, content = _slug(path, rows), path.read_bytes()
                file = f"{name}{path.suffix.lower()}"
                (folder / file).write_bytes(content)
                rows.append(_row(name, file, label, "dataset", content))
        _write_manifest(folder, "dataset", DATASET_NOTICE, seed, rows)
    return out / "manifest.json"


def _with_copy_in_training(paths: list[Path], manifest: Manifest) -> set[Path]:
    """The test images that the manifest gives a copy in Training; warns of those it lacks."""
    listed = manifest.listed([f"{p.parent.name}/{p.name}" for p in paths], "Testing")
    if not listed.all():
        missing = [path.name for path, known in zip(paths, listed, strict=True) if not known]
        warnings.warn(
            f"{len(missing)} of {len(paths)} test images are not in {manifest.path.name}, the"
            f" first {missing[0]}: whether Training has a copy is unknown, and they are taken as"
            " they are; python -m model audit finds out",
            UnlistedImageWarning,
            3,
        )
    unseen = set(manifest.unseen())
    return {
        path
        for path, known in zip(paths, listed, strict=True)
        if known and f"Testing/{path.parent.name}/{path.name}" not in unseen
    }


def _choose(label: str, paths: list[Path], seen: set[Path], count: int, seed: int) -> list[Path]:
    """``count`` readable, unseen images of one class in a seeded order, sorted by name."""
    rng = np.random.default_rng([seed, CLASS_NAMES.index(label)])
    candidates = [path for path in paths if path not in seen]
    kept: list[Path] = []
    unreadable: list[Path] = []
    for index in rng.permutation(len(candidates)):
        if len(kept) == count:
            break
        path = candidates[index]
        (kept if is_readable(path) else unreadable).append(path)
    if unreadable:
        names = ", ".join(sorted(p.name for p in unreadable))
        warnings.warn(
            f"{len(unreadable)} unreadable in {label}, left out: {names}",
            UnreadableImageWarning,
            3,
        )
    if len(kept) < count:
        _explain_few(label, len(kept), len(paths) - len(candidates), count)
    return sorted(kept)


def _explain_few(label: str, kept: int, seen: int, count: int) -> None:
    """Warns where copies in Training are why there are fewer than asked for; else raises."""
    if not seen or not kept:
        raise ValueError(
            f"`per_class` must be at most {kept}, the readable images of {label}"
            f"{' without a copy in Training' if seen else ''}. Received: {count}"
        )
    warnings.warn(
        f"{kept} instead of {count} of {label}: {seen} others have a copy in Training",
        FewUnseenWarning,
        4,
    )


def _slug(path: Path, rows: list[dict[str, Any]]) -> str:
    """A URL-safe id from the file's stem, unlike those already given."""
    stem = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_") or "image"
    taken = {row["id"] for row in rows}
    name, number = f"test-{path.parent.name}-{stem}"[:60], 2
    base = name
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def _row(
    name: str,
    file: str,
    label: str,
    origin: str,
    content: bytes,
    plane: str | None = None,
    contrast: str | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    if not ID_PATTERN.match(name):
        raise ValueError(f"`id` must match {ID_PATTERN.pattern}. Received: {name!r}")
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    return {
        "id": name,
        "file": file,
        "true_label": label,
        "plane": plane,
        "contrast": contrast,
        "origin": origin,
        "seed": seed,
        "width": width,
        "height": height,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _write_manifest(
    folder: Path, origin: str, notice: str, seed: int, rows: list[dict[str, Any]]
) -> None:
    manifest = {"origin": origin, "notice": notice, "seed": seed, "samples": rows}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _fresh(target: Path) -> Iterator[Path]:
    """A folder that takes ``target``'s place on success; on failure the old gallery stays."""
    if target.exists() and not target.is_dir():
        raise ValueError(f"`out` must be a folder. Received: {target}, which is a file")
    if target.is_dir() and any(target.iterdir()) and not (target / "manifest.json").is_file():
        raise ValueError(
            f"`out` must be empty or an earlier gallery."
            f" Received: {target}, which holds other files"
        )
    with staging(target) as folder:
        complete = folder / "complete"
        complete.mkdir()
        yield complete
        swap(complete, target, folder / "previous")


def main(argv: list[str] | None = None) -> int:
    """Command line, see the module's docstring; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data.samples", description="Build a gallery of example images."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    drawn = commands.add_parser("phantoms", help="rewrite the embedded gallery of synthetic images")
    drawn.add_argument("--out", type=Path, default=SAMPLES_DIR)
    real = commands.add_parser("real", help="build a gallery of real test images, for local use")
    real.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder that holds Testing/, itself or in one subfolder",
    )
    real.add_argument("--out", type=Path, default=GALLERY_DIR)
    real.add_argument("--per-class", type=int, default=25)
    real.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "phantoms":
            manifest = build_phantoms(arguments.out)
        else:
            manifest = build_real(
                arguments.data, arguments.out, arguments.per_class, arguments.seed
            )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(json.loads(manifest.read_text(encoding='utf-8'))['samples'])} samples: {manifest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
