"""Listing: what is found in folders, patterns and archives, in which order, in which chunks."""

from __future__ import annotations

import gzip
import os
import random
import zipfile
from collections import Counter
from pathlib import Path

import nibabel
import numpy as np
import pytest

from model.batch import sources
from model.batch.chunks import MAX_BYTES, MAX_SOURCES, cut
from model.batch.order import in_order
from model.batch.sources import Source, check_paths, find_source, list_sources, read_source
from model.preprocessing import ImageError
from model.reading.open_scan import read_scan
from tests.scan_files import dicom, nifti, png, white_share

PNG = png(white_share(3))
DICOM = dicom(np.arange(64, dtype=np.uint16).reshape(8, 8))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with pictures, scans without a suffix, an archive, and what is neither."""
    root = tmp_path / "tree"
    (root / "b" / "series").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("z.PNG", "a.jpeg", "b/1.png", ".hidden/x.png", ".dot.png"):
        (root / name).write_bytes(PNG)
    for name in ("b/series/IM0001", "b/series/1.2.840.4", "b/DICOMDIR"):
        (root / name).write_bytes(DICOM)
    (root / "volume").write_bytes(nifti(np.zeros((2, 2, 2), np.float32)))
    (root / "notes.txt").write_text("no picture")
    (root / "empty").write_bytes(b"")
    with zipfile.ZipFile(root / "c.zip", "w") as archive:
        for name, content in (
            ("in/1.png", PNG), ("in/IM1", DICOM), ("__MACOSX/in/._1.png", b"x"),
            ("in/readme", b"x"),
        ):  # fmt: skip
            archive.writestr(name, content)
    (root / "b" / "loop").symlink_to(root)
    return root


def labels(*paths: object) -> list[str]:
    return [source.label for source in list_sources([str(path) for path in paths])]


def test_a_folder_is_listed_by_name_with_all_below(tree: Path) -> None:
    wanted = (
        "a.jpeg", "b/1.png", "b/series/1.2.840.4", "b/series/IM0001", "c.zip!/in/1.png",
        "c.zip!/in/IM1", "volume", "z.PNG",
    )  # fmt: skip
    assert labels(tree) == [f"{tree}/{name}" for name in wanted]


def test_what_is_passed_over_is_counted(tree: Path) -> None:
    for name in ("a.cr2", "b/B.CR2", "b/_c.png", "b/x.y z"):
        (tree / name).write_bytes(PNG)
    passed: Counter[str] = Counter()
    found = list(list_sources([str(tree)], passed))
    assert len(found) == 8
    # Of the folder .hidden nothing is listed; of the archive's, what lies in __MACOSX.
    assert passed == {".cr2": 2, ".txt": 1, "without an ending": 3, "hidden": 4}


def test_names_in_archives_are_split_at_both_slashes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for name in (
            "a\\.b.png",
            "a\\._c.png",
            ".d\\e.png",
            "a\\_f.png",
            "a\\g.png",
            "__MACOSX\\h.png",
        ):
            archive.writestr(name, PNG)
    passed: Counter[str] = Counter()
    (found,) = list_sources([str(tmp_path)], passed)
    assert found.name == "a\\g.png"
    assert passed == {"hidden": 5}


def test_dicom_without_a_preamble_is_listed(tmp_path: Path) -> None:
    (tmp_path / "IM0001").write_bytes(DICOM[132:])
    assert labels(tmp_path) == [str(tmp_path / "IM0001")]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_pair_is_one_source(tmp_path: Path, ending: str) -> None:
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    pair = nibabel.Nifti1Pair(voxels, np.eye(4))
    nibabel.save(pair, tmp_path / f"a.img{ending}")
    if ending:  # whose header is found by what it holds
        (tmp_path / "a.hdr").write_bytes(gzip.decompress((tmp_path / "a.hdr.gz").read_bytes()))
        (tmp_path / "a.hdr.gz").unlink()
    passed: Counter[str] = Counter()
    (found,) = list_sources([str(tmp_path)], passed)
    assert Path(found.path).name == "a.hdr"
    scan = read_scan(read_source(found))
    assert scan.planes == {"axial": 4, "coronal": 3, "sagittal": 2}
    assert scan.pixels("axial", 3).max() == 23
    assert not passed
    (tmp_path / "a.hdr").unlink()
    assert list(list_sources([str(tmp_path)], passed)) == []
    assert passed == {ending or ".img": 1}


def test_arguments_keep_their_order_and_patterns_are_sorted(tree: Path) -> None:
    named = tree / "notes.txt"  # named by hand: taken, to say in a row that it is no picture
    found = labels(tree / "z.PNG", named, tree / "b" / "**" / "*0*", tree / "z.PNG")
    wanted = ("z.PNG", "notes.txt", "b/series/1.2.840.4", "b/series/IM0001", "z.PNG")
    assert [Path(label).relative_to(tree) for label in found if "loop" not in label] == [
        Path(name) for name in wanted
    ]


def test_a_pattern_for_all_below_lists_nothing_twice(tree: Path) -> None:
    (tree / "b" / "loop").unlink()
    assert sorted(labels(f"{tree}/**")) == sorted(labels(tree))
    assert labels(f"{tree}/[ab]*") == labels(tree / "a.jpeg", tree / "b")


@pytest.mark.parametrize(
    ("name", "said"), [("none.png", "a file, a folder or a pattern"), ("*.tif", "at least one")]
)
def test_a_path_that_names_nothing_is_an_error(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_paths([str(tmp_path / name)])


def test_members_are_read_without_unpacking(tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    first, second = list_sources([str(tree / "c.zip")])
    assert (read_source(first), read_source(second)) == (PNG, DICOM)
    assert read_source(find_source(second.label)) == DICOM
    assert sorted(tree.rglob("*")) == before


def test_a_damaged_archive_and_a_locked_member_become_errors(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no archive")
    (bad,) = list_sources([str(tmp_path)])
    with pytest.raises(ImageError, match="zip archive could not be read"):
        read_source(bad)
    packed = tmp_path / "locked.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("1.png", PNG)
    content = bytearray(packed.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1  # encrypted
    packed.write_bytes(content)
    (locked,) = list_sources([str(packed)])
    with pytest.raises(ImageError, match=r"could not be unpacked: .*encrypted"):
        read_source(locked)


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_FILE_BYTES", 100)
    packed = tmp_path / "big.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.png", b"0" * 101)
    for source in (*list_sources([str(packed)]), Source("x.png", size=101)):
        with pytest.raises(ImageError, match="Received: 101 bytes") as raised:
            read_source(source)
        assert raised.value.kind == "too-large"


def test_more_names_than_fit_are_sorted_on_disk() -> None:
    names = [f"{number:05d}\n" for number in range(1000)] + ["é", os.fsdecode(b"\xff"), "é"]
    shuffled = random.Random(1).sample(names, len(names))
    assert list(in_order(shuffled, piece=7)) == sorted(names, key=os.fsencode)
    assert list(in_order(shuffled)) == sorted(names, key=os.fsencode)


def test_a_name_that_is_no_unicode_is_written_out() -> None:
    assert Source(os.fsdecode(b"a\xff.png")).label == "a\\udcff.png"


def made(count: int, size: int = 1) -> list[Source]:
    return [Source(f"{number:06d}.png", size=size, stamp="1") for number in range(count)]


def test_chunks_hold_every_source_once_and_are_bounded() -> None:
    chunks = list(cut(made(5000), ""))
    assert [source for chunk in chunks for source in chunk.sources] == made(5000)
    assert max(len(chunk.sources) for chunk in chunks) <= MAX_SOURCES
    assert 40 < 5000 / len(chunks) < 90
    assert [len(chunk.sources) for chunk in cut(made(3, MAX_BYTES), "")] == [1, 1, 1]


def test_a_change_touches_the_chunks_around_it_alone() -> None:
    names, keys = made(5000), {chunk.key for chunk in cut(made(5000), "")}
    changed = [*names[:2500], Source("002499b.png", size=1, stamp="1"), *names[2500:]]
    changed[100] = Source(names[100].path, size=1, stamp="2")
    assert len(keys - {chunk.key for chunk in cut(changed, "")}) <= 4
    assert keys.isdisjoint(chunk.key for chunk in cut(names, "another model"))
