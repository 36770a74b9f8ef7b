"""The benchmark of the not-a-brain-MRI detector: its pictures and its methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from benchmarks.network.ood_medical import shown, windowed
from benchmarks.network.ood_methods import fit_all
from benchmarks.network.ood_sources import PARTS, MissingSourceError, flatten, open_picture, sources

DRAWN = ("chart", "text", "noise", "pattern")


def test_sources_have_names_of_their_own_and_lie_in_both_halves() -> None:
    found = sources()
    assert len({source.name for source in found}) == len(found)
    assert {source.part for source in found} == set(PARTS)
    for kind in DRAWN:
        assert {s.part for s in found if s.kind == kind} >= {"development", "held_out"}


@pytest.mark.parametrize("name", [s.name for s in sources() if s.kind in DRAWN])
def test_drawn_pictures(name: str) -> None:
    (source,) = [s for s in sources() if s.name == name]
    if name.startswith("scikit-image"):
        return
    pictures = list(source.load())
    assert len(pictures) >= 10
    assert {picture.mode for picture in pictures} <= {"L", "RGB"}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_a_source_that_is_not_there_says_so(tmp_path: Path) -> None:
    (source,) = [s for s in sources(tmp_path) if s.name == "mate-backgrounds"]
    with pytest.raises(MissingSourceError, match="Debian package mate-backgrounds is missing"):
        list(source.load())
    (source,) = [s for s in sources(tmp_path) if s.name.startswith("invesalius")]
    with pytest.raises(MissingSourceError, match="invesalius-examples is missing"):
        list(source.load())


def test_files_are_chosen_evenly_and_damaged_ones_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "usr/share/backgrounds/mate"
    folder.mkdir(parents=True)
    for number in range(200):
        Image.new("L", (32, 32), number).save(folder / f"{number:03}.png")
    (folder / "050.png").write_bytes(b"damaged")
    (source,) = [s for s in sources(tmp_path) if s.name == "mate-backgrounds"]
    greys = [int(np.asarray(picture)[0, 0]) for picture in source.load()]
    assert len(greys) in (119, 120)
    assert greys[0] == 0
    assert greys[-1] > 190


def test_transparency_is_shown_over_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
    assert flatten(clear).getpixel((5, 5)) == (255, 255, 255)
    clear.resize((8, 8)).save(tmp_path / "small.png")
    assert open_picture(tmp_path / "small.png") is None


def test_windows() -> None:
    numbers = np.array([[-1000, 40], [90, 1000]])
    assert np.asarray(windowed(numbers, 40, 100)).tolist() == [[0, 127], [255, 255]]
    assert np.asarray(shown(np.zeros((2, 2)))).tolist() == [[0, 0], [0, 0]]


def test_every_method_tells_what_is_far_away() -> None:
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((8, 40))  # brain MRIs fill 8 of 40 dimensions
    labels = rng.integers(0, 4, 800)
    centres = 2 * rng.standard_normal((4, 8))

    def drawn(rows: np.ndarray) -> np.ndarray:
        inside = centres[rows] + rng.standard_normal((len(rows), 8))
        return np.asarray(inside @ mixing + 0.1 * rng.standard_normal((len(rows), 40)))

    features, fresh = drawn(labels), drawn(rng.integers(0, 4, 200))
    logits = rng.standard_normal((1200, 4)) + 3
    far = 3 * rng.standard_normal((200, 40))
    for name, method in fit_all(features, labels, logits[:800]).items():
        scores = [method.score(x, logits[800:1000]) for x in (fresh, far)]
        truth = np.repeat([0, 1], 200)
        if name != "relative mahalanobis":  # what a far image lacks there is a class of its own
            assert roc_auc_score(truth, np.concatenate(scores)) > 0.97, name
        assert method.size > 0
