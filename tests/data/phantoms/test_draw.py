"""Drawing phantoms: same bytes for the same arguments, sizes, bad arguments, the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from data.phantoms import CONTRASTS, LABELS, atlas, make_phantom, one_thread
from data.phantoms.acquisition import PLANES
from data.phantoms.draw import main
from tests.data.phantoms.made import SIZE, TUMOURS, digest

ROOT = Path(__file__).resolve().parents[3]


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
