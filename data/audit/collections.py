"""Copies and people of other collections: none may be in the dataset, nor in two parts.

Data contract: images uint8 (n, 224, 224, 1). A person, and the part that a person is in, follow
from the names, as `data.dataset.collections` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.audit.copies import COPY_THRESHOLD, CopyPairs, find_copies
from data.audit.manifest import Images
from data.audit.similarity import TRANSFORMS
from data.dataset.collections import Collections, load_collections, part_of, person_of


def audit_collections(data: Images, folders: Sequence[Path]) -> dict[str, Any]:
    """Searches collections for copies of the dataset's images and of each other's.

    Args:
        data: The dataset, Training and Testing.
        folders: Collections, or folders of collections.

    Returns:
        `collections` (images and people of each, and of each part), `copies_of_dataset_images`,
        `copies_in_two_parts` and `copies_of_other_people` (pairs, named), `copies_of_one_person`
        (their number) and `people_in_two_parts`, JSON-ready.

    Raises:
        data.dataset.collections.CollectionError: A folder is no collection, or holds a file that
            is not as it should be.
    """
    other = load_collections(folders)
    names = np.array(other.names)
    across = find_copies(other.images, data.images, transforms=TRANSFORMS)
    within = find_copies(other.images, transforms=TRANSFORMS)
    people = np.array([person_of(name) for name in other.names])
    parts = np.array([part_of(name) for name in other.names])
    strangers = people[within.left] != people[within.right]
    divided = parts[within.left] != parts[within.right]
    return {
        "threshold": COPY_THRESHOLD,
        "collections": _counts(other),
        "copies_of_dataset_images": _listed(across, names, data.files),
        "copies_in_two_parts": _listed(within.where(divided), names, names),
        "copies_of_other_people": _listed(within.where(strangers & ~divided), names, names),
        "copies_of_one_person": int((~strangers).sum()),
        "people_in_two_parts": sorted(
            str(person) for person in np.unique(people) if len(set(parts[people == person])) > 1
        ),
    }


def _counts(other: Collections) -> dict[str, dict[str, int]]:
    """Images and people of each collection, and its people of each part."""
    found = {}
    for collection in sorted(set(other.collections)):
        own = [name for name in other.names if name.startswith(f"{collection}/")]
        parts = Counter({person_of(name): part_of(name) for name in own}.values())
        classes = Counter(name.split("/")[1] for name in own)
        found[str(collection)] = {
            "images": len(own),
            "tumors": len(own) - classes["notumor"],
            "people": parts.total(),
            **{f"people, {part}": parts[part] for part in ("training", "validation", "report")},
        }
    return found


def _listed(pairs: CopyPairs, left: Any, right: Any) -> list[dict[str, Any]]:
    return [
        {
            "left": str(left[pairs.left[k]]),
            "right": str(right[pairs.right[k]]),
            "similarity": round(float(pairs.similarity[k]), 4),
            "transform": TRANSFORMS[pairs.transform[k]],
        }
        for k in range(len(pairs))
    ]
