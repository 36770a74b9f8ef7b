from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model import lookalikes
from model.lookalikes import alike_groups, alike_pairs, signatures
from tests.model_helpers import smooth_images


def recompressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))[:, :, np.newaxis]


def brightened(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return (image * 0.7 + 60).astype(np.uint8)


def unit_rows(n: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(n, 32, 32)).astype(np.float32)
    rows -= rows.mean(axis=(1, 2), keepdims=True)
    scaled: NDArray[np.float32] = rows / np.sqrt((rows**2).sum(axis=(1, 2), keepdims=True))
    return scaled


def test_a_flat_image_is_like_nothing() -> None:
    flat = np.full((2, 64, 64, 1), 90, dtype=np.uint8)
    assert alike_pairs(signatures(flat), signatures(flat)).shape == (0, 2)
    assert len(set(alike_groups(flat))) == 2


def test_planted_copies_are_found_and_nothing_else() -> None:
    images = smooth_images(12, seed=1)
    copies = np.stack(
        [
            images[3],  # identical
            recompressed(images[5], 50),
            images[7][:, ::-1],  # mirrored
            brightened(images[9]),
            recompressed(brightened(images[11][:, ::-1]), 60),
            smooth_images(1, seed=2)[0],  # no copy
            images[2][::-1],  # upside down: not what this finds
        ]
    )
    pairs = alike_pairs(signatures(copies), signatures(images))
    assert pairs.dtype == np.int64
    assert pairs.tolist() == [[0, 3], [1, 5], [2, 7], [3, 9], [4, 11]]


def test_the_threshold_is_a_cosine() -> None:
    assert lookalikes.LIKENESS == 0.99
    a, b = unit_rows(2, seed=4)
    b -= a * (a * b).sum()  # orthogonal to a
    b /= np.sqrt((b**2).sum())
    for cosine, copies in ((0.995, 1), (0.985, 0)):
        other = cosine * a + np.sqrt(1 - cosine**2) * b
        rows = other[np.newaxis].astype(np.float32)
        assert len(alike_pairs(a[np.newaxis], rows)) == copies
        assert len(alike_pairs(a[np.newaxis], rows, threshold=0.98)) == 1
        assert len(alike_pairs(a[np.newaxis], rows, threshold=0.999)) == 0


def test_rows_are_numbered_across_blocks() -> None:
    left, right = unit_rows(2 * 1024 + 3, seed=5), unit_rows(4, seed=6)
    planted = [(0, 0), (1023, 1), (1024, 2), (2047, 3), (2048, 0), (2050, 1)]
    for row, column in planted:
        left[row] = right[column] if row % 2 else right[column][:, ::-1]
    assert alike_pairs(left, right).tolist() == [list(pair) for pair in planted]


def test_nothing_to_compare_gives_no_pairs() -> None:
    none, some = np.empty((0, 32, 32), dtype=np.float32), unit_rows(2, seed=7)
    for left, right in ((none, some), (some, none)):
        pairs = alike_pairs(left, right)
        assert pairs.shape == (0, 2)
        assert pairs.dtype == np.int64


def test_groups_connect_chains_of_copies() -> None:
    # Each picture has a cosine of about 0.993 with the next and 0.97 with the one after.
    a, b = (image.astype(np.float64) for image in smooth_images(2, seed=8))
    a, b = a - a.mean(), b - b.mean()
    b -= a * (a * b).sum() / (a * a).sum()
    b *= np.sqrt((a * a).sum() / (b * b).sum())
    angles = np.arccos(0.993) * np.arange(3)
    chain = [np.cos(t) * a + np.sin(t) * b for t in angles]
    chain = [np.rint(image * 0.5 + 127).clip(0, 255).astype(np.uint8) for image in chain]
    others = smooth_images(2, seed=9)
    images = np.stack([others[0], chain[0], chain[1], others[1], chain[2], others[0][:, ::-1]])
    rows = signatures(images)
    assert [1, 4] not in alike_pairs(rows, rows).tolist()
    groups = alike_groups(images)
    assert groups.shape == (6,)
    assert groups[1] == groups[2] == groups[4]
    assert groups[0] == groups[5]
    assert len(set(groups.tolist())) == 3
