"""The phantoms' tumors: where their kind grows, bright as it is, and with honest masks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from data.phantoms import CONTRASTS, make_phantom
from tests.data.phantoms.made import TUMOURS, digest, drawn, geometry


@pytest.mark.parametrize("label", TUMOURS)
def test_every_tumour_can_be_seen(label: str) -> None:
    areas = []
    for seed in range(24):
        phantom = drawn(label, seed)
        areas.append(phantom.mask.sum() * geometry(phantom)[2] ** 2)  # mm2
    assert 30 <= min(areas) <= 150, label  # small ones too
    assert 200 < np.median(areas) < max(areas) < 7000, label


def test_gliomas_lie_inside_the_brain() -> None:
    for seed in range(8):
        phantom = drawn("glioma", seed)
        _, dura, _ = geometry(phantom)
        assert dura[phantom.mask].max() < -1.0, seed


def test_meningiomas_touch_the_dura_or_the_falx() -> None:
    for seed in range(10):
        phantom = drawn("meningioma", seed)
        xyz, dura, pixel = geometry(phantom)
        to_dura = np.abs(dura[phantom.mask]).min()
        to_falx = np.abs(xyz[0][phantom.mask]).min()
        assert min(to_dura, to_falx) < 2.0 + pixel, seed
        assert dura[phantom.mask].max() < 1.0, seed


def test_adenomas_lie_in_the_sella_on_the_midline() -> None:
    for seed in range(8):
        phantom = drawn("pituitary", seed)
        xyz, _, _ = geometry(phantom)
        x, y, z = (float(np.median(axis[phantom.mask])) for axis in xyz)
        assert abs(x) < 6.0, seed
        assert abs(y - 2.0) < 12.0, seed
        assert -48.0 < z < -10.0, seed


def test_notumor_has_an_empty_mask() -> None:
    assert not any(make_phantom("notumor", seed, size=64).mask.any() for seed in range(8))


@pytest.mark.parametrize("label", TUMOURS)
def test_the_pair_without_the_lesion_differs_only_around_it(label: str) -> None:
    for seed in range(3):
        with_it = drawn(label, seed)
        without = drawn(label, seed, None, False)
        assert (without.label, without.seed) == ("notumor", seed)
        assert (without.plane, without.contrast) == (with_it.plane, with_it.contrast)
        assert not without.mask.any()
        change = np.abs(with_it.image.astype(int) - without.image)
        far = ndimage.distance_transform_edt(~with_it.mask) > 60
        assert change[far].max(initial=0) <= 2, seed
        assert change[with_it.mask].mean() > 8.0, seed
        assert change[with_it.mask].mean() > 8.0 * change[~with_it.mask].mean(), seed


def test_the_head_without_lesion_of_notumor_is_the_notumor_phantom() -> None:
    assert digest(make_phantom("notumor", 5, size=64)) == digest(
        make_phantom("notumor", 5, size=64, lesion=False)
    )


def tumour_to_surroundings(label: str, seed: int, contrast: str) -> float:
    phantom = drawn(label, seed, contrast)
    near = ndimage.binary_dilation(phantom.mask, iterations=8)
    ring = near & ~ndimage.binary_dilation(phantom.mask, iterations=3)
    return float(phantom.image[phantom.mask].mean() / np.median(phantom.image[ring]))


def test_meningiomas_and_adenomas_are_bright_and_gliomas_are_mixed() -> None:
    ratios = {
        label: [tumour_to_surroundings(label, seed, "T1c") for seed in range(10)]
        for label in TUMOURS
    }
    assert min(ratios["meningioma"]) > 1.15
    assert 1.4 < np.median(ratios["meningioma"]) < 2.4
    assert 1.3 < np.median(ratios["pituitary"]) < 2.6
    assert min(ratios["glioma"]) < 0.8 < 1.0 < max(ratios["glioma"])


@pytest.mark.parametrize(
    ("label", "contrast", "low", "high"),
    [
        ("glioma", "T1", 0.5, 0.95),
        ("glioma", "T2", 1.2, 2.6),
        ("glioma", "FLAIR", 1.0, 2.0),
        ("glioma", "PD", 1.02, 1.6),
        ("meningioma", "T1", 0.7, 1.1),
        ("meningioma", "T2", 0.9, 1.7),
        ("meningioma", "FLAIR", 1.0, 1.6),
        ("meningioma", "PD", 0.95, 1.3),
    ],
)
def test_without_contrast_agent_gliomas_follow_their_water_and_meningiomas_grey_matter(
    label: str, contrast: str, low: float, high: float
) -> None:
    ratios = [tumour_to_surroundings(label, seed, contrast) for seed in range(12)]
    assert low < np.median(ratios) < high


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("label", TUMOURS)
def test_every_tumour_changes_the_picture_in_every_contrast(label: str, contrast: str) -> None:
    for seed in range(4):
        there, gone = (drawn(label, seed, contrast, lesion) for lesion in (True, False))
        change = np.abs(there.image.astype(int) - gone.image)
        assert there.stripped == gone.stripped
        assert change[there.mask].mean() > 4.0, seed
