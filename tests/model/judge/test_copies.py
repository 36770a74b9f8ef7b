"""Copies are found by 64 bytes each, changed and mirrored ones too, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from data.audit.planted import KINDS
from data.dataset.division import COLUMNS, Manifest, load_manifest
from model.judge.copies import MOST_BITS, Known, both_signatures, signature, training_files
from model.judge.signatures import write_signatures
from model.preprocessing import load_image, prepare

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = {path.stem: path for path in sorted((ROOT / "data" / "samples").glob("*.png"))}
FEW = dict(list(SAMPLES.items())[::10])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    path = tmp_path_factory.mktemp("signatures") / "few.npz"
    write_signatures(FEW, path)
    return Known.load(path)


def picture(name: str) -> NDArray[np.uint8]:
    return np.rint(load_image(SAMPLES[name])[:, :, 0] * 255).astype(np.uint8)


def test_a_signature_is_64_bytes_that_contrast_hardly_changes() -> None:
    image = load_image(SAMPLES["phantom-glioma-00"])
    assert len(signature(image)) == 64
    dark = np.frombuffer(signature(image * np.float32(0.5)), np.uint8)
    assert np.bitwise_count(dark ^ np.frombuffer(signature(image), np.uint8)).sum() <= 8
    both = both_signatures(image)
    swapped = both_signatures(image[:, ::-1])
    assert both == {"plain": swapped["mirror"], "mirror": swapped["plain"]}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "shifted" not in kind])
def test_changed_copies_are_found(known: Known, kind: str) -> None:
    for name in FEW:
        changed = prepare(KINDS[kind](picture(name)).astype(np.float32))
        found = known.find(**both_signatures(changed))
        assert found is not None, name
        assert (found.file, found.mirrored) == (name, kind.startswith("mirrored"))


def test_other_heads_are_no_copies(known: Known) -> None:
    others = set(SAMPLES) - set(FEW)
    assert not [n for n in others if known.find(**both_signatures(load_image(SAMPLES[n])))]


def test_the_nearest_within_the_margin_counts() -> None:
    bits = np.zeros((3, 512), np.uint8)
    bits[0, :MOST_BITS] = 1  # as many as may differ
    bits[1, : MOST_BITS - 9] = 1
    bits[2, : MOST_BITS + 1] = 1
    packed = np.packbits(bits, axis=1)
    zeros, ones = bytes(64).hex(), (b"\xff" * 64).hex()

    def found(rows: list[int], plain: str, mirror: str) -> tuple[str, bool] | None:
        match = Known(tuple("abc"[r] for r in rows), packed[rows]).find(plain, mirror)
        return match and (match.file, match.mirrored)

    assert found([0], zeros, ones) == ("a", False)
    assert found([0, 1, 2], ones, zeros) == ("b", True)
    assert found([2], zeros, ones) is None


def test_a_test_image_leads_to_the_training_image_of_its_group() -> None:
    groups = {
        "Testing/glioma/a.jpg": "7", "Testing/glioma/b.jpg": "8", "Training/glioma/c.jpg": "7",
        "Training/glioma/d.jpg": "7",
    }  # fmt: skip
    rows = {file: dict.fromkeys(COLUMNS, "") | {"group": group} for file, group in groups.items()}
    assert training_files(Manifest(Path("x"), rows)) == {
        "Testing/glioma/a.jpg": "Training/glioma/c.jpg",
        "Training/glioma/c.jpg": "Training/glioma/c.jpg",
        "Training/glioma/d.jpg": "Training/glioma/d.jpg",
    }


def test_the_shipped_signatures_are_of_the_dataset_and_know_no_phantom() -> None:
    shipped, files = Known.load(), list(load_manifest().rows)
    assert list(shipped.files[: len(files)]) == files
    assert not {file.split("/")[0] for file in shipped.files} & {"", "work"}
    assert not [
        p for p in list(SAMPLES.values())[::3] if shipped.find(**both_signatures(load_image(p)))
    ]
