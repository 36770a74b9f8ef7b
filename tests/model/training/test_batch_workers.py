"""Batches made beside the training step: all of them, in order, the same whoever makes them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset.collections import TUMOR, Collections
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from data.phantoms.sets import PhantomPool
from model.config import CLASS_NAMES, NO_TUMOUR, TrainingConfig
from model.training.batch_workers import Source, feeding, prefetched
from model.training.batches import TrainingFlow
from model.training.draws import Sources
from tests.model_helpers import smooth_images

CONFIG = TrainingConfig(
    batch_size=8, phantom_share=0.3, paint_out_share=0.3, control_share=0.3, seed=7
)
SQUARE = np.array([[60, 60], [100, 60], [100, 110], [60, 110]], np.float32)


@pytest.fixture(scope="module")
def source() -> Source:
    """Twenty images, some of them outlined, phantoms and another collection."""
    labels = np.arange(20) % 4
    names = tuple(f"{CLASS_NAMES[label]}/{i}.png" for i, label in enumerate(labels))
    outlines = {name: Outline(1, False, SQUARE) for name in names[::3]}
    masks = np.zeros((8, 224, 224), np.uint8)
    masks[:, 50:90, 70:120] = 255
    pool = PhantomPool(smooth_images(8, seed=2)[:, :, :, 0], masks, np.arange(8) % 4)
    images = ImageSet(smooth_images(20, seed=1), labels, names, "h")
    return Source(Sources(images, outlines, pool, collections()), CONFIG)


def collections() -> Collections:
    """Three tumors whose kind nobody wrote down, and three healthy heads."""
    lesions = np.zeros((6, 224, 224), np.uint8)
    lesions[:3, 60:100, 80:120] = 255
    names = [f"a/{'tumor' if i < 3 else 'notumor'}/{i}.png" for i in range(6)]
    return Collections(
        smooth_images(6, seed=3), np.array([TUMOR] * 3 + [NO_TUMOUR] * 3), lesions,
        np.ones(6, bool), tuple(names), "h",
    )  # fmt: skip


class Flow:
    """Batches that are their own numbers; made in another thread, which is counted."""

    def __init__(self, length: int, fails_at: int | None = None) -> None:
        self.length, self.fails_at = length, fails_at
        self.made: list[int] = []
        self.threads: set[int] = set()

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> int:
        assert 0 <= index < self.length
        self.threads.add(threading.get_ident())
        if index == self.fails_at:
            raise ZeroDivisionError(f"at {index}")
        self.made.append(index)
        return index


@pytest.mark.parametrize("ahead", [1, 3, 8])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7, 8, 9, 20])
def test_batches_made_ahead_come_all_once_and_in_order(length: int, ahead: int) -> None:
    flow: Any = Flow(length)
    assert list(prefetched(flow, ahead)) == flow.made == list(range(length))
    assert len(flow.threads) == min(1, length)
    assert threading.get_ident() not in flow.threads


def test_no_more_than_promised_is_made_ahead() -> None:
    flow: Any = Flow(20)
    going: Any = prefetched(flow, 3)
    for taken in range(1, 5):
        assert next(going) == taken - 1
        time.sleep(0.05)
        assert len(flow.made) <= taken + 3
    going.close()
    assert len(flow.made) <= 4 + 3


@pytest.mark.parametrize("fails_at", [0, 2, 9])
def test_an_error_in_the_thread_is_raised_in_its_place(fails_at: int) -> None:
    flow: Any = Flow(10, fails_at)
    going: Any = prefetched(flow, 4)
    assert [next(going) for _ in range(fails_at)] == list(range(fails_at))
    with pytest.raises(ZeroDivisionError, match=f"at {fails_at}"):
        next(going)


def test_after_an_error_the_rest_is_not_made() -> None:
    class Slow(Flow):
        def __getitem__(self, index: int) -> int:
            if index:
                time.sleep(0.05)
            return super().__getitem__(index)

    flow: Any = Slow(20, fails_at=0)
    with pytest.raises(ZeroDivisionError):
        next(prefetched(flow, 8))
    assert len(flow.made) < 7


def test_making_nothing_ahead_is_refused() -> None:
    flow: Any = Flow(3)
    with pytest.raises(ValueError, match=r"`ahead` must be at least 1\. Received: 0"):
        next(prefetched(flow, 0))


def test_batches_made_ahead_are_those_of_the_flow(source: Source) -> None:
    flow = TrainingFlow(Sources(source.sources.dataset, {}), replace(CONFIG, batch_size=5), 0)
    found = list(prefetched(flow, 2))
    assert len(found) == len(flow) == 4
    for index, batch in enumerate(found):
        np.testing.assert_array_equal(batch[0], flow[index][0])


# processes


def contents(batch: Any) -> list[bytes]:
    images, targets, weights = batch
    return [
        array.tobytes()
        for array in (images, *(part[k] for part in (targets, weights) for k in sorted(part)))
    ]


def test_any_number_of_workers_makes_the_same_bytes(source: Source) -> None:
    """Two epochs, of which the second needs none of the first's batches to be asked for."""
    found: dict[int, list[list[bytes]]] = {}
    for workers in (0, 1, 2):
        with feeding(source, workers) as batches_of:
            found[workers] = [contents(batch) for epoch in (0, 3) for batch in batches_of(epoch)]
    assert len(source) == 71 // 8 == 8  # 20 images are 0.28 of the draws
    assert [len(found[workers]) for workers in found] == [16, 16, 16]
    assert found[0] == found[1] == found[2]
    assert len({part[0] for part in found[0]}) == 16  # no two batches show the same
    assert found[0] == [contents(source.flow(e)[i]) for e in (0, 3) for i in range(8)]


def test_an_error_in_a_worker_is_raised_in_its_place(source: Source) -> None:
    dataset = source.sources.dataset
    bare = replace(source, sources=Sources(dataset, {}))
    labels = dataset.labels.copy()
    labels[bare.flow(0)._rows[8]] = 9  # the first image of the second batch
    faulty = replace(bare, sources=Sources(replace(dataset, labels=labels), {}))
    with feeding(faulty, 1) as batches_of:
        going = batches_of(0)
        next(going)
        with pytest.raises(IndexError, match="tuple index out of range"):  # of `LABELS`
            next(going)


def test_the_files_that_workers_share_are_deleted(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with feeding(source, 1):
        (folder,) = tmp_path.glob("training-images-*")
        assert {path.name for path in folder.iterdir()} == {
            "dataset-images.npy", "phantoms-images.npy", "phantoms-masks.npy",
            "collections-images.npy", "collections-lesions.npy",
        }  # fmt: skip
    assert list(tmp_path.glob("training-images-*")) == []


def test_a_negative_number_of_workers_is_refused(source: Source) -> None:
    with (
        pytest.raises(ValueError, match=r"`workers` must be at least 0\. Received: -1"),
        feeding(source, -1),
    ):
        pass
