"""Batches of an epoch: what is shown, how often, and what it teaches."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from data.dataset.collections import LABELS, TUMOR, Collections
from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline
from model.config import NO_TUMOUR, TrainingConfig
from model.training.batches import TrainingFlow, admissible
from model.training.counterfactuals import dilate
from model.training.draws import KINDS, Sources, even_chances
from tests.model.training.batch_makers import (
    BOX,
    CONFIG,
    EVERYTHING,
    OUTLINES,
    epoch,
    flow_of,
    head,
    numbered,
    one,
    pairs,
    pool_of,
)
from tests.model_helpers import smooth_images

# what an epoch shows


def test_every_real_image_comes_once_an_epoch_in_a_new_order() -> None:
    images = numbered(range(1, 33))
    flow = flow_of(images)
    assert len(flow) == 4
    assert [len(flow[i][0]) for i in range(4)] == [8, 8, 8, 8]
    first, labels = epoch(flow)
    assert sorted(first) == list(range(1, 33))
    assert first.tolist() != sorted(first)
    np.testing.assert_array_equal(labels, first % 4)
    second = epoch(flow_of(images, CONFIG, 1))[0]
    assert sorted(second) == list(range(1, 33))
    assert first.tolist() != second.tolist()
    other = epoch(flow_of(images, replace(CONFIG, seed=8)))[0]
    assert first.tolist() != other.tolist()


def test_what_does_not_fill_a_batch_waits_for_another_epoch() -> None:
    images = numbered(range(1, 31))
    left_out = []
    for number in range(2):
        flow = flow_of(images, CONFIG, number)
        shown = epoch(flow)[0].tolist()
        assert [len(flow[i][0]) for i in range(len(flow))] == [8, 8, 8]
        assert len(set(shown)) == len(shown) == 24
        left_out.append(set(range(1, 31)) - set(shown))
    assert left_out[0] != left_out[1]


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    flow = flow_of(numbered(range(1, 4)))
    assert len(flow) == 1
    assert sorted(epoch(flow)[0]) == [1, 2, 3]


def test_a_batch_has_the_shapes_and_types_it_promises() -> None:
    images, targets, weights = one("glioma", CONFIG, OUTLINES)
    assert images.shape == (1, 224, 224, 1)
    assert targets["probabilities"].tolist() == [[1, 0, 0, 0]]
    assert targets["lesion"].shape == (1, 14, 14, 4)
    assert weights["probabilities"].tolist() == [1]
    assert weights["lesion"].shape == (1, 14, 14)
    for array in (images, *targets.values(), *weights.values()):
        assert array.dtype == np.float32
    np.testing.assert_allclose(images[0], head() / 255.0, atol=1e-6)


def test_an_epoch_is_decided_by_its_config_and_number() -> None:
    images = ImageSet(smooth_images(16, seed=1), np.arange(16) % 4, tuple("abcdefghijklmnop"), "")
    sources = Sources(
        images, {name: Outline(1, False, BOX) for name in "abcdefgh"}, pool_of(range(8)), other()
    )
    config = replace(TrainingConfig(), batch_size=8, paint_out_share=0.4, control_share=0.4)
    first, second, third = (TrainingFlow(sources, config, number) for number in (1, 1, 2))
    assert len(first) == sources.draws(config) // 8 == 4  # 16 of them are of the dataset
    backwards = [second[i] for i in (1, 0)][::-1]  # the order of asking does not matter
    for i in range(2):
        for left, right in ((first[i][0], backwards[i][0]), *pairs(first[i], backwards[i])):
            np.testing.assert_array_equal(left, right)
        assert not np.array_equal(first[i][0], third[i][0])
    assert 0 <= first[0][0].min() < first[0][0].max() <= 1


def test_each_kind_of_draw_takes_its_share_on_top_of_the_dataset() -> None:
    """Told apart by grey value: the dataset's below 105, phantoms from 105, collections at 250."""
    images, phantoms = numbered(range(1, 105)), pool_of(range(105, 205))
    config = replace(CONFIG, phantom_share=0.3, collection_share=0.2)
    counts, seen = np.zeros(3, np.int64), set()
    for number in range(5):
        flow = flow_of(images, config, number, phantoms=phantoms, collections=other())
        assert len(flow) == 208 // 8  # 104 are half of them
        values = epoch(flow)[0]
        dataset, drawn = values[values < 105], values[(values >= 105) & (values < 205)]
        assert sorted(dataset) == list(range(1, 105))
        counts += [len(dataset), len(drawn), (values == 250).sum()]
        seen |= set(drawn.tolist())
    assert counts.sum() == 5 * 208
    assert counts[1] == pytest.approx(0.3 * 1040, abs=4 * np.sqrt(520 * 0.6 * 0.4))
    assert len(seen) > 60  # of the hundred
    assert sorted(epoch(flow_of(images, config))[0]) == list(range(1, 105))  # without sources


