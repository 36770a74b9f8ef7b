"""The source's slices as .mat files, drawn."""

from __future__ import annotations

import pytest

from tests.mat_files import drawn, fields, mat_bytes

# number of the slice, class, seed of its phantom, patient
SLICES = (
    (3, "glioma", 2, "100360"), (4, "glioma", 3, "100360"), (21, "meningioma", 0, "MR0402I"),
    (22, "meningioma", 4, "112649"), (700, "pituitary", 3, "99"), (701, "pituitary", 4, "98"),
)  # fmt: skip


@pytest.fixture(scope="module")
def mats() -> dict[str, bytes]:
    """Files of the collection by name; odd slices have their border's coordinates swapped."""
    files = {}
    for number, label, seed, patient in SLICES:
        content = fields(drawn(label, seed), patient)
        if number % 2:
            pairs = content["tumorBorder"].reshape(-1, 2)[:, ::-1]
            content["tumorBorder"] = pairs.reshape(1, -1)
        files[f"{number}.mat"] = mat_bytes(content)
    return files
