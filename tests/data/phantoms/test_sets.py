"""Sets of phantoms: which class each shows, and that each has its own seed."""

from __future__ import annotations

import pytest

from data.dataset.image_set import ImageSet
from data.phantoms.sets import make_phantoms


@pytest.fixture(scope="module")
def phantoms() -> ImageSet:
    return make_phantoms(2, seed=500)


def test_phantoms_come_class_by_class_each_with_its_seed(phantoms: ImageSet) -> None:
    assert phantoms.images.shape == (8, 224, 224, 1)
    assert phantoms.labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert phantoms.names[0] == "glioma/phantom-500"
    assert phantoms.names[7] == "pituitary/phantom-507"
    assert (phantoms.images.max(axis=(1, 2, 3)) == 255).all()
    assert len({image.tobytes() for image in phantoms.images}) == 8
