"""Corruptions on pictures whose answers are known, and the tables made of them."""

from __future__ import annotations

import numpy as np
import pytest

from model.config import CLASS_NAMES
from model.probes.corruptions import STRENGTHS, corrupt, mirror
from model.probes.robustness import (
    ENCODINGS,
    corruption_table,
    mirror_agreement,
    phantom_size_agreement,
    real_size_agreement,
)


def square() -> np.ndarray:
    """Grey 200 in rows 80..143 and columns 60..123 on grey 40."""
    image = np.full((224, 224, 1), 40, np.uint8)
    image[80:144, 60:124] = 200
    return image


def centre(image: np.ndarray) -> tuple[float, float]:
    rows, columns, _ = np.nonzero(image > 120)
    return float(rows.mean()), float(columns.mean())


@pytest.mark.parametrize("name", STRENGTHS)
def test_each_is_deterministic_and_grows_with_its_strength(name: str) -> None:
    image = square()
    changes = []
    for strength in range(1, 6):
        changed = corrupt(image, name, strength, seed=4)
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        np.testing.assert_array_equal(changed, corrupt(image, name, strength, seed=4))
        changes.append(np.abs(changed.astype(int) - image.astype(int)).mean())
    assert changes[0] > 0
    assert changes[4] > changes[2] > changes[0]
    np.testing.assert_array_equal(image, square())  # the given image is left alone


def test_the_issue_s_limits_are_the_fifth_strengths() -> None:
    fifth = {name: values[4] for name, values in STRENGTHS.items()}
    assert len(fifth) == 10
    assert (fifth["jpeg"], fifth["rotation"], fifth["shift"], fifth["downsampling"]) == (
        30, 20, 0.1, 96,
    )  # fmt: skip


def test_noise_is_rician() -> None:
    black, grey = np.zeros((224, 224, 1), np.uint8), np.full((224, 224, 1), 128, np.uint8)
    sigma = 255 * 0.06
    # Rayleigh's mean where there is no signal, Gaussian spread where there is much
    assert corrupt(black, "noise", 3).mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.02)
    assert corrupt(grey, "noise", 3).std() == pytest.approx(sigma, rel=0.03)
    assert (corrupt(grey, "noise", 3, seed=1) != corrupt(grey, "noise", 3, seed=2)).any()


def test_contrast_and_gamma_are_their_formulas() -> None:
    image = square()
    mean = image.mean()
    expected = np.rint(mean + 0.6 * (200 - mean))
    assert corrupt(image, "contrast", 3)[100, 100, 0] == expected
    values = {int(corrupt(image, "gamma", 5, seed=seed)[0, 0, 0]) for seed in range(12)}
    assert values == {round(255 * (40 / 255) ** 2), round(255 * (40 / 255) ** 0.5)}


def test_the_bias_field_is_smooth_and_bounded() -> None:
    even = np.full((224, 224, 1), 100, np.uint8)
    field = corrupt(even, "bias_field", 5, seed=2).astype(int)[:, :, 0] - 100
    assert np.abs(field).max() == 50
    assert np.abs(np.diff(field, axis=0)).max() <= 3
    assert np.abs(np.diff(field, axis=1)).max() <= 3


def test_shift_rotation_and_crop_move_as_far_as_they_say() -> None:
    image = square()
    before = np.array(centre(image))
    for seed in range(4):
        moved = np.array(centre(corrupt(image, "shift", 5, seed=seed)))
        assert np.hypot(*(moved - before)) == pytest.approx(22.4, abs=1)
    around = np.array([111.5, 111.5])
    turned = np.array(centre(corrupt(image, "rotation", 5))) - around
    angle = np.degrees(np.arccos(turned @ (before - around) / np.hypot(*turned) ** 2))
    assert angle == pytest.approx(20, abs=1)
    larger = corrupt(image, "crop", 5)
    assert (larger > 120).sum() == pytest.approx(64 * 64 / 0.8**2, rel=0.03)


