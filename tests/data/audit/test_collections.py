"""The audit of other collections: copies in the dataset, in two parts, of other people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from data.audit.collections import audit_collections
from data.audit.manifest import Images
from data.audit.report_markdown import _collections
from data.dataset.collections import part_of
from tests.data.audit.test_audit import heads


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[:, :, 0]).save(path)


def _people(part: str, count: int) -> list[str]:
    numbers = (f"{number:03d}" for number in range(500))
    return [n for n in numbers if part_of(f"clinic-t2/tumor/{n}.png") == part][:count]


@pytest.fixture
def dataset() -> Images:
    images = heads(4, seed=31)
    files = np.array(["Testing/glioma/a.png", "Testing/notumor/b.png", "Training/glioma/c.png"])
    return Images(files, images[:3], np.array([0, 2, 0]), np.array([True, True, False]))


def test_copies_and_parts_are_reported(dataset: Images, tmp_path: Path) -> None:
    fresh = heads(4, seed=41)
    one, two = _people("training", 2)
    held = _people("report", 1)[0]
    _save(tmp_path / f"clinic-t2/tumor/{one}-1.png", fresh[0])
    _save(tmp_path / f"clinic-t2/tumor/{one}-2.png", fresh[0][:, ::-1])  # of one person
    _save(tmp_path / f"clinic-t2/tumor/{two}-1.png", np.rot90(fresh[0]))  # of another
    _save(tmp_path / f"clinic-flair/notumor/{two}-2.png", fresh[1])
    _save(tmp_path / f"clinic-flair/notumor/{held}-1.png", fresh[1][::-1])  # and in another part
    _save(tmp_path / f"clinic-flair/notumor/{held}-2.png", dataset.images[1][:, ::-1])
    found = audit_collections(dataset, [tmp_path])
    assert json.loads(json.dumps(found)) == found
    assert found["collections"] == {
        "clinic-flair": {
            "images": 3, "tumors": 0, "people": 2, "people, training": 1,
            "people, validation": 0, "people, report": 1,
        },
        "clinic-t2": {
            "images": 3, "tumors": 3, "people": 2, "people, training": 2,
            "people, validation": 0, "people, report": 0,
        },
    }  # fmt: skip
    copied = found["copies_of_dataset_images"]
    assert [(pair["left"], pair["right"], pair["transform"]) for pair in copied] == [
        (f"clinic-flair/notumor/{held}-2.png", "Testing/notumor/b.png", "mirrored")
    ]
    divided = found["copies_in_two_parts"]
    assert [{pair["left"], pair["right"]} for pair in divided] == [
        {f"clinic-flair/notumor/{two}-2.png", f"clinic-flair/notumor/{held}-1.png"}
    ]
    assert len(found["copies_of_other_people"]) == 1
    assert found["copies_of_one_person"] == 1
    assert found["people_in_two_parts"] == []
    text = _collections({"other_collections": found})
    assert "- pairs of copies in two parts: 1" in text
    assert f"- `clinic-flair/notumor/{held}-2.png`, `Testing/notumor/b.png`, mirrored" in text
    assert _collections({}) == ""
