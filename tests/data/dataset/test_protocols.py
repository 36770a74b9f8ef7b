from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset.division import COLUMNS, Manifest, ManifestError, load_manifest
from data.dataset.image_set import ImageSet, to_uint8
from data.dataset.protocols import load_parts
from data.layout import DatasetError
from model.config import CLASS_NAMES
from model.preprocessing import load_image
from tests.model_helpers import smooth_images

# (number of the image in its class and split, its group, official, clean, fold)
TRAINING = ((0, 0, "train", "train", 0), (1, 1, "validation", "validation", 1),
            (2, 2, "train", "excluded", 2))  # fmt: skip
TESTING = ((0, 2, "test", "test", 2), (1, 3, "test", "test", 4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three Training and two Testing images a class, and its `splits.csv`."""
    root = tmp_path_factory.mktemp("data")
    pictures = iter(smooth_images(20, seed=4))
    lines = [",".join(COLUMNS)]
    for number, label in enumerate(CLASS_NAMES):
        for split, rows in (("Training", TRAINING), ("Testing", TESTING)):
            for name, group, *roles in rows:
                path = root / split / label / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(next(pictures)[:, :, 0]).save(path)
                file, copies = path.relative_to(root).as_posix(), 10 * number + group
                lines.append(",".join(map(str, (file, copies, "", "", "", "", *roles))))
    (root / "splits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return load_manifest(folder / "splits.csv")


def names(*numbers: int) -> tuple[str, ...]:
    """Those images of each class."""
    return tuple(f"{label}/{number}.png" for label in CLASS_NAMES for number in numbers)


def validation_of(folder: Path, manifest: Manifest, protocol: str) -> ImageSet:
    validation = load_parts(folder, manifest, protocol).validation
    assert validation is not None
    return validation


def test_the_official_protocol_trains_on_all_but_the_validation_images(
    folder: Path, manifest: Manifest
) -> None:
    parts = load_parts(folder, manifest, "official")
    assert parts.training.names == names(0, 2)
    assert parts.test.names == names(0, 1)
    assert validation_of(folder, manifest, "official").names == names(1)
    for part in (parts.training, parts.test):
        assert part.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert part.images.shape == (8, 224, 224, 1)
        assert part.images.dtype == np.uint8
    path = folder / "Testing" / "notumor" / "1.png"
    np.testing.assert_array_equal(parts.test.images[5], to_uint8(load_image(path)))
    path = folder / "Training" / "notumor" / "2.png"
    np.testing.assert_array_equal(parts.training.images[5], to_uint8(load_image(path)))


def test_the_clean_protocol_leaves_out_copies_of_test_images(
    folder: Path, manifest: Manifest
) -> None:
    parts = load_parts(folder, manifest, "clean")
    assert parts.training.names == names(0)
    assert validation_of(folder, manifest, "clean").names == names(1)
    assert parts.test.names == names(0, 1)


@pytest.mark.parametrize(
    ("fold", "tested"), [(0, [("Training", 0)]), (2, [("Training", 2), ("Testing", 0)]), (3, [])]
)
def test_a_fold_tests_on_its_images_of_both_splits_and_trains_on_all_others(
    folder: Path, manifest: Manifest, fold: int, tested: list[tuple[str, int]]
) -> None:
    parts = load_parts(folder, manifest, f"fold-{fold}")
    assert parts.validation is None
    assert parts.test.names == tuple(
        name
        for split in ("Training", "Testing")
        for name in names(*[number for where, number in tested if where == split])
    )
    assert len(parts.training) + len(parts.test) == 20
    shown = {image.tobytes() for image in parts.training.images}
    assert not shown & {image.tobytes() for image in parts.test.images}
    assert len(shown | {image.tobytes() for image in parts.test.images}) == 20


def test_every_image_is_tested_in_one_fold(folder: Path, manifest: Manifest) -> None:
    tests = [load_parts(folder, manifest, f"fold-{fold}").test for fold in range(5)]
    pictures = [image.tobytes() for test in tests for image in test.images]
    assert len(pictures) == len(set(pictures)) == 20


def test_each_part_of_each_protocol_has_a_hash_of_its_own(folder: Path, manifest: Manifest) -> None:
    found = [load_parts(folder, manifest, name) for name in ("official", "clean", "fold-0")]
    assert len({parts.training.sha256 for parts in found}) == 3
    again = load_parts(folder, manifest, "clean")
    assert again.training.sha256 == found[1].training.sha256
    assert again.test.sha256 == found[0].test.sha256


@pytest.mark.parametrize("protocol", ["", "Official", "fold-5", "fold-01"])
def test_an_unknown_protocol_is_refused(folder: Path, manifest: Manifest, protocol: str) -> None:
    legal = "official, clean, fold-0, fold-1, fold-2, fold-3, fold-4"
    sentence = f"`protocol` must be one of {legal}. Received: {protocol}"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        load_parts(folder, manifest, protocol)


@pytest.mark.parametrize("protocol", ["official", "fold-1"])
def test_an_image_that_the_manifest_does_not_name_is_an_error(
    folder: Path, manifest: Manifest, protocol: str
) -> None:
    rows = {name: row for name, row in manifest.rows.items() if "Testing/glioma" not in name}
    with pytest.raises(ManifestError, match=r"2 that are not, the first Testing/glioma/0\.png"):
        load_parts(folder, Manifest(manifest.path, rows), protocol)


def test_a_folder_without_the_dataset_is_an_error(tmp_path: Path, manifest: Manifest) -> None:
    with pytest.raises(DatasetError):
        load_parts(tmp_path, manifest, "official")


# the manifest


def test_a_manifest_tells_roles_folds_and_groups(manifest: Manifest) -> None:
    asked = ("glioma/2.png", "pituitary/1.png")
    assert manifest.roles(asked, "Training", "official").tolist() == ["train", "validation"]
    assert manifest.roles(asked, "Training", "clean").tolist() == ["excluded", "validation"]
    assert manifest.folds(asked, "Training").tolist() == [2, 1]
    assert manifest.groups(asked, "Training").tolist() == [2, 31]
    assert manifest.folds(asked[1:], "Testing").tolist() == [4]


def test_unseen_are_the_test_images_whose_group_is_not_in_training(manifest: Manifest) -> None:
    assert manifest.unseen() == [f"Testing/{label}/1.png" for label in CLASS_NAMES]


HEADER = ",".join(COLUMNS) + "\n"
LINE = "Training/glioma/0.png,0,,,,,train,train,0\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", f"lacks the columns {', '.join(sorted(COLUMNS))}"),
        (HEADER.replace("official,", ""), "lacks the columns official"),
        (HEADER + LINE + LINE, "names Training/glioma/0.png twice"),
        (
            HEADER + LINE.replace(",train,train", ",excluded,train"),
            "`official` must be one of train, validation, test. Received: 'excluded' for Training/",
        ),
        (
            HEADER + LINE.replace(",train,train", ",train,"),
            "`clean` must be one of train, validation, excluded, test. Received: ''",
        ),
        (
            HEADER + "Training/glioma/0.png,0,,,,,train\n",
            "Received: None for Training/glioma/0.png",
        ),
        (
            HEADER + LINE.replace(",0\n", ",5\n"),
            "`group` must be a number and `fold` one of 0..4. Received: '0' and '5' for Training/",
        ),
        (HEADER + LINE.replace(",0\n", "\n"), "Received: '0' and None for Training/glioma/0.png"),
        (HEADER + LINE.replace(",0,", ",a,", 1), "Received: 'a' and '0' for Training/glioma/0.png"),
    ],
)
def test_a_faulty_manifest_is_refused_in_a_sentence(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "splits.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ManifestError, match=re.escape(words)) as caught:
        load_manifest(path)
    assert str(path) in str(caught.value)


def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ManifestError, match=r"could not be read .*; python -m model audit"):
            load_manifest(path)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ManifestError, match="could not be read"):
        load_manifest(tmp_path / "bytes.csv")
