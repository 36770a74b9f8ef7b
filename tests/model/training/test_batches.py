from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from data.dataset.image_set import ImageSet, to_uint8
from data.dataset.outline_files import Outline, outline_mask
from data.phantoms import make_phantom
from model.config import CLASS_NAMES, NO_TUMOUR, AugmentationConfig, TrainingConfig
from model.preprocessing import prepare
from model.training import batches
from model.training.batches import PhantomPool, TrainingFlow, cached_phantoms, draw_phantoms
from model.training.counterfactuals import dilate, paint_out
from tests.model_helpers import smooth_images

STILL = AugmentationConfig(
    rotation_range=0, width_shift_range=0, height_shift_range=0, zoom_range=0, shear_range=0,
    horizontal_flip=False, brightness_range=(1.0, 1.0),
    degrade=0, gamma=0, bias_field=0, blur=0, noise=0,
)  # fmt: skip
CONFIG = TrainingConfig(
    batch_size=8, phantom_share=0.0, paint_out_share=0.0, control_share=0.0, seed=7,
    augmentation=STILL,
)  # fmt: skip
BOX = np.array([[60, 80], [100, 80], [100, 130], [60, 130]], np.float32)  # x 60..99, y 80..129


def numbered(values: range) -> ImageSet:
    """Images that carry their own number as grey value; the label is the number modulo 4."""
    numbers = np.array(values)
    images = np.broadcast_to(numbers[:, None, None, None], (len(numbers), 224, 224, 1))
    return ImageSet(images.astype(np.uint8), numbers % 4, tuple(map(str, values)), "numbered")


def pool_of(values: range) -> PhantomPool:
    """Phantoms that carry their number likewise; the lesion is the upper half of each tumour."""
    images = numbered(values)
    masks = np.zeros((len(images), 224, 224), np.uint8)
    masks[images.labels != NO_TUMOUR, :112] = 255
    return PhantomPool(images.images[:, :, :, 0], masks, images.labels)


def epoch(flow: TrainingFlow) -> tuple[np.ndarray, np.ndarray]:
    """Grey value at the centre and label of each image of a flow over `numbered` images."""
    batches = [flow[i] for i in range(len(flow))]
    images = np.concatenate([batch[0] for batch in batches])
    labels = np.concatenate([batch[1]["probabilities"] for batch in batches])
    assert images.dtype == labels.dtype == np.float32
    return np.rint(images[:, 112, 112, 0] * 255).astype(int), labels.argmax(axis=1)


