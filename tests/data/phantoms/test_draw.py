"""The phantoms: same bytes for the same arguments, tumours where their kind grows, honest masks."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from threadpoolctl import threadpool_info

from data.phantoms import CONTRASTS, LABELS, Phantom, acquisition, atlas, make_phantom, one_thread
from data.phantoms.acquisition import PLANES
from data.phantoms.draw import main

SIZE = 112  # enough for every fact below, and a quarter of the work
TUMOURS = ("glioma", "meningioma", "pituitary")
ROOT = Path(__file__).resolve().parents[3]


def digest(phantom: Phantom) -> str:
    return hashlib.sha256(phantom.image.tobytes() + phantom.mask.tobytes()).hexdigest()


def geometry(phantom: Phantom) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """MNI coordinates and distance to the dura of the phantom's pixels, and millimetres a pixel."""
    head = np.random.default_rng([phantom.seed, LABELS.index(phantom.label), 1])
    cut = acquisition.cut_head(head, phantom.label, phantom.plane)
    size = phantom.image.shape[0]
    xyz, _ = cut.points(cut.uv(size))
    return xyz, atlas.dura_distance(xyz), cut.fov[1] / size


def test_one_thread_holds_in_its_block_alone() -> None:
    def threads() -> list[int]:
        return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]

    before = threads()
    assert before  # NumPy's own, at least
    with one_thread():
        assert set(threads()) == {1}
    assert threads() == before


@pytest.mark.parametrize("label", LABELS)
def test_same_arguments_same_bytes_and_other_seeds_differ(label: str) -> None:
    first = make_phantom(label, 3, size=SIZE)
    assert digest(first) == digest(make_phantom(label, 3, size=SIZE))
    assert digest(first) != digest(make_phantom(label, 4, size=SIZE))


def test_the_default_is_224_pixels_grey_and_boolean() -> None:
    phantom = make_phantom("glioma", 1)
    assert phantom.image.shape == phantom.mask.shape == (224, 224)
    assert [str(a.dtype) for a in (phantom.image, phantom.mask)] == ["uint8", "bool"]
    assert (phantom.label, phantom.contrast, phantom.seed) == ("glioma", "T1c", 1)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_plane_and_contrast_can_be_chosen(plane: str, contrast: str) -> None:
    phantom = make_phantom("notumor", 2, plane=plane, contrast=contrast, size=64)
    assert (phantom.plane, phantom.contrast) == (plane, contrast)
    assert not phantom.mask.any()
    assert phantom.image.max() > 100
    assert np.median(phantom.image[:3, :3]) < 35  # air in the corner


@pytest.mark.parametrize("label", TUMOURS)
def test_another_size_samples_the_same_picture(label: str) -> None:
    small, large = make_phantom(label, 8, size=112), make_phantom(label, 8, size=448)
    shrunk = large.image.reshape(112, 4, 112, 4).mean((1, 3))
    assert np.abs(shrunk - small.image).mean() < 4.0
    assert np.corrcoef(shrunk.ravel(), small.image.ravel().astype(float))[0, 1] > 0.97
    assert abs(large.mask.sum() / 16 - small.mask.sum()) < 0.12 * small.mask.sum()


@pytest.mark.parametrize("label", TUMOURS)
def test_every_tumour_can_be_seen(label: str) -> None:
    for seed in range(12):
        phantom = make_phantom(label, seed, size=SIZE)
        assert 25 <= phantom.mask.sum() <= 0.2 * SIZE * SIZE, (label, seed)


def test_gliomas_lie_inside_the_brain() -> None:
    for seed in range(8):
        phantom = make_phantom("glioma", seed, size=SIZE)
        _, dura, _ = geometry(phantom)
        assert dura[phantom.mask].max() < -1.0, seed


def test_meningiomas_touch_the_dura_or_the_falx() -> None:
    for seed in range(10):
        phantom = make_phantom("meningioma", seed, size=SIZE)
        xyz, dura, pixel = geometry(phantom)
        to_dura = np.abs(dura[phantom.mask]).min()
        to_falx = np.abs(xyz[0][phantom.mask]).min()
        assert min(to_dura, to_falx) < 2.0 + pixel, seed
        assert dura[phantom.mask].max() < 1.0, seed


def test_adenomas_lie_in_the_sella_on_the_midline() -> None:
    for seed in range(8):
        phantom = make_phantom("pituitary", seed, size=SIZE)
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
        with_it = make_phantom(label, seed, size=SIZE)
        without = make_phantom(label, seed, size=SIZE, lesion=False)
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


