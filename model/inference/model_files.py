"""The files of the model, which must be those that their `metadata.json` describes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


class ModelFileError(RuntimeError):
    """A file of the model is missing, damaged or does not fit; one sentence."""


def read_checked(path: Path, metadata: dict[str, Any], command: str) -> tuple[bytes, str]:
    """The content of a file and its SHA-256, which the metadata must name."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(
            f"The model file {path} could not be read ({error.strerror}); "
            f"`python -m model {command}` makes it."
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    described = metadata["files"].get(path.name)
    expected = described.get("sha256") if isinstance(described, dict) else None
    if sha256 != expected:
        raise ModelFileError(
            f"The model file {path} is damaged or not the one its metadata.json describes: "
            f"its SHA-256 is {sha256}, expected {expected}."
        )
    return content, sha256


def read_metadata(path: Path) -> dict[str, Any]:
    """What `metadata.json` says; the name, the classes and the files are there."""
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFileError(
            f"The model's metadata {path} could not be read ({error.strerror}); "
            "`python -m model export` makes it."
        ) from error
    except ValueError as error:
        raise ModelFileError(f"The model's metadata {path} is not valid JSON: {error}.") from error
    kinds = {"name": str, "classes": list, "files": dict}
    wrong = [
        f"`{key}` ({'text' if kind is str else kind.__name__})"
        for key, kind in kinds.items()
        if not isinstance(metadata, dict) or not isinstance(metadata.get(key), kind)
    ]
    if wrong:
        raise ModelFileError(f"The model's metadata {path} lacks {', '.join(wrong)}.")
    return dict(metadata)
