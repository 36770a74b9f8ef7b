"""The search for copies: what it measures, what it finds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from data.audit import (
    COPY_THRESHOLD,
    TRANSFORMS,
    blocks,
    connected_groups,
    copy_groups,
    find_copies,
    signatures,
)
from data.audit.manifest import audit, load_images
from data.audit.planted import KINDS, measure, shifted
from data.audit.similarity import transformed
from data.dataset.image_store import StoredImages
from model.config import CLASS_NAMES
from tests.model_helpers import smooth_images


def heads(n: int, seed: int, *, symmetric: float = 0.0) -> NDArray[np.uint8]:
    """Round, textured pictures: uint8 (n, 224, 224, 1); `symmetric` of the texture is mirrored."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:224j, -1:1:224j]
    texture = gaussian_filter(rng.normal(size=(n, 224, 224)), (0, 2, 2))
    texture += 3 * gaussian_filter(rng.normal(size=(n, 224, 224)), (0, 12, 12))
    even = (texture + texture[:, :, ::-1]) / 2
    texture = symmetric * even + (1 - symmetric) * texture
    texture = 120 + 60 * texture / np.abs(texture).max(axis=(1, 2), keepdims=True)
    inside = (x / 0.75) ** 2 + (y / 0.9) ** 2 < 1
    pictures: NDArray[np.uint8] = np.rint(texture * inside).astype(np.uint8)
    return pictures[..., np.newaxis]


def test_a_signature_is_the_centred_block_means_at_unit_norm() -> None:
    image = np.zeros((1, 64, 64, 1), dtype=np.uint8)
    image[0, :2, :2] = [[[100], [50]], [[30], [20]]]  # one block of mean 50 among 1,024
    found = signatures(image)
    assert found.shape == (1, 32, 32)
    assert found.dtype == np.float32
    assert found[0, 0, 0] == pytest.approx(np.sqrt(1023 / 1024), abs=1e-6)
    assert found[0, 5, 7] == pytest.approx(-np.sqrt(1 / 1023 / 1024), abs=1e-6)
    assert found.sum() == pytest.approx(0, abs=1e-4)
    assert (found**2).sum() == pytest.approx(1, abs=1e-5)


def test_large_bright_blocks_do_not_overflow() -> None:
    image = np.zeros((1, 1024, 1024, 1), dtype=np.uint8)
    image[0, :32, :32] = 255
    assert signatures(image)[0, 0, 0] == pytest.approx(np.sqrt(1023 / 1024), abs=1e-6)


def test_flat_images_are_copies_of_nothing() -> None:
    flat = np.full((2, 64, 64, 1), 90, dtype=np.uint8)
    assert not signatures(flat).any()
    assert len(find_copies(flat)) == 0
    assert copy_groups(flat).tolist() == [0, 1]


