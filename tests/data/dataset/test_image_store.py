"""Images on the disk: the same as in memory, stored once, whole after a stop, in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset import image_set, image_store
from data.dataset.image_set import cache_for, load_split, merge
from data.dataset.image_store import DIGEST, ROW, ImageStore, StoredImages, join
from model.config import CLASS_NAMES
from tests.model_helpers import smooth_images

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three Training and two Testing images a class; one stands in both splits."""
    root = tmp_path_factory.mktemp("data")
    pictures = iter(smooth_images(20, seed=4))
    for label in CLASS_NAMES:
        for split, count in (("Training", 3), ("Testing", 2)):
            (root / split / label).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(next(pictures)[:, :, 0])
                image.save(root / split / label / f"{number}.png")
    copied = (root / "Training" / "glioma" / "0.png").read_bytes()
    (root / "Testing" / "glioma" / "0.png").write_bytes(copied)
    return root


@pytest.fixture
def stored(folder: Path, tmp_path: Path) -> StoredImages:
    images = load_split(folder, "Training", cache=tmp_path).images
    assert isinstance(images, StoredImages)
    return images


def test_a_split_on_the_disk_is_the_split_in_memory(folder: Path, tmp_path: Path) -> None:
    for _ in range(2):  # made, and found again
        for split in ("Training", "Testing"):
            there, here = load_split(folder, split, cache=tmp_path), load_split(folder, split)
            np.testing.assert_array_equal(np.asarray(there.images), here.images)
            np.testing.assert_array_equal(there.labels, here.labels)
            assert (there.names, there.sha256) == (here.names, here.sha256)
            assert there.images.shape == here.images.shape
            part = np.array([2, 0, 5])
            assert there.take(part).sha256 == here.take(part).sha256
            np.testing.assert_array_equal(
                np.asarray(there.take(part).images), here.take(part).images
            )
    (store,) = tmp_path.iterdir()
    assert (store / "images.u8").stat().st_size == 19 * ROW  # of 20 files, two are equal
    assert (store / "images.sha256").stat().st_size == 19 * DIGEST


@pytest.mark.parametrize(
    "key",
    [3, -1, slice(2, 7), slice(None, None, 3), np.array([5, 5, 1]), np.arange(12) % 3 == 0,
     (4, slice(None), slice(None), 0), (slice(0, 3), slice(10, 20), 7), (np.array([8, 2]), ..., 0)],
    ids=str,
)  # fmt: skip
def test_indexing_is_that_of_an_array(stored: StoredImages, key: object) -> None:
    np.testing.assert_array_equal(stored[key], np.asarray(stored)[key])
    assert stored[key].dtype == np.uint8


def test_a_place_that_there_is_not_is_an_error(stored: StoredImages) -> None:
    with pytest.raises(IndexError):
        stored[12]
    assert len(list(stored)) == len(stored) == 12


def test_sets_on_the_disk_are_merged_on_the_disk(folder: Path, tmp_path: Path) -> None:
    parts = [load_split(folder, split, cache=tmp_path) for split in ("Training", "Testing")]
    found, expected = merge(parts), merge([load_split(folder, s) for s in ("Training", "Testing")])
    assert isinstance(found.images, StoredImages)
    np.testing.assert_array_equal(np.asarray(found.images), expected.images)
    assert found.sha256 == expected.sha256
    other = load_split(folder, "Testing", cache=tmp_path / "other").images
    assert isinstance(other, StoredImages)
    with pytest.raises(ValueError, match=r"`parts` must be of one store\. Received: 2 stores"):
        join([found.images, other])


@pytest.mark.parametrize("fails_at", ["images", "hashes"])
def test_a_store_that_was_stopped_goes_on(
    fails_at: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its second write, in the middle of an image or of a hash."""
    monkeypatch.setattr(image_store, "_CHUNK", 5)
    whole = np.asarray(load_split(folder, "Training").images)
    load_split(folder, "Training", cache=tmp_path)
    (store,) = tmp_path.iterdir()
    images, hashes = store / "images.u8", store / "images.sha256"
    content = images.read_bytes(), hashes.read_bytes()
    if fails_at == "images":  # they are written first
        images.write_bytes(content[0][: 7 * ROW + 1000])
        hashes.write_bytes(content[1][: 5 * DIGEST])
    else:
        hashes.write_bytes(content[1][: 7 * DIGEST + 3])
    decoded: list[bytes] = []
    decode = image_set._decode
    monkeypatch.setattr(image_set, "_decode", lambda data: decoded.append(data) or decode(data))
    np.testing.assert_array_equal(
        np.asarray(load_split(folder, "Training", cache=tmp_path).images), whole
    )
    assert len(decoded) == 12 - (5 if fails_at == "images" else 7)
    assert (images.read_bytes(), hashes.read_bytes()) == content


def test_a_file_that_changed_is_another_image(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(smooth_images(2, seed=5)[0, :, :, 0]).save(path)
    store = ImageStore(tmp_path / "cache")
    first, _ = store.add([path], image_set._decode, "")
    before = first[0]
    Image.fromarray(smooth_images(2, seed=5)[1, :, :, 0]).save(path)
    second, (digest,) = store.add([path], image_set._decode, "")
    assert digest is not None
    assert not np.array_equal(second[0], before)
    np.testing.assert_array_equal(first[0], before)


def test_files_that_are_no_images_have_no_row(tmp_path: Path) -> None:
    good, bad = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(smooth_images(1, seed=5)[0, :, :, 0]).save(good)
    bad.write_text("not an image")
    for _ in range(2):
        images, digests = ImageStore(tmp_path / "cache").add([bad, good], image_set._decode, "")
        assert [digest is None for digest in digests] == [True, False]
        assert len(images) == 1


def test_other_preprocessing_has_another_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ImageStore(tmp_path)
    assert ImageStore(tmp_path).folder == first.folder
    monkeypatch.setitem(image_store.SETTINGS, "intensity", "another")
    assert ImageStore(tmp_path).folder != first.folder


def test_many_images_go_to_the_disk_unasked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_for(folder) is None
    assert cache_for(folder, tmp_path) == tmp_path
    monkeypatch.setattr(image_set, "IN_MEMORY", 20)
    assert cache_for(folder) is None
    monkeypatch.setattr(image_set, "IN_MEMORY", 19)
    assert cache_for(folder) == image_set.CACHE
    assert image_set.CACHE.parts[-2:] == ("data", "cache")


MEMORY = """
import sys
from pathlib import Path
from data.audit.manifest import load_images

images = load_images(Path(sys.argv[1]), cache=Path(sys.argv[2]))
parts = (images.images[k : k + 64] for k in range(0, len(images.files), 64))
total = sum(int(part.sum(dtype=int)) for part in parts)
status = Path("/proc/self/status").read_text()
print(len(images.files), total, status.split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peak memory from /proc")
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """Peak memory of a child that reads 400 images, and 2,400, 100 MB more as arrays."""
    peaks = {}
    rng = np.random.default_rng(3)
    for count in (400, 2400):
        root = tmp_path / str(count)
        for label in CLASS_NAMES:
            for split in ("Training", "Testing"):
                (root / split / label).mkdir(parents=True)
                for number in range(count // 8):
                    image = Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8))
                    image.save(root / split / label / f"{number}.bmp")
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(root), str(tmp_path / "cache")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found, total, peak = map(int, done.stdout.split())
        assert found == count
        assert total > 0  # every image was read
        peaks[count] = peak / 1000
    assert peaks[2400] - peaks[400] < 40
