"""Draws with a tumor or a patch beside it painted out: how many, what they show and teach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.dataset.image_set import ImageSet
from data.dataset.outline_files import Outline, outline_mask
from model.config import NO_TUMOUR
from model.training import draws
from model.training.counterfactuals import dilate, paint_out
from tests.model.training.batch_makers import (
    BOX,
    CONFIG,
    OUTLINES,
    flow_of,
    head,
    numbered,
    one,
    pairs,
)


def test_counterfactuals_take_their_shares_of_the_outlined_tumours() -> None:
    """Told apart by label and lesion: painted out, and the rest; control patches by their paint."""
    names = tuple(f"glioma/{i}" for i in range(120))
    images = ImageSet(np.repeat(head()[np.newaxis], 120, 0), np.zeros(120, np.int64), names, "")
    outlines = {name: Outline(1, False, BOX) for name in names}
    config = replace(CONFIG, paint_out_share=0.25, control_share=0.125)
    counts = np.zeros(3)
    for number in range(3):
        flow = flow_of(images, config, number, outlines=outlines)
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
    config = replace(CONFIG, paint_out_share=1.0)
    _, targets, weights = one("glioma", config, OUTLINES)
    assert targets["probabilities"].tolist() == [[0, 0, 1, 0]]
    np.testing.assert_array_equal(targets["lesion"][0, :, :, NO_TUMOUR], 1)
    np.testing.assert_array_equal(targets["lesion"][0, :, :, [0, 1, 3]], 0)
    np.testing.assert_array_equal(weights["lesion"], 1)
    images = ImageSet(head()[np.newaxis], np.array([0]), ("x/a",), "hash")
    draw = flow_of(images, config, outlines=OUTLINES).draw(0)
    mask = outline_mask(OUTLINES["x/a"])
    assert draw.image[mask].max() < 160  # the tumour was at 255
    expected = [paint_out(head(), mask, margin=margin)[:, :, 0] for margin in range(2, 6)]
    assert any(np.array_equal(draw.image, painted) for painted in expected)
    np.testing.assert_array_equal(draw.image[~dilate(mask, 5)], head()[~dilate(mask, 5), 0])


def test_the_shares_of_painted_images_grow_over_the_ramp() -> None:
    """With a ramp over half of ten epochs: none in the first, all of their share from the sixth."""
    config = replace(CONFIG, epochs=10, ramp=0.5, paint_out_share=0.5, control_share=0.25)
    each = [flow_of(numbered(range(1, 9)), config, number)._draws for number in range(10)]
    assert [epoch.paint_out for epoch in each] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, *[0.5] * 5])
    assert [epoch.control for epoch in each] == pytest.approx(
        [0, 0.05, 0.1, 0.15, 0.2, *[0.25] * 5]
    )


def test_the_painted_rim_varies() -> None:
    mask = outline_mask(OUTLINES["x/a"])
    config = replace(CONFIG, paint_out_share=1.0)
    images = ImageSet(np.repeat(head()[np.newaxis], 16, 0), np.zeros(16, int), ("x/a",) * 16, "")
    flow = flow_of(images, config, outlines=OUTLINES)
    painted = [paint_out(head(), mask, margin=margin)[:, :, 0] for margin in range(2, 6)]
    found = {
        margin
        for image in (flow.draw(place).image for place in range(16))
        for margin, expected in enumerate(painted, start=2)
        if np.array_equal(image, expected)
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
    monkeypatch.setattr(draws, "control_patch", lambda *_, **__: None)
    plain = one("glioma", CONFIG, OUTLINES)
    control = one("glioma", replace(CONFIG, control_share=1.0), OUTLINES)
    np.testing.assert_array_equal(control[0], plain[0])
    for left, right in pairs(plain, control):
        np.testing.assert_array_equal(left, right)
