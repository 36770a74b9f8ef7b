"""The phantoms: same bytes for the same arguments, tumours where their kind grows, honest masks."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

from data.phantoms import (
    CONTRASTS,
    LABELS,
    Phantom,
    acquisition,
    atlas,
    draw,
    make_phantom,
    one_thread,
)
from data.phantoms.acquisition import PLANES
from data.phantoms.anatomy import TONES, draw_person
from data.phantoms.canvas import Canvas
from data.phantoms.draw import CONTRAST_SHARES, PLANE_SHARES, main
from data.phantoms.variety import Hole, draw_holes, paint_holes

SIZE = 112  # enough for every fact below, and a quarter of the work
TUMOURS = ("glioma", "meningioma", "pituitary")
ROOT = Path(__file__).resolve().parents[3]


def digest(phantom: Phantom) -> str:
    return hashlib.sha256(phantom.image.tobytes() + phantom.mask.tobytes()).hexdigest()


def head_source(label: str, seed: int) -> np.random.Generator:
    """The source of the head's shape and framing."""
    return np.random.default_rng([seed, LABELS.index(label), 1])


def geometry(phantom: Phantom) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """MNI coordinates and distance to the dura of the phantom's pixels, and millimetres a pixel."""
    label = phantom.label
    source = head_source(label, phantom.seed)
    cut = acquisition.cut_head(source, label, phantom.plane, phantom.stripped)
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
    assert (phantom.label, phantom.contrast, phantom.seed) == ("glioma", "PD", 1)


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
    areas = []
    for seed in range(24):
        phantom = make_phantom(label, seed, size=SIZE)
        areas.append(phantom.mask.sum() * geometry(phantom)[2] ** 2)  # mm2
    assert 30 <= min(areas) <= 150, label  # small ones too
    assert 200 < np.median(areas) < max(areas) < 7000, label


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


def tumour_to_surroundings(label: str, seed: int, contrast: str) -> float:
    phantom = make_phantom(label, seed, size=SIZE, contrast=contrast)
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
        there, gone = (
            make_phantom(label, seed, size=SIZE, contrast=contrast, lesion=lesion)
            for lesion in (True, False)
        )
        change = np.abs(there.image.astype(int) - gone.image)
        assert there.stripped == gone.stripped
        assert change[there.mask].mean() > 4.0, seed


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


@pytest.fixture(scope="module")
def many() -> dict[str, list[Phantom]]:
    """As many with a tumour as without."""
    counts = {"notumor": 210, **dict.fromkeys(TUMOURS, 70)}
    with one_thread():
        return {
            label: [make_phantom(label, seed, size=64) for seed in range(count)]
            for label, count in counts.items()
        }


def test_heads_fill_the_frame_alike(many: dict[str, list[Phantom]]) -> None:
    heights = {}
    for label, drawn in many.items():
        rows = [np.nonzero(phantom.head.any(axis=1))[0] for phantom in drawn]
        heights[label] = np.array([(r[-1] - r[0] + 1) / 64 for r in rows])
        assert heights[label].min() > 0.25, label  # the vertex, with wide margins
        assert 0.7 < np.median(heights[label]) < 0.98, label
    means = [values.mean() for values in heights.values()]
    assert max(means) - min(means) < 0.06


def test_contrasts_planes_and_stripped_skulls_have_the_same_shares(
    many: dict[str, list[Phantom]],
) -> None:
    for label, drawn in many.items():
        for name, shares in (("contrast", CONTRAST_SHARES), ("plane", PLANE_SHARES)):
            values = [getattr(phantom, name) for phantom in drawn]
            for value, share in zip({"plane": PLANES}.get(name, CONTRASTS), shares, strict=True):
                spread = 3.0 * np.sqrt(share * (1.0 - share) / len(values))
                assert abs(values.count(value) / len(values) - share) < spread, (label, value)
        stripped = np.mean([phantom.stripped for phantom in drawn])
        assert abs(stripped - 0.2) < 3.0 * np.sqrt(0.16 / len(drawn)), label


def style(phantom: Phantom) -> list[float]:
    """Brightness, framing, air and noise: what tells a scanner or a collection, not a tumour."""
    image, head = phantom.image.astype(float), phantom.head
    rows, columns = np.nonzero(head.any(axis=1))[0], np.nonzero(head.any(axis=0))[0]
    fine = image - ndimage.gaussian_filter(image, 1.0)
    air = image[~head] if not head.all() else np.zeros(1)
    return [
        *(np.histogram(image, 16, (0, 256))[0] / image.size),
        *(rows[0], rows[-1], columns[0], columns[-1], head.mean()),
        *(air.mean(), air.std(), image[head].mean(), image[head].std(), fine.std()),
        *np.percentile(image[head], [5, 25, 50, 75, 95]),
    ]