def test_blur_keeps_the_mean_and_downsampling_loses_fine_lines() -> None:
    image = square()
    assert corrupt(image, "blur", 5).mean() == pytest.approx(image.mean(), abs=0.5)
    lines = np.zeros((224, 224, 1), np.uint8)
    lines[:, ::2] = 255
    assert corrupt(lines, "downsampling", 5).std() < 0.2 * lines.std()


def test_mirror() -> None:
    image = square()
    assert mirror(image)[100, 223 - 60, 0] == 200
    np.testing.assert_array_equal(mirror(mirror(image)), image)


def test_illegal_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of noise, .* Received: 'fog'"):
        corrupt(square(), "fog", 1)
    with pytest.raises(ValueError, match=r"`strength` must be an integer from 1 to 5"):
        corrupt(square(), "noise", 6)
    with pytest.raises(ValueError, match=r"`image` must be uint8 .* Received: float64"):
        corrupt(square().astype(float), "noise", 1)  # type: ignore[arg-type]


def left_or_right(images: np.ndarray) -> np.ndarray:
    """Glioma where the left half is brighter, else pituitary."""
    left = images[:, :, :112].mean(axis=(1, 2, 3)) > images[:, :, 112:].mean(axis=(1, 2, 3))
    return np.eye(4, dtype=np.float32)[np.where(left, 0, 3)]


def test_the_table_counts_what_is_right_after_preprocessing() -> None:
    images = np.repeat(square()[np.newaxis], 2, axis=0)
    labels = np.array([0, 3], dtype=np.int64)  # the second is wrong, and stays so
    report = corruption_table(left_or_right, images, labels)
    assert report["clean"]["count"] == 1
    assert set(report["corruptions"]) == set(STRENGTHS)
    jpeg = report["corruptions"]["jpeg"]
    assert jpeg["meaning"] == [80, 65, 50, 40, 30]
    assert [cell["count"] for cell in jpeg["accuracy"]] == [1] * 5
    assert jpeg["lost_at_middle"] == 0.0

    def darkest(pictures: np.ndarray) -> np.ndarray:  # full range means: preprocessed again
        stretched = (pictures.min(axis=(1, 2, 3)) == 0) & (pictures.max(axis=(1, 2, 3)) == 255)
        return np.eye(4, dtype=np.float32)[np.where(stretched, 0, 1)]

    faint = corruption_table(darkest, images, np.array([0, 0], dtype=np.int64))
    assert faint["clean"]["count"] == 0
    assert faint["corruptions"]["contrast"]["accuracy"][4]["count"] == 2
    assert faint["corruptions"]["contrast"]["lost_at_middle"] == -100.0


def test_agreement_of_mirrored_and_enlarged_images() -> None:
    images = np.stack([square(), np.maximum(square(), mirror(square()))])
    assert mirror_agreement(left_or_right, images)["count"] == 1
    enlarged = real_size_agreement(left_or_right, images[:1])
    assert {name: cell["share"] for name, cell in enlarged.items()} == {
        "lossless": 1.0, "jpeg95": 1.0, "jpeg75": 1.0,
    }  # fmt: skip


def test_the_lossless_row_tells_resampling_from_compression() -> None:
    lines = np.zeros((1, 224, 224, 1), np.uint8)
    lines[:, :, 56:168:2] = 255  # resampling blurs them, whatever they are saved as

    def fine(images: np.ndarray) -> np.ndarray:
        steps = np.abs(np.diff(images.astype(int), axis=2)).max(axis=(1, 2, 3))
        return np.eye(4, dtype=np.float32)[np.where(steps > 250, 0, 1)]

    found = real_size_agreement(fine, lines)
    assert list(found) == list(ENCODINGS)
    assert found["lossless"]["count"] == 0


@pytest.mark.slow
def test_agreement_of_phantoms_at_two_sizes() -> None:
    found = phantom_size_agreement(left_or_right, 1)
    assert found["jpeg95"]["images"] == len(CLASS_NAMES)
    assert found["jpeg95"]["share"] == 1.0