def test_shares_are_of_all_draws_and_a_kind_without_its_source_has_none() -> None:
    images = numbered(range(1, 51))
    config = replace(CONFIG, collection_share=0.26, graft_share=0.16, phantom_share=0.14)
    whole = Sources(images, OUTLINES, pool_of(range(4)), other())
    assert whole.shares(config) == pytest.approx(
        {"dataset": 0.44, "collection": 0.26, "graft": 0.16, "phantom": 0.14}
    )
    assert tuple(whole.shares(config)) == KINDS
    assert whole.draws(config) == round(50 / 0.44)
    bare = Sources(images, {})
    assert bare.shares(config) == {"dataset": 1, "collection": 0, "graft": 0, "phantom": 0}
    assert bare.draws(config) == 50
    empty = replace(whole, collections=other().take(np.array([], np.int64)))
    assert empty.shares(config)["collection"] == 0


def test_a_phantom_comes_with_its_lesion() -> None:
    config = replace(CONFIG, phantom_share=0.9)
    flow = flow_of(numbered(range(1, 9)), config, phantoms=pool_of(range(9, 17)))
    seen = 0
    for batch in (flow[i] for i in range(len(flow))):
        for row, (image, label) in enumerate(zip(batch[0], batch[1]["probabilities"], strict=True)):
            if round(image[0, 0, 0] * 255) < 9:
                continue
            seen += 1
            cover = 1 - batch[1]["lesion"][row, :, :, NO_TUMOUR]
            expected = np.zeros((14, 14))
            expected[:7] = label.argmax() != NO_TUMOUR
            np.testing.assert_array_equal(cover, expected)
            assert (batch[2]["lesion"][row] >= 1).all()
    assert seen == 72


# other collections


def other(tumors: int = 4, healthy: int = 6) -> Collections:
    """Grey images at 250 of two collections: "a" has tumors of no known kind, "b" healthy heads."""
    count = tumors + healthy
    labels = np.array([TUMOR] * tumors + [NO_TUMOUR] * healthy)
    lesions = np.zeros((count, 224, 224), np.uint8)
    lesions[:tumors, :112] = 255
    names = [f"a/tumor/{i}.png" for i in range(tumors)]
    names += [f"b/notumor/{i}.png" for i in range(healthy)]
    images = np.full((count, 224, 224, 1), 250, np.uint8)
    return Collections(images, labels, lesions, np.ones(count, bool), tuple(names), "hash")


def named(*counts: tuple[str, str, int]) -> Collections:
    """Collections of the given names, classes and numbers of images, whose pixels do not matter."""
    names = [f"{name}/{label}/{i}.png" for name, label, number in counts for i in range(number)]
    labels = np.array([LABELS.index(name.split("/")[1]) for name in names])
    empty = np.zeros((len(names), 1, 1), np.uint8)
    return Collections(
        empty[..., np.newaxis], labels, empty, np.ones(len(names), bool), tuple(names), "h"
    )


def test_tumors_and_healthy_heads_and_the_collections_have_even_chances() -> None:
    """Beyond 250 images a collection is drawn no more often than one of 250."""
    found = named(
        ("small", "tumor", 50), ("large", "glioma", 250), ("huge", "tumor", 500),
        ("small", "notumor", 10), ("large", "notumor", 30),
    )  # fmt: skip
    chances = even_chances(found)
    sums = {
        (name, bool(side)): chances[(found.collections == name) & (found.healthy == side)].sum()
        for name in ("small", "large", "huge")
        for side in (False, True)
    }
    assert sums == pytest.approx({
        ("small", False): 0.5 * 50 / 550, ("large", False): 0.5 * 250 / 550,
        ("huge", False): 0.5 * 250 / 550, ("small", True): 0.5 * 10 / 40,
        ("large", True): 0.5 * 30 / 40, ("huge", True): 0.0,
    })  # fmt: skip
    assert chances.sum() == pytest.approx(1)
    only = even_chances(named(("x", "tumor", 5)))
    assert only.tolist() == pytest.approx([0.2] * 5)