def tumour_to_surroundings(label: str, seed: int) -> float:
    phantom = make_phantom(label, seed, size=SIZE)
    near = ndimage.binary_dilation(phantom.mask, iterations=8)
    ring = near & ~ndimage.binary_dilation(phantom.mask, iterations=3)
    return float(phantom.image[phantom.mask].mean() / np.median(phantom.image[ring]))


def test_meningiomas_and_adenomas_are_bright_and_gliomas_are_mixed() -> None:
    ratios = {label: [tumour_to_surroundings(label, s) for s in range(10)] for label in TUMOURS}
    assert min(ratios["meningioma"]) > 1.15
    assert 1.4 < np.median(ratios["meningioma"]) < 2.4
    assert 1.3 < np.median(ratios["pituitary"]) < 2.6
    assert min(ratios["glioma"]) < 0.8 < 1.0 < max(ratios["glioma"])


def test_fluid_is_bright_on_t2_and_dark_on_the_other_sequences() -> None:
    seed = 0  # a slice through the ventricles
    shown = {
        c: make_phantom("notumor", seed, plane="axial", contrast=c, size=SIZE) for c in CONTRASTS
    }
    phantom = shown["T2"]
    xyz, dura, _ = geometry(phantom)
    white, csf = atlas.tissue_at(xyz)
    inside = dura < -15.0
    fluid, brain = inside & (csf > 0.9), inside & (white > 0.9)
    contrast = {c: p.image[fluid].mean() - p.image[brain].mean() for c, p in shown.items()}
    assert contrast["T2"] > 40
    assert max(contrast["T1"], contrast["T1c"], contrast["FLAIR"]) < -20


def test_heads_fill_the_frame() -> None:
    heights = []
    for label in LABELS:
        for seed in range(6):
            rows = np.nonzero((make_phantom(label, seed, size=64).image > 35).any(axis=1))[0]
            heights.append((rows[-1] - rows[0] + 1) / 64)
    assert min(heights) > 0.55
    assert 0.75 < np.median(heights) < 0.98


@pytest.mark.parametrize(
    ("changed", "legal"),
    [
        ({"label": "cyst"}, "one of glioma, meningioma, notumor, pituitary"),
        ({"seed": -1}, "an integer >= 0"),
        ({"seed": 1.5}, "an integer >= 0"),
        ({"seed": True}, "an integer >= 0"),
        ({"plane": "oblique"}, "one of axial, coronal, sagittal"),
        ({"contrast": "CT"}, "one of T1c, T1, T2, FLAIR"),
        ({"size": 63}, "an integer from 64 to 512"),
        ({"size": 513}, "an integer from 64 to 512"),
        ({"size": 100.0}, "an integer from 64 to 512"),
    ],
)
def test_bad_arguments_are_named(changed: dict[str, Any], legal: str) -> None:
    (name, value), *_ = changed.items()
    expected = f"`{name}` must be {legal}. Received: {value!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        make_phantom(**{"label": "glioma", "seed": 1, **changed})


def test_importing_the_module_reads_no_atlas() -> None:
    code = (
        "import data.phantoms, data.phantoms.atlas as a; print(a.load_atlas.cache_info().currsize)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.strip() == b"0"


def test_the_atlas_is_small_and_carries_its_notice() -> None:
    assert atlas.ATLAS_PATH.stat().st_size <= 1_000_000
    notice = (atlas.ATLAS_PATH.parent / "NOTICE").read_text(encoding="utf-8")
    assert "Copyright (C) 1993-2009 Louis Collins, McConnell Brain Imaging Centre" in notice
    assert all(f" {year}" in notice for year in (1999, 2009, 2011))


def test_the_command_line_writes_images_masks_and_a_manifest(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--count", "4", "--seed", "20", "--size", "64"])
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["origin"], manifest["seed"], manifest["size"]) == ("synthetic", 20, 64)
    assert [row["true_label"] for row in manifest["samples"]] == list(LABELS)
    for row in manifest["samples"]:
        phantom = make_phantom(row["true_label"], row["seed"], size=64)
        with (
            Image.open(tmp_path / row["file"]) as image,
            Image.open(tmp_path / row["mask"]) as mask,
        ):
            assert np.array_equal(np.asarray(image), phantom.image)
            assert np.array_equal(np.asarray(mask) > 0, phantom.mask)


def test_the_command_line_draws_one_class_on_request(tmp_path: Path) -> None:
    main(
        [
            "--out",
            str(tmp_path),
            "--count",
            "2",
            "--seed",
            "1",
            "--size",
            "64",
            "--label",
            "pituitary",
        ]
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["manifest.json", "masks", "pituitary"]
    assert len(list((tmp_path / "pituitary").glob("*.png"))) == 2
