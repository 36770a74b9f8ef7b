"""The gallery: a folder of images and its manifest.json, checked in full before the first request.

Requests name a sample by id and ids are looked up in a dict: no part of a URL becomes a path.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.config import CLASS_NAMES

SAMPLE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
ORIGINS = ("synthetic", "dataset")


class GalleryError(RuntimeError):
    """A missing or damaged gallery; the message is one sentence."""


@dataclass(frozen=True)
class Sample:
    """One image of the gallery.

    Attributes:
        id: matches SAMPLE_ID, unique in its gallery.
        path: the image file, a regular file directly inside the gallery's folder.
        media_type: "image/png" or "image/jpeg".
        true_label: one of CLASS_NAMES.
        plane, contrast, seed: as in the manifest, None where it does not say.
        origin: "phantom" or "dataset".
        width, height: pixels.
        sha256: of the file, lower-case hex.
    """

    id: str
    path: Path
    media_type: str
    true_label: str
    plane: str | None
    contrast: str | None
    origin: str
    seed: int | None
    width: int
    height: int
    sha256: str

    @property
    def version(self) -> str:
        """Changes with the file, so an address that carries it may be cached for good."""
        return self.sha256[:12]


@dataclass(frozen=True)
class Gallery:
    """Samples in the manifest's order, ids as keys; ``origin`` is "synthetic" or "dataset".

    ``seed`` is what the images were drawn or chosen with, None where the manifest does not say.
    """

    origin: str
    notice: str
    seed: int | None
    samples: Mapping[str, Sample]

    @property
    def synthetic(self) -> bool:
        return self.origin == "synthetic"


def load_gallery(folder: Path) -> Gallery:
    """Reads ``folder/manifest.json`` and verifies every image it names, hash included.

    Raises:
        GalleryError: manifest or image missing, damaged or not what the manifest says.
    """
    manifest = _read_manifest(folder / "manifest.json")
    origin = manifest.get("origin")
    if origin not in ORIGINS:
        raise GalleryError(
            f"{folder}/manifest.json: `origin` must be one of {ORIGINS}. Received: {origin!r}."
        )
    entries = manifest.get("samples")
    if not isinstance(entries, list) or not entries:
        raise GalleryError(
            f"{folder}/manifest.json: `samples` must be a list with at least one entry."
        )
    samples: dict[str, Sample] = {}
    for number, entry in enumerate(entries):
        sample = _read_sample(folder, number, entry)
        if sample.id in samples:
            raise GalleryError(f"{folder}/manifest.json: the id {sample.id!r} appears twice.")
        samples[sample.id] = sample
    seed = manifest.get("seed")
    if seed is not None and not _is_integer(seed):
        raise GalleryError(
            f"{folder}/manifest.json: `seed` must be an integer or null. Received: {seed!r}."
        )
    return Gallery(origin, str(manifest.get("notice") or ""), seed, samples)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GalleryError(
            f"The gallery's manifest {path} cannot be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise GalleryError(f"The gallery's manifest {path} is not valid JSON: {error}.") from error
    if not isinstance(manifest, dict):
        raise GalleryError(f"The gallery's manifest {path} must be a JSON object.")
    return manifest


def _read_sample(folder: Path, number: int, entry: object) -> Sample:
    def check(ok: bool, name: str, legal: str) -> None:
        if not ok:
            received = entry.get(name) if isinstance(entry, dict) else entry
            raise GalleryError(
                f"{folder}/manifest.json, sample {number}: `{name}` must be {legal}. "
                f"Received: {received!r}."
            )

    check(isinstance(entry, dict), "samples", "a list of objects")
    fields: dict[str, Any] = entry if isinstance(entry, dict) else {}

    def value(name: str) -> Any:
        return fields.get(name)

    check(_matches(SAMPLE_ID, value("id")), "id", f"a string matching {SAMPLE_ID.pattern}")
    check(
        _matches(FILE_NAME, value("file")), "file", "a plain file name inside the gallery's folder"
    )
    suffix = Path(value("file")).suffix.lower()
    check(suffix in MEDIA_TYPES, "file", f"named {', '.join(MEDIA_TYPES)}")
    check(value("true_label") in CLASS_NAMES, "true_label", f"one of {CLASS_NAMES}")
    for name in ("plane", "contrast"):
        check(value(name) is None or isinstance(value(name), str), name, "a string or null")
    check(value("origin") in ("phantom", "dataset"), "origin", "'phantom' or 'dataset'")
    check(value("seed") is None or _is_integer(value("seed")), "seed", "an integer or null")
    for name in ("width", "height"):
        check(_is_integer(value(name)) and value(name) > 0, name, "a positive integer")
    path = folder / value("file")
    _check_file(path, value("id"), value("sha256"))
    return Sample(
        id=value("id"),
        path=path.resolve(),
        media_type=MEDIA_TYPES[suffix],
        true_label=value("true_label"),
        plane=value("plane"),
        contrast=value("contrast"),
        origin=value("origin"),
        seed=value("seed"),
        width=value("width"),
        height=value("height"),
        sha256=value("sha256"),
    )


def _check_file(path: Path, sample_id: str, sha256: object) -> None:
    if path.is_symlink() or not path.is_file():
        raise GalleryError(f"The gallery's image {path} (sample {sample_id!r}) is missing.")
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise GalleryError(
            f"The gallery's image {path} (sample {sample_id!r}) is not the file its manifest "
            "describes: the SHA-256 differs."
        )


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