def test_a_tumor_of_unknown_kind_may_be_any_of_the_three() -> None:
    assert admissible(TUMOR).tolist() == [1, 1, 0, 1]
    assert [admissible(label).tolist() for label in range(4)] == np.eye(4).tolist()
    config = replace(CONFIG, collection_share=0.5)
    flow = flow_of(numbered(range(1, 25)), config, collections=other())
    seen = {0: 0, 1: 0}
    for images, targets, weights in (flow[i] for i in range(len(flow))):
        for row in np.flatnonzero(np.rint(images[:, 112, 112, 0] * 255) == 250):
            tumor = int(targets["probabilities"][row].sum() == 3)
            seen[tumor] += 1
            kinds = [1, 1, 0, 1] if tumor else [0, 0, 1, 0]
            assert targets["probabilities"][row].tolist() == kinds
            upper, lower = targets["lesion"][row, :7], targets["lesion"][row, 7:]
            np.testing.assert_array_equal(upper, np.broadcast_to(kinds, upper.shape))
            np.testing.assert_array_equal(lower, np.broadcast_to([0, 0, 1, 0], lower.shape))
            assert (weights["lesion"][row] > 0).all()
    assert min(seen.values()) >= 4
    assert sum(seen.values()) == 24


def test_a_tumor_whose_place_is_unknown_teaches_the_cells_nothing() -> None:
    collections = replace(other(healthy=0), known=np.zeros(4, bool))
    flow = flow_of(
        numbered(range(1, 9)), replace(EVERYTHING, collection_share=0.5), collections=collections
    )
    for images, targets, weights in (flow[i] for i in range(len(flow))):
        rows = np.rint(images[:, 112, 112, 0] * 255) == 250
        np.testing.assert_array_equal(weights["lesion"][rows], 0)
        assert (targets["probabilities"][rows] == [1, 1, 0, 1]).all()


def healthy_head() -> np.ndarray:
    """A head with a dark skull between brain and scalp: uint8 (224, 224, 1)."""
    image = np.zeros((224, 224), np.uint8)
    for axes, grey in (((90, 105), 200), ((84, 99), 25), ((76, 91), 110)):
        cv2.ellipse(image, (112, 112), axes, 0, 0, 360, grey, -1)
    image = np.where(image == 110, image + smooth_images(1, seed=3)[0, :, :, 0] // 10, image)
    return image.astype(np.uint8)[:, :, np.newaxis]


def test_a_graft_is_a_tumor_of_no_known_kind_or_a_healthy_control() -> None:
    """Half of the grafts are controls; both are made of healthy heads, which stay recognizable."""
    labels = np.array([0, 2] * 8)
    images = np.stack([head() if label == 0 else healthy_head() for label in labels])
    names = tuple(f"x/{i}" for i in range(16))
    outlines = {name: Outline(1, False, BOX) for name in names[::2]}
    config = replace(CONFIG, graft_share=0.6, graft_controls=0.5)
    flow = flow_of(ImageSet(images, labels, names, ""), config, outlines=outlines)
    draws = [flow.draw(place) for place in range(40) if flow._kinds[place] == 2]
    assert len(draws) == 24
    plain = healthy_head()[:, :, 0].astype(int)
    tumors = [draw for draw in draws if draw.label == TUMOR]
    controls = [draw for draw in draws if draw.label == NO_TUMOUR]
    assert min(len(tumors), len(controls)) >= 5
    assert len(tumors) + len(controls) == 24
    for draw in tumors:
        assert draw.mask is not None
        inside = draw.mask > 0
        change = np.abs(draw.image - plain)
        assert change[inside].mean() >= 12
        assert change[~dilate(inside, 8)].mean() < 1
    for draw in controls:
        assert draw.mask is not None
        assert not draw.mask.any()
        assert np.abs(draw.image - plain).mean() < 5