def test_style_alone_does_not_tell_a_tumour(many: dict[str, list[Phantom]]) -> None:
    everyone = [p for label in (*TUMOURS, "notumor") for p in many[label]]
    features = np.array([style(phantom) for phantom in everyone])
    tumour = np.array([phantom.label != "notumor" for phantom in everyone])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    right = cross_val_score(
        classifier, features, tumour, cv=StratifiedKFold(5, shuffle=True, random_state=0)
    )
    assert right.mean() < 0.65  # 0.95 when contrast, plane and framing went by the class


def test_stripped_heads_are_brains_on_black(many: dict[str, list[Phantom]]) -> None:
    for label, drawn in many.items():
        for phantom in [p for p in drawn if p.stripped][:5]:
            _, dura, _ = geometry(phantom)
            near = ndimage.binary_dilation(phantom.mask, iterations=4)
            assert not phantom.head[(dura > 25.0) & ~near].any(), (label, phantom.seed)
            assert phantom.head[dura < -8.0].mean() > 0.97, (label, phantom.seed)


def test_healthy_heads_are_cut_wherever_tumours_are_and_beyond() -> None:
    places = {
        label: [
            acquisition.cut_head(head_source(label, s), label, "axial", False).origin[2]
            for s in range(150)
        ]
        for label in LABELS
    }
    for label in TUMOURS:
        low, high = np.percentile(places[label], [5, 95])
        within = np.mean([low <= z <= high for z in places["notumor"]])
        assert within > 0.15, label
        assert min(places["notumor"]) < low - 10.0
        assert max(places["notumor"]) > high + 5.0


def test_old_heads_have_white_spots_and_a_few_have_a_hole() -> None:
    people = [draw_person(head_source("notumor", seed)) for seed in range(300)]
    spotted = [person for person in people if person.white_spots > 0.0]
    assert 0.15 < len(spotted) / len(people) < 0.35
    assert np.mean([p.ventricles for p in spotted]) > 0.2 > np.mean([p.ventricles for p in people])
    uv = np.zeros((2, 8, 8), np.float32)
    inside = np.full((8, 8), -9.0, np.float32)
    holes = [draw_holes(head_source("notumor", seed), uv, inside) for seed in range(300)]
    assert 0.04 < sum(map(len, holes)) / 300 < 0.13
    assert not draw_holes(head_source("notumor", 0), uv, -inside)


@pytest.mark.parametrize(("contrast", "sign"), [("T1", -1), ("T2", 1), ("FLAIR", 1), ("PD", 1)])
def test_white_spots_are_bright_where_water_is(
    contrast: str, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []
    for amount in (0.0, 1.0):
        monkeypatch.setattr(
            draw, "draw_person", lambda rng, a=amount: replace(draw_person(rng), white_spots=a)
        )
        shown.append(make_phantom("notumor", 0, plane="axial", contrast=contrast, size=SIZE))
    change = shown[1].image.astype(int) - shown[0].image
    spots = np.abs(change) > 10
    assert 20 < spots.sum() < 0.2 * SIZE * SIZE
    assert np.sign(change[spots]).mean() * sign > 0.8


@pytest.mark.parametrize(("contrast", "sign"), [("T1c", -1), ("T1", -1), ("T2", 1), ("FLAIR", -1)])
def test_holes_hold_fluid(contrast: str, sign: int) -> None:
    size = 64
    line = np.linspace(-40.0, 40.0, size, dtype=np.float32)
    uv = np.stack(np.meshgrid(line, line))
    canvas = Canvas(np.zeros((3, size, size), np.float32), 1.27, np.zeros((size, size), np.float32))
    canvas.image += TONES[contrast]["white"]
    hole = Hole(0.0, 0.0, 14.0, 1.0, 0.0, 3.0)
    inside = np.full((size, size), -30.0, np.float32)
    paint_holes(canvas, (hole,), TONES[contrast], uv, inside, np.random.default_rng(1))
    middle = canvas.image[28:36, 28:36].mean()
    assert middle == pytest.approx(TONES[contrast]["csf"], rel=0.02)
    assert (middle - canvas.image[0, 0]) * sign > 0.1
    assert canvas.image[0, 0] == pytest.approx(TONES[contrast]["white"])


@pytest.mark.parametrize(
    ("changed", "legal"),
    [
        ({"label": "cyst"}, "one of glioma, meningioma, notumor, pituitary"),
        ({"seed": -1}, "an integer >= 0"),
        ({"seed": 1.5}, "an integer >= 0"),
        ({"seed": True}, "an integer >= 0"),
        ({"plane": "oblique"}, "one of axial, coronal, sagittal"),
        ({"contrast": "CT"}, "one of T1c, T1, T2, FLAIR, PD"),
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