def test_sizes_and_transforms_are_checked() -> None:
    good = np.zeros((1, 64, 64, 1), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"multiples of 32. Received: \(1, 65, 65, 1\)"):
        find_copies(np.zeros((1, 65, 65, 1), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"\(n, side, side, 1\). Received: \(1, 64, 96, 1\)"):
        find_copies(np.zeros((1, 64, 96, 1), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"one size. Received: \(1, 64, 64, 1\) and \(1, 96"):
        find_copies(good, np.zeros((1, 96, 96, 1), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"among identity, .*Received: \['inverted'\]"):
        find_copies(good, transforms=["inverted"])


def test_nothing_to_compare_gives_no_pairs() -> None:
    none, some = np.empty((0, 64, 64, 1), dtype=np.uint8), heads(2, 7)[:, :64, :64]
    for left, right in ((none, some), (some, none), (none, None)):
        pairs = find_copies(left, right)
        assert len(pairs) == 0
        kinds = [pairs.left.dtype, pairs.right.dtype, pairs.similarity.dtype, pairs.transform.dtype]
        assert kinds == [np.int64, np.int64, np.float32, np.int8]


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_are_found_and_nothing_else(kind: str) -> None:
    images = heads(6, seed=1)
    change = KINDS[kind]
    copies = np.stack([change(images[k, :, :, 0]) for k in (4, 2)])[..., np.newaxis]
    pairs = find_copies(copies, images)
    assert pairs.left.tolist() == [0, 1]
    assert pairs.right.tolist() == [4, 2]
    assert pairs.transform.tolist() == [int(kind.startswith("mirrored"))] * 2
    assert (pairs.similarity >= COPY_THRESHOLD).all()


def test_each_transform_is_told_from_the_others() -> None:
    images = heads(3, seed=2)
    turned = np.concatenate([transformed(images[:1], number) for number in range(len(TRANSFORMS))])
    pairs = find_copies(turned, images, transforms=TRANSFORMS)
    assert pairs.left.tolist() == [0, 1, 2, 3, 4, 5]
    assert pairs.right.tolist() == [0] * 6
    assert pairs.transform.tolist() == [0, 1, 2, 3, 4, 5]
    assert pairs.similarity == pytest.approx(1.0, abs=1e-3)
    assert find_copies(turned, images).transform.tolist() == [0, 1]


def test_turns_are_anticlockwise() -> None:
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3)
    assert transformed(image, TRANSFORMS.index("rotated_90"))[0].tolist() == [
        [2, 5, 8], [1, 4, 7], [0, 3, 6],
    ]  # fmt: skip
    assert transformed(image, TRANSFORMS.index("upside_down"))[0].tolist() == [
        [6, 7, 8], [3, 4, 5], [0, 1, 2],
    ]  # fmt: skip


def test_a_nearly_symmetric_head_is_not_its_own_mirror_image() -> None:
    images = heads(1, seed=3, symmetric=0.8)
    rows = signatures(images)
    assert (rows * rows[:, :, ::-1]).sum() > 0.995  # block means alone would say so
    both = np.concatenate([images, images[:, :, ::-1]])
    pairs = find_copies(both, images)
    assert pairs.transform.tolist() == [0, 1]
    assert pairs.similarity == pytest.approx(1.0, abs=1e-3)


def test_a_picture_with_the_same_outline_and_other_detail_is_no_copy() -> None:
    left, right = heads(1, seed=4), heads(1, seed=5)
    rows = signatures(left) * signatures(right)
    assert rows.sum() > 0.9
    assert len(find_copies(left, right)) == 0


def test_a_planted_shift_repeats_the_border() -> None:
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    assert shifted(image, 1, 0).tolist() == [[0, 1, 2], [0, 1, 2], [3, 4, 5]]
    assert shifted(image, 0, -1).tolist() == [[1, 2, 2], [4, 5, 5], [7, 8, 8]]


def test_rows_are_numbered_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from data.audit import copies

    for name, size in (("_ROWS", 3), ("_COLUMNS", 4), ("_PAIRS", 2)):
        monkeypatch.setattr(copies, name, size)
    images = heads(9, seed=6)
    images[7], images[8] = images[2], images[3][:, ::-1]
    pairs = find_copies(images)
    assert list(zip(pairs.left, pairs.right, pairs.transform, strict=True)) == [
        (2, 7, 0), (3, 8, 1),
    ]  # fmt: skip
    across = find_copies(images[6:], images[:6])
    assert (across.left.tolist(), across.right.tolist()) == ([1, 2], [2, 3])


def test_a_threshold_can_be_asked_for() -> None:
    images = heads(2, seed=8)
    mixed = (0.85 * images[:1] + 0.15 * images[1:]).astype(np.uint8)
    found = find_copies(mixed, images[:1], threshold=0.5).similarity[0]
    assert 0.9 < found < 1
    assert len(find_copies(mixed, images[:1], threshold=float(found) + 0.001)) == 0


def test_groups_connect_chains_and_are_numbered_by_their_first_image() -> None:
    edges = np.array([3, 4]), np.array([1, 3])
    assert connected_groups(6, *edges).tolist() == [0, 1, 2, 1, 1, 3]
    images = heads(4, seed=9)
    images[3] = images[1][:, ::-1]
    assert copy_groups(images).tolist() == [0, 1, 2, 1]


def test_the_measure_of_planted_copies_counts_each_class() -> None:
    images, labels = heads(6, seed=10), np.array([0, 0, 0, 1, 1, 1])
    report = measure(images, labels, ("a", "b"), per_class=2, seed=0)
    assert (report["originals"], report["searched"]) == (4, 6)
    assert set(report["kinds"]) == set(KINDS)
    assert report["kinds"]["mirrored"] == {
        "a": {"planted": 2, "found": 2, "recall": 1.0, "false": 0, "precision": 1.0},
        "b": {"planted": 2, "found": 2, "recall": 1.0, "false": 0, "precision": 1.0},
        "all": {"planted": 4, "found": 4, "recall": 1.0, "false": 0, "precision": 1.0},
    }


def test_the_nearest_is_the_same_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = signatures(heads(23, seed=11))
    each = np.arange(len(rows))
    expected = blocks.nearest(rows, rows, lambda k: k[:, np.newaxis] != each)
    flat = np.concatenate([rows, rows[:, :, ::-1]]).reshape(2, len(rows), -1)
    cosines = np.einsum("ik,tjk->tij", rows.reshape(len(rows), -1), flat)
    cosines[:, each, each] = -1
    assert expected[0].tolist() == cosines.max(axis=0).argmax(axis=1).tolist()
    np.testing.assert_allclose(expected[1], cosines.max(axis=(0, 2)), atol=1e-5)
    assert expected[2].tolist() == cosines.max(axis=2).argmax(axis=0).tolist()
    assert set(expected[2].tolist()) == {0, 1}
    for sizes in ((4, 3), (23, 1), (1, 5)):
        monkeypatch.setattr(blocks, "_ROWS", sizes[0])
        monkeypatch.setattr(blocks, "_COLUMNS", sizes[1])
        found = blocks.nearest(rows, rows, lambda k: k[:, np.newaxis] != each)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_allclose(found[1], expected[1], atol=1e-5)
        np.testing.assert_array_equal(found[2], expected[2])
    nothing = blocks.nearest(rows[:2], rows, lambda k: np.zeros((len(k), len(rows)), bool))
    assert np.isneginf(nothing[1]).all()


def test_an_audit_of_images_on_the_disk_is_that_of_images_in_memory(tmp_path: Path) -> None:
    pictures = smooth_images(80, seed=12)
    pictures[30:34] = pictures[2:6, :, ::-1]
    for number, picture in enumerate(pictures):
        split = "Testing" if number % 5 == 4 else "Training"
        path = tmp_path / split / CLASS_NAMES[number % 4] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[:, :, 0]).save(path)
    here, there = load_images(tmp_path), load_images(tmp_path, cache=tmp_path / "cache")
    assert isinstance(there.images, StoredImages)
    np.testing.assert_array_equal(np.asarray(there.images), here.images)
    expected, found = audit(here), audit(there)
    assert len(found.pairs) >= 4
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(found.columns[name], column)
