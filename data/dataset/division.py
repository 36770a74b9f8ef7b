"""The division of the dataset that every protocol uses: `data/splits.csv`, made by the audit.

A row an image, sorted by `file`: the file below the dataset folder, the number of its `group` of
near-identical or mirrored copies, the `nearest` other image with its `similarity` and whether it is
`mirrored`, the `block` of images that are likely of one patient, its role under the protocols
`official` and `clean`, and its `fold` in grouped cross-validation. Reads a CSV file; imports
neither Keras nor the dataset.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MANIFEST = Path(__file__).resolve().parents[2] / "data" / "splits.csv"
FOLDS = 5
CROSS_VALIDATION = tuple(f"fold-{fold}" for fold in range(FOLDS))
PROTOCOLS = ("official", "clean", *CROSS_VALIDATION)
ROLES = {
    "official": ("train", "validation", "test"),
    "clean": ("train", "validation", "excluded", "test"),
}
COLUMNS = (
    "file", "group", "nearest", "similarity", "mirrored", "block", "official", "clean", "fold",
)  # fmt: skip
_REMEDY = "python -m model audit --data DIR --out FILE makes one for your images"


class ManifestError(ValueError):
    """The manifest is damaged or does not name an image; one sentence that says what to do."""


@dataclass(frozen=True)
class Manifest:
    """The division of a dataset.

    Attributes:
        path: The file it was read from.
        rows: The columns of each file, by its name, such as "Training/glioma/Tr-gl_0010.jpg".
    """

    path: Path
    rows: dict[str, dict[str, str]]

    def roles(self, names: Sequence[str], split: str, protocol: str) -> NDArray[np.str_]:
        """Roles of images under a protocol.

        Args:
            names: "class/file name" of each image, as in `ImageSet.names`.
            split: "Training" or "Testing".
            protocol: "official" or "clean".

        Returns:
            str (n,), one of `ROLES[protocol]` each.

        Raises:
            ManifestError: An image is not in the manifest.
        """
        return np.array([row[protocol] for row in self._find(names, split)], dtype=np.str_)

    def folds(self, names: Sequence[str], split: str) -> NDArray[np.int64]:
        """Folds of images in grouped cross-validation, int64 (n,) in 0..4; otherwise as `roles`."""
        return np.array([int(row["fold"]) for row in self._find(names, split)], dtype=np.int64)

    def groups(self, names: Sequence[str], split: str) -> NDArray[np.int64]:
        """Numbers of the images' groups of copies, int64 (n,); otherwise as `roles`."""
        return np.array([int(row["group"]) for row in self._find(names, split)], dtype=np.int64)

    def select(self, protocol: str, role: str) -> list[str]:
        """Files with a role under a protocol, in order.

        Raises:
            ValueError: An unknown protocol or role.
        """
        if protocol not in ROLES or role not in ROLES[protocol]:
            legal = "; ".join(f"{name}: {', '.join(roles)}" for name, roles in ROLES.items())
            raise ValueError(
                f"`protocol` and `role` must be of {legal}. Received: {protocol}, {role}"
            )
        return [file for file, row in self.rows.items() if row[protocol] == role]

    def fold(self, number: int) -> list[str]:
        """Files of both splits that are tested in fold `number` of cross-validation, in order.

        Raises:
            ValueError: `number` is not in 0..4.
        """
        if number not in range(FOLDS):
            raise ValueError(f"`number` must be in 0..{FOLDS - 1}. Received: {number}")
        return [file for file, row in self.rows.items() if row["fold"] == str(number)]

    def listed(self, names: Sequence[str], split: str) -> NDArray[np.bool_]:
        """Whether the manifest names each image, bool (n,)."""
        return np.array([f"{split}/{name}" in self.rows for name in names], dtype=np.bool_)

    def unseen(self) -> list[str]:
        """Files of Testing whose group has no image of Training, in order."""
        training = {row["group"] for file, row in self.rows.items() if file.startswith("Training/")}
        return [
            file
            for file, row in self.rows.items()
            if file.startswith("Testing/") and row["group"] not in training
        ]

    def _find(self, names: Sequence[str], split: str) -> list[dict[str, str]]:
        files = [f"{split}/{name}" for name in names]
        missing = [file for file in files if file not in self.rows]
        if missing:
            raise ManifestError(
                f"`names` must all be in {self.path.name}. Received: {len(missing)} that are not, "
                f"the first {missing[0]}; {_REMEDY}"
            )
        return [self.rows[file] for file in files]


def load_manifest(path: Path = MANIFEST) -> Manifest:
    """Reads a manifest.

    Raises:
        ManifestError: It cannot be read, lacks a column, names a file twice, or has an unknown
            role, group or fold.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns, lines = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"The manifest {path} could not be read ({error}); {_REMEDY}") from None
    wanted = {*COLUMNS}
    if lacking := sorted(wanted - set(columns)):
        raise ManifestError(f"The manifest {path} lacks the columns {', '.join(lacking)}")
    rows: dict[str, dict[str, str]] = {}
    for line in lines:
        name = line["file"]
        if name in rows:
            raise ManifestError(f"The manifest {path} names {name} twice")
        for protocol, legal in ROLES.items():
            if line[protocol] not in legal:
                raise ManifestError(
                    f"`{protocol}` must be one of {', '.join(legal)}. "
                    f"Received: {line[protocol]!r} for {name} in {path}"
                )
        if line["fold"] not in map(str, range(FOLDS)) or not (line["group"] or "").isdecimal():
            raise ManifestError(
                f"`group` must be a number and `fold` one of 0..{FOLDS - 1}. "
                f"Received: {line['group']!r} and {line['fold']!r} for {name} in {path}"
            )
        rows[name] = line
    return Manifest(path, rows)
