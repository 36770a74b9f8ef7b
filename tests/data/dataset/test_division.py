"""The division: how it is made and read, and that the one in the repository keeps its word."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from data.audit.assignment import Source, assign_blocks, assign_folds, assign_roles
from data.audit.blocks import BATCHES, cut_numbers, grow, nearest
from data.audit.copies import CopyPairs
from data.audit.published_folds import load_published_folds
from data.dataset.division import COLUMNS, FOLDS, ManifestError, load_manifest
from data.dataset.outline_files import load_outlines

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "brain-tumor-mri"
OUTLINES = ROOT.parent / "shared" / "training-outlines.json"


def rows(n: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, 32, 32)).astype(np.float32)
    drawn -= drawn.mean(axis=(1, 2), keepdims=True)
    return drawn / np.sqrt((drawn**2).sum(axis=(1, 2), keepdims=True))


def written(folder: Path, *lines: str, head: str = ",".join(COLUMNS)) -> Path:
    path = folder / "splits.csv"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


LINES = (
    "Testing/glioma/a.jpg,0,Training/glioma/c.jpg,0.9990,1,0,test,test,0",
    "Testing/glioma/b.jpg,1,Testing/glioma/a.jpg,0.5000,0,0,test,test,0",
    "Training/glioma/c.jpg,0,Testing/glioma/a.jpg,0.9990,1,0,train,excluded,0",
    "Training/glioma/d.jpg,2,Training/glioma/c.jpg,0.6000,0,1,validation,validation,4",
)


# --- reading ---


def test_a_manifest_tells_roles_folds_and_unseen_images(tmp_path: Path) -> None:
    manifest = load_manifest(written(tmp_path, *LINES))
    names = ("glioma/d.jpg", "glioma/c.jpg")
    assert manifest.roles(names, "Training", "official").tolist() == ["validation", "train"]
    assert manifest.roles(names, "Training", "clean").tolist() == ["validation", "excluded"]
    assert manifest.folds(names, "Training").tolist() == [4, 0]
    assert manifest.groups(names, "Training").tolist() == [2, 0]
    assert manifest.unseen() == ["Testing/glioma/b.jpg"]
    assert manifest.select("clean", "excluded") == ["Training/glioma/c.jpg"]
    assert manifest.fold(4) == ["Training/glioma/d.jpg"]
    assert manifest.listed(["glioma/a.jpg", "glioma/d.jpg"], "Testing").tolist() == [True, False]


def test_an_image_that_is_not_listed_says_what_to_do(tmp_path: Path) -> None:
    manifest = load_manifest(written(tmp_path, *LINES))
    with pytest.raises(ManifestError, match=r"1 that are not, the first Training/x/y\.jpg; python"):
        manifest.roles(["glioma/c.jpg", "x/y.jpg"], "Training", "clean")
    with pytest.raises(ManifestError, match=r"python -m model audit --data DIR --out FILE"):
        manifest.folds(["x/y.jpg"], "Training")


def test_unknown_protocols_roles_and_folds_are_refused(tmp_path: Path) -> None:
    manifest = load_manifest(written(tmp_path, *LINES))
    for protocol, role in (("official", "excluded"), ("secret", "train")):
        with pytest.raises(ValueError, match=rf"Received: {protocol}, {role}$"):
            manifest.select(protocol, role)
    with pytest.raises(ValueError, match=r"in 0\.\.4\. Received: 5"):
        manifest.fold(5)


@pytest.mark.parametrize(
    ("lines", "head", "message"),
    [
        (LINES, "file,group,official,clean", "lacks the columns block, fold, mirrored, nearest"),
        ((LINES[0], LINES[0]), None, r"names Testing/glioma/a\.jpg twice"),
        ((LINES[0].replace("test,test", "test,secret"),), None, "`clean` must be .*'secret'"),
        ((LINES[2].replace("train,", "excluded,"),), None, "`official` must be .*'excluded'"),
        ((LINES[0][:-1] + "5",), None, r"`fold` one of 0\.\.4\. Received: '\d+' and '5'"),
    ],
)
def test_a_damaged_manifest_is_refused(
    tmp_path: Path, lines: tuple[str, ...], head: str | None, message: str
) -> None:
    path = written(tmp_path, *lines, head=head or ",".join(COLUMNS))
    with pytest.raises(ManifestError, match=message):
        load_manifest(path)


def test_a_missing_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"could not be read .*; python -m model audit"):
        load_manifest(tmp_path / "none.csv")


def test_reading_and_searching_import_no_keras() -> None:
    code = (
        "import sys, data.dataset.division, data.audit.command;"
        "print([m for m in ('keras', 'tensorflow') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.stdout.strip() == "[]", ran.stderr


# --- making ---


def test_numbers_are_cut_where_neighbours_differ_and_runs_are_joined() -> None:
    numbers = np.arange(BATCHES[0][0], BATCHES[0][-1])
    alike = np.full(len(numbers) - 1, 0.95, dtype=np.float32)
    low = [30 - 2, 55 - 2, 240 - 2]  # before the numbers 30, 55 and 240
    alike[low] = (0.2, 0.3, 0.4)
    cuts = cut_numbers(numbers, alike)
    assert len(np.unique(cuts.blocks)) == 8
    assert len(cuts.similarity) == 21
    of = dict(zip(numbers.tolist(), cuts.blocks.tolist(), strict=True))
    assert of[1] == of[29] == of[211] == of[239] == of[446] == 0
    assert of[30] == of[54] == of[240] == 1
    assert of[55] == 2
    assert of[708] == 7


def test_later_batches_and_strange_numbers_have_blocks_of_their_own() -> None:
    numbers = np.array([5, 720, 1000, 1300, 2000, 9000])
    blocks = cut_numbers(numbers, np.zeros(5, dtype=np.float32)).blocks
    assert len(set(blocks.tolist())) == 6


def test_a_few_numbers_of_one_run_stay_together() -> None:
    numbers = np.arange(1994, 2005)  # between two cuts, with none of the numbers around them
    assert len(np.unique(cut_numbers(numbers, np.zeros(10, dtype=np.float32)).blocks)) == 1


def test_the_nearest_is_found_plain_or_mirrored_and_only_where_allowed() -> None:
    columns = rows(4, seed=0)
    wanted = np.stack([columns[2], columns[1][:, ::-1], columns[3]])
    at, cosine, kind = nearest(wanted, columns, lambda k: np.ones((len(k), 4), dtype=bool))
    assert at.tolist() == [2, 1, 3]
    assert cosine == pytest.approx(1.0, abs=1e-5)
    assert kind.tolist() == [0, 1, 0]
    at, cosine, _ = nearest(
        wanted, columns, lambda k: np.arange(4)[np.newaxis] != 2 + 0 * k[:, None]
    )
    assert at[0] != 2
    assert cosine[0] < 0.5


def test_blocks_grow_by_the_most_similar_pair_up_to_a_size() -> None:
    groups = np.array([0, 0, 1, 2, 3])
    pairs = CopyPairs(
        np.array([1, 2, 3]), np.array([2, 3, 4]),
        np.array([0.93, 0.99, 0.91], dtype=np.float32), np.zeros(3, dtype=np.int8),
    )  # fmt: skip
    assert grow(5, groups, pairs, largest=2).tolist() == [0, 0, 1, 1, 2]
    assert grow(5, groups, pairs, largest=4).tolist() == [0, 0, 0, 0, 1]
    assert grow(5, groups, pairs, largest=5).tolist() == [0, 0, 0, 0, 0]


def test_images_follow_their_group_their_number_or_their_nearest() -> None:
    signatures = rows(6, seed=1)
    signatures[3] = 0.9 * signatures[0] + 0.1 * signatures[3]  # nearest: image 0
    signatures[3] /= np.sqrt((signatures[3] ** 2).sum())
    labels = np.array([0, 0, 0, 0, 2, 2])
    source = Source(np.array([2000, 1, -1, -1, -1, -1]), np.zeros(6, dtype=bool), np.full(6, ""))
    related = np.array([0, 1, 1, 3, 4, 5])  # image 2 is a copy of image 1
    blocks, measured = assign_blocks(signatures, labels, related, source)
    assert blocks.tolist() == [0, 1, 1, 0, 2, 3]
    assert measured["made_from"] == "numbers"
    assert measured["placed_by_nearest_slice"] == 1
    by_patient = Source(source.numbers, source.mirrored, np.array(["p", "p", "", "", "", ""]))
    blocks, measured = assign_blocks(signatures, labels, related, by_patient)
    assert blocks.tolist() == [0, 0, 0, 0, 1, 2]
    assert measured["made_from"] == "patients"
    assert assign_blocks(signatures, labels, related, None)[1] == {"made_from": "likeness"}


def test_roles_keep_copies_of_test_images_out_of_clean_and_of_validation() -> None:
    labels = np.tile([0, 1, 2, 3], 50)
    testing = np.arange(200) < 40
    groups = np.arange(200)
    groups[40:48] = groups[:8]  # copies of test images
    groups[100:120] = groups[120:140]
    related = groups.copy()
    related[48:52] = related[8:12]  # upside down copies of test images
    official, clean = assign_roles(labels, testing, groups, related)
    assert (official == "test").tolist() == testing.tolist()
    assert np.flatnonzero(clean == "excluded").tolist() == list(range(40, 48))
    assert (official[40:48] == "train").all()
    assert (clean[48:52] == "train").all()
    held = official == "validation"
    assert (held == (clean == "validation")).all()
    assert 10 <= held.sum() <= 20  # a tenth of 148
    assert not set(related[held]) & set(related[~held])


def test_an_earlier_validation_set_is_kept_where_its_groups_allow() -> None:
    labels, testing = np.tile([0, 1, 2, 3], 50), np.arange(200) < 40
    groups = np.arange(200)
    groups[[50, 60]] = groups[51], groups[0]  # a copy of a kept image, and of a test image
    related = groups.copy()
    related[70] = related[1]  # an upside down copy of a test image
    related[80] = related[150]  # and of an image that was trained on
    kept = np.isin(np.arange(200), [0, 50, 51, 60, 70, 80, 90, 91])
    official, clean = assign_roles(labels, testing, groups, related, kept)
    assert np.flatnonzero(official == "validation").tolist() == [50, 51, 90, 91]
    fresh = assign_roles(labels, testing, groups, related)
    assert (clean == fresh[1]).all()
    for unusable in (np.zeros(200, dtype=bool), np.arange(200) == 80):
        with pytest.raises(ValueError, match="`kept` must hold whole groups of copies"):
            assign_roles(labels, testing, groups, related, unusable)


def test_folds_need_enough_blocks() -> None:
    with pytest.raises(ValueError, match=r"at least 5 for as many folds. Received: 3"):
        assign_folds(np.zeros(9, dtype=np.int64), np.arange(9) // 3)


# --- the one in the repository ---


def test_the_committed_manifest_keeps_its_word() -> None:
    manifest = load_manifest()
    files = list(manifest.rows)
    assert files == sorted(files)
    assert len(files) == 7019
    assert len(manifest.select("official", "test")) == len(manifest.select("clean", "test")) == 1311
    for protocol in ("official", "clean"):
        assert 380 <= len(manifest.select(protocol, "validation")) <= 420
    # blocks of tumor slices give way to the published folds, which know the patients
    whole: dict[str, dict[str, set[str]]] = {"group": defaultdict(set), "notumor": defaultdict(set)}
    roles: dict[str, set[str]] = defaultdict(set)
    sides: dict[str, set[str]] = defaultdict(set)
    for file, row in manifest.rows.items():
        whole["group"][row["group"]].add(row["fold"])
        if "/notumor/" in file:
            whole["notumor"][row["block"]].add(row["fold"])
        roles[row["group"]].add(row["clean"])
        sides[row["group"]].add(row["official"])
        assert (
            (row["official"] == "test") == (row["clean"] == "test") == file.startswith("Testing/")
        )
        assert row["nearest"] in manifest.rows
        assert row["nearest"] != file
    for folds in whole.values():
        assert all(len(found) == 1 for found in folds.values())
    for found in roles.values():  # no group on both sides of anything
        assert found in ({"train"}, {"validation"}, {"test"}, {"test", "excluded"})
    for found in sides.values():  # nor, but for the leak, of the official protocol
        assert found in ({"train"}, {"validation"}, {"test"}, {"test", "train"})
    assert sorted(len(manifest.fold(k)) for k in range(FOLDS))[0] > 1200


@pytest.mark.skipif(not OUTLINES.exists(), reason=f"the outlines are not at {OUTLINES}")
def test_slices_have_their_published_fold() -> None:
    manifest, published = load_manifest(), load_published_folds()
    outlines = load_outlines(OUTLINES)
    names = sorted(outlines)
    expected = [published[outlines[name].source_slice] for name in names]
    assert len(names) == 3962
    assert manifest.folds(names, "Training").tolist() == expected


def test_copies_of_the_committed_manifest_are_of_one_group() -> None:
    manifest = load_manifest()
    for row in manifest.rows.values():
        if float(row["similarity"]) > 0.976:
            assert manifest.rows[row["nearest"]]["group"] == row["group"]


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the dataset is not at {DATA}")
def test_known_copies_of_the_dataset_are_found() -> None:
    from data.audit import find_copies
    from data.dataset.image_set import to_uint8
    from model.preprocessing import load_image

    manifest = load_manifest()
    chosen = [f for f, row in manifest.rows.items() if float(row["similarity"]) > 0.976][::300]
    images = np.stack([to_uint8(load_image(DATA / f)) for f in chosen])
    nearest_files = [manifest.rows[f]["nearest"] for f in chosen]
    others = np.stack([to_uint8(load_image(DATA / f)) for f in nearest_files])
    pairs = find_copies(images, others)
    own = pairs.where(pairs.left == pairs.right)
    assert own.left.tolist() == list(range(len(chosen)))
    assert own.similarity == pytest.approx(
        [float(manifest.rows[f]["similarity"]) for f in chosen], abs=2e-3
    )
    assert own.transform.tolist() == [int(manifest.rows[f]["mirrored"]) for f in chosen]
