"""Sets of phantoms: which class each shows, that each has its own seed, and tumors' twins."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from data.dataset.image_set import ImageSet, to_uint8
from data.phantoms import make_phantom, sets
from data.phantoms.sets import PhantomPool, cached_phantoms, draw_phantoms, make_phantoms
from model.preprocessing import prepare


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


@pytest.fixture(scope="module")
def pool() -> PhantomPool:
    return draw_phantoms(2, seed=500)


def test_each_phantom_tumour_is_followed_by_its_twin_without(pool: PhantomPool) -> None:
    g, m, n, p = range(4)
    assert pool.labels.tolist() == [g, n, m, n, n, p, n] * 2
    assert pool.labels.dtype == np.int64
    assert len(pool) == 14
    assert pool.images.shape == pool.masks.shape == (14, 224, 224)
    assert pool.images.dtype == pool.masks.dtype == np.uint8
    lesions = pool.masks.reshape(14, -1).max(axis=1)
    np.testing.assert_array_equal(lesions > 0, pool.labels != n)
    for row in (0, 2, 5, 7, 9, 12):
        tumour, twin = pool.images[row].astype(int), pool.images[row + 1].astype(int)
        far = cv2.dilate(pool.masks[row], np.ones((61, 61), np.uint8)) == 0
        near = pool.masks[row] == 255
        assert np.abs(tumour - twin)[near].mean() > 3 * np.abs(tumour - twin)[far].mean()
        assert np.corrcoef(tumour[far], twin[far])[0, 1] > 0.95


def test_phantoms_are_those_of_their_seeds_at_two_sizes(pool: PhantomPool) -> None:
    for row, (label, seed, size) in {0: ("glioma", 500, 224), 12: ("pituitary", 507, 448)}.items():
        phantom = make_phantom(label, seed, size=size)
        expected = to_uint8(prepare(phantom.image.astype(np.float32)))[:, :, 0]
        np.testing.assert_array_equal(pool.images[row], expected)
        share = phantom.mask.mean()
        assert pool.masks[row].mean() / 255 == pytest.approx(share, rel=0.02)


def test_cached_phantoms_read_back_equal(
    pool: PhantomPool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def draw(per_class: int, seed: int) -> PhantomPool:
        calls.append((per_class, seed))
        return pool

    monkeypatch.setattr(sets, "draw_phantoms", draw)
    for _ in range(2):
        found = cached_phantoms(2, 500, tmp_path / "run")
        for name in ("images", "masks", "labels"):
            read, drawn = getattr(found, name), getattr(pool, name)
            np.testing.assert_array_equal(read, drawn)
            assert read.dtype == drawn.dtype
    assert calls == [(2, 500)]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["phantom-pairs-2-500.npz"]
    cached_phantoms(2, 501, tmp_path / "run")
    cached_phantoms(1, 500, tmp_path / "run")
    assert calls == [(2, 500), (2, 501), (1, 500)]