def head() -> np.ndarray:
    """A head of one texture, with a bright tumour in `BOX`: uint8 (224, 224, 1)."""
    image = np.zeros((224, 224), np.uint8)
    cv2.ellipse(image, (112, 112), (90, 105), 0, 0, 360, 110, -1)
    image = np.where(image > 0, image + smooth_images(1, seed=2)[0, :, :, 0] // 16, 0)
    image[80:130, 60:100] = 230
    return image.astype(np.uint8)[:, :, np.newaxis]


def one(label: str, config: TrainingConfig, outlines: dict[str, Outline] | None) -> Any:
    """The batch of an epoch over one image of `head`."""
    images = ImageSet(head()[np.newaxis], np.array([CLASS_NAMES.index(label)]), ("x/a",), "hash")
    return TrainingFlow(images, config, 0, outlines=outlines)[0]


OUTLINES = {"x/a": Outline(1, False, BOX)}


# what an epoch shows


def test_every_real_image_comes_once_an_epoch_in_a_new_order() -> None:
    images = numbered(range(1, 33))
    flow = TrainingFlow(images, CONFIG, 0)
    assert len(flow) == 4
    assert [len(flow[i][0]) for i in range(4)] == [8, 8, 8, 8]
    first, labels = epoch(flow)
    assert sorted(first) == list(range(1, 33))
    assert first.tolist() != sorted(first)
    np.testing.assert_array_equal(labels, first % 4)
    second = epoch(TrainingFlow(images, CONFIG, 1))[0]
    assert sorted(second) == list(range(1, 33))
    assert first.tolist() != second.tolist()
    other = epoch(TrainingFlow(images, replace(CONFIG, seed=8), 0))[0]
    assert first.tolist() != other.tolist()


def test_what_does_not_fill_a_batch_waits_for_another_epoch() -> None:
    images = numbered(range(1, 31))
    left_out = []
    for number in range(2):
        flow = TrainingFlow(images, CONFIG, number)
        shown = epoch(flow)[0].tolist()
        assert [len(flow[i][0]) for i in range(len(flow))] == [8, 8, 8]
        assert len(set(shown)) == len(shown) == 24
        left_out.append(set(range(1, 31)) - set(shown))
    assert left_out[0] != left_out[1]


def test_fewer_images_than_a_batch_are_one_batch() -> None:
    flow = TrainingFlow(numbered(range(1, 4)), CONFIG, 0)
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
    outlines = {name: Outline(1, False, BOX) for name in "abcdefgh"}
    config = replace(
        TrainingConfig(), batch_size=8, phantom_share=0.3, paint_out_share=0.4, control_share=0.4
    )
    first, second, other = (
        TrainingFlow(images, config, number, outlines=outlines, phantoms=pool_of(range(8)))
        for number in (1, 1, 2)
    )
    backwards = [second[i] for i in (1, 0)][::-1]  # the order of asking does not matter
    for i in range(2):
        for left, right in ((first[i][0], backwards[i][0]), *pairs(first[i], backwards[i])):
            np.testing.assert_array_equal(left, right)
        assert not np.array_equal(first[i][0], other[i][0])
    assert 0 <= first[0][0].min() < first[0][0].max() <= 1


def pairs(batch: Any, other: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Targets and weights of two batches."""
    for part in (1, 2):
        assert batch[part].keys() == other[part].keys() == {"probabilities", "lesion"}
        for name in batch[part]:
            yield batch[part][name], other[part][name]


def test_phantoms_take_their_share_of_the_places() -> None:
    images, phantoms = numbered(range(1, 105)), pool_of(range(105, 205))
    config = replace(CONFIG, phantom_share=0.3)
    drawn, seen = 0, set()
    for number in range(5):
        numbers, labels = epoch(TrainingFlow(images, config, number, phantoms=phantoms))
        np.testing.assert_array_equal(labels, numbers % 4)
        real = numbers[numbers < 105]
        assert len(set(real.tolist())) == len(real)
        drawn += len(numbers) - len(real)
        seen |= set(numbers[numbers >= 105].tolist())
    assert drawn == pytest.approx(0.3 * 520, abs=4 * np.sqrt(520 * 0.3 * 0.7))
    assert len(seen) > 60  # of the hundred
    without = epoch(TrainingFlow(images, config, 0))[0]
    assert sorted(without) == list(range(1, 105))


def test_a_phantom_comes_with_its_lesion() -> None:
    config = replace(CONFIG, phantom_share=0.999)
    batch = TrainingFlow(numbered(range(1, 9)), config, 0, phantoms=pool_of(range(9, 17)))[0]
    for row, (image, label) in enumerate(zip(batch[0], batch[1]["probabilities"], strict=True)):
        assert round(image[0, 0, 0] * 255) >= 9
        cover = 1 - batch[1]["lesion"][row, :, :, NO_TUMOUR]
        expected = np.zeros((14, 14))
        expected[:7] = label.argmax() != NO_TUMOUR
        np.testing.assert_array_equal(cover, expected)
        assert (batch[2]["lesion"][row] >= 1).all()


# counterfactuals


def test_counterfactuals_take_their_shares_of_the_outlined_tumours() -> None:
    """Told apart by label and lesion: painted out, and the rest; control patches by their paint."""
    names = tuple(f"glioma/{i}" for i in range(120))
    images = ImageSet(np.repeat(head()[np.newaxis], 120, 0), np.zeros(120, np.int64), names, "")
    outlines = {name: Outline(1, False, BOX) for name in names}
    config = replace(CONFIG, paint_out_share=0.25, control_share=0.125)
    counts = np.zeros(3)
    for number in range(3):
        flow = TrainingFlow(images, config, number, outlines=outlines)
        for index in range(len(flow)):
            shown, targets, _ = flow[index]
            painted_out = targets["probabilities"][:, NO_TUMOUR] == 1
            changed = np.abs(shown - head() / 255.0).max(axis=(1, 2, 3)) > 0.005
            assert changed[painted_out].all()
            assert (targets["probabilities"][~painted_out, 0] == 1).all()
            counts += [painted_out.sum(), (changed & ~painted_out).sum(), (~changed).sum()]
    for found, share in zip(counts, (0.25, 0.125, 0.625), strict=True):
        assert found / 360 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 360))


def test_with_the_tumour_painted_out_an_image_is_notumor_and_has_no_lesion() -> None:
    images, targets, weights = one("glioma", replace(CONFIG, paint_out_share=1.0), OUTLINES)
    assert targets["probabilities"].tolist() == [[0, 0, 1, 0]]
    np.testing.assert_array_equal(targets["lesion"][0, :, :, NO_TUMOUR], 1)
    np.testing.assert_array_equal(targets["lesion"][0, :, :, [0, 1, 3]], 0)
    np.testing.assert_array_equal(weights["lesion"], 1)
    shown, mask = images[0, :, :, 0] * 255, outline_mask(OUTLINES["x/a"])
    assert shown[mask].max() < 160  # the tumour was at 230
    expected = [paint_out(head(), mask, margin=margin)[:, :, 0] for margin in range(2, 6)]
    assert any(np.abs(shown - painted).max() < 0.01 for painted in expected)
    np.testing.assert_allclose(shown[~dilate(mask, 5)], head()[~dilate(mask, 5), 0], atol=1e-3)


def test_the_painted_rim_varies() -> None:
    mask = outline_mask(OUTLINES["x/a"])
    config = replace(CONFIG, paint_out_share=1.0)
    images = ImageSet(np.repeat(head()[np.newaxis], 16, 0), np.zeros(16, int), ("x/a",) * 16, "")
    shown = np.concatenate(
        [TrainingFlow(images, config, 0, outlines=OUTLINES)[i][0] for i in range(2)]
    )
    painted = [paint_out(head(), mask, margin=margin)[:, :, 0] for margin in range(2, 6)]
    found = {
        margin
        for image in shown
        for margin, expected in enumerate(painted, start=2)
        if np.abs(image[:, :, 0] * 255 - expected).max() < 0.01
    }
    assert found == {2, 3, 4, 5}


def test_a_control_keeps_its_label_its_tumour_and_its_target() -> None:
    plain = one("glioma", CONFIG, OUTLINES)
    control = one("glioma", replace(CONFIG, control_share=1.0), OUTLINES)
    assert control[1]["probabilities"].tolist() == [[1, 0, 0, 0]]
    for left, right in pairs(plain, control):
        np.testing.assert_array_equal(left, right)
    mask = outline_mask(OUTLINES["x/a"])
    np.testing.assert_array_equal(control[0][0][mask], plain[0][0][mask])
    changed = (np.abs(control[0] - plain[0]) > 1e-3)[0, :, :, 0]
    assert 100 < changed.sum() < 2 * mask.sum()


def test_a_control_without_a_place_is_the_image_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "control_patch", lambda *_, **__: None)
    plain = one("glioma", CONFIG, OUTLINES)
    control = one("glioma", replace(CONFIG, control_share=1.0), OUTLINES)
    np.testing.assert_array_equal(control[0], plain[0])
    for left, right in pairs(plain, control):
        np.testing.assert_array_equal(left, right)


EVERYTHING = replace(CONFIG, paint_out_share=0.5, control_share=0.5)
LINE = {"x/a": Outline(1, False, np.array([[60, 80], [60, 80], [60, 80]], np.float32))}


@pytest.mark.parametrize("outlines", [None, {}, {"x/b": OUTLINES["x/a"]}, LINE])
def test_a_tumour_of_unknown_place_teaches_its_class_alone(
    outlines: dict[str, Outline] | None,
) -> None:
    for seed in range(3):
        images, targets, weights = one("pituitary", replace(EVERYTHING, seed=seed), outlines)
        assert targets["probabilities"].tolist() == [[0, 0, 0, 1]]
        assert weights["probabilities"].tolist() == [1]
        np.testing.assert_array_equal(weights["lesion"], 0)
        np.testing.assert_allclose(images[0], head() / 255.0, atol=1e-6)


def test_an_image_without_tumour_has_no_lesion_in_any_cell() -> None:
    images, targets, weights = one("notumor", EVERYTHING, OUTLINES)
    assert targets["probabilities"].tolist() == [[0, 0, 1, 0]]
    np.testing.assert_array_equal(targets["lesion"][0, :, :, NO_TUMOUR], 1)
    np.testing.assert_array_equal(weights["lesion"], 1)
    np.testing.assert_allclose(images[0], head() / 255.0, atol=1e-6)


# the lesion head's cells


def test_the_cells_cover_the_outline() -> None:
    """`BOX` covers rows 5 to 8.125 and columns 3.75 to 6.25 of the cells."""
    _, targets, weights = one("meningioma", CONFIG, OUTLINES)
    rows, columns = np.zeros(14), np.zeros(14)
    rows[5:9] = [1, 1, 1, 0.125]
    columns[3:7] = [0.25, 1, 1, 0.25]
    cover = np.outer(rows, columns)
    np.testing.assert_allclose(targets["lesion"][0, :, :, 1], cover, atol=1e-6)
    np.testing.assert_allclose(targets["lesion"][0, :, :, NO_TUMOUR], 1 - cover, atol=1e-6)
    np.testing.assert_array_equal(targets["lesion"][0, :, :, [0, 3]], 0)
    np.testing.assert_allclose(weights["lesion"][0], 1 + 8 * cover, atol=1e-5)
    halved = one("meningioma", replace(CONFIG, lesion_cell_weight=4.0), OUTLINES)[2]
    np.testing.assert_allclose(halved["lesion"][0], 1 + 4 * cover, atol=1e-5)


def test_the_cells_move_with_the_image_and_sum_to_one() -> None:
    moving = replace(CONFIG, augmentation=replace(AugmentationConfig(), noise=0.0))
    places = []
    for seed in range(4):
        images, targets, _ = one("glioma", replace(moving, seed=seed), OUTLINES)
        target = targets["lesion"][0]
        np.testing.assert_allclose(target.sum(axis=2), 1, atol=1e-6)
        assert 0 <= target.min() <= target.max() <= 1
        assert 0.5 < target[:, :, 0].sum() * 256 / (40 * 50) < 2
        cells = cv2.resize(images[0, :, :, 0], (14, 14), interpolation=cv2.INTER_AREA)
        inside, outside = target[:, :, 0] > 0.99, target[:, :, 0] == 0
        assert cells[inside].mean() > cells[outside & (cells > 0.1)].mean() + 0.1
        places.append(target[:, :, 0].argmax())
    assert len(set(places)) > 1


# phantoms


@pytest.fixture(scope="module")
def phantoms() -> PhantomPool:
    return draw_phantoms(2, seed=500)


def test_each_phantom_tumour_is_followed_by_its_twin_without(phantoms: PhantomPool) -> None:
    g, m, n, p = range(4)
    assert phantoms.labels.tolist() == [g, n, m, n, n, p, n] * 2
    assert phantoms.labels.dtype == np.int64
    assert len(phantoms) == 14
    assert phantoms.images.shape == phantoms.masks.shape == (14, 224, 224)
    assert phantoms.images.dtype == phantoms.masks.dtype == np.uint8
    lesions = phantoms.masks.reshape(14, -1).max(axis=1)
    np.testing.assert_array_equal(lesions > 0, phantoms.labels != n)
    for row in (0, 2, 5, 7, 9, 12):
        tumour, twin = phantoms.images[row].astype(int), phantoms.images[row + 1].astype(int)
        far = cv2.dilate(phantoms.masks[row], np.ones((61, 61), np.uint8)) == 0
        near = phantoms.masks[row] == 255
        assert np.abs(tumour - twin)[near].mean() > 3 * np.abs(tumour - twin)[far].mean()
        assert np.corrcoef(tumour[far], twin[far])[0, 1] > 0.95


def test_phantoms_are_those_of_their_seeds_at_two_sizes(phantoms: PhantomPool) -> None:
    for row, (label, seed, size) in {0: ("glioma", 500, 224), 12: ("pituitary", 507, 448)}.items():
        phantom = make_phantom(label, seed, size=size)
        expected = to_uint8(prepare(phantom.image.astype(np.float32)))[:, :, 0]
        np.testing.assert_array_equal(phantoms.images[row], expected)
        share = phantom.mask.mean()
        assert phantoms.masks[row].mean() / 255 == pytest.approx(share, rel=0.02)


def test_cached_phantoms_read_back_equal(
    phantoms: PhantomPool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def draw(per_class: int, seed: int) -> PhantomPool:
        calls.append((per_class, seed))
        return phantoms

    monkeypatch.setattr(batches, "draw_phantoms", draw)
    for _ in range(2):
        found = cached_phantoms(2, 500, tmp_path / "run")
        for name in ("images", "masks", "labels"):
            read, drawn = getattr(found, name), getattr(phantoms, name)
            np.testing.assert_array_equal(read, drawn)
            assert read.dtype == drawn.dtype
    assert calls == [(2, 500)]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["phantom-pairs-2-500.npz"]
    cached_phantoms(2, 501, tmp_path / "run")
    cached_phantoms(1, 500, tmp_path / "run")
    assert calls == [(2, 500), (2, 501), (1, 500)]
    taken = cached_phantoms(2, 500, tmp_path / "next", earlier=tmp_path / "run")
    np.testing.assert_array_equal(taken.images, phantoms.images)
    assert [path.name for path in (tmp_path / "next").iterdir()] == ["phantom-pairs-2-500.npz"]
    assert len(calls) == 3  # nothing was drawn again
    cached_phantoms(2, 502, tmp_path / "next", earlier=tmp_path / "run")
    assert calls[3:] == [(2, 502)]
