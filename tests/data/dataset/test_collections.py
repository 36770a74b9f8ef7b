"""Extra collections: folders to images, people to parts."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.dataset.collections import (
    LABELS,
    PARTS,
    TUMOR,
    CollectionError,
    find_collections,
    load_collections,
    part_of,
    people_of_the_dataset,
    person_of,
    style_of,
)

ROOT = Path(__file__).resolve().parents[3]


def _write(folder, label, name, value=128):
    pixels = np.zeros((60, 80), np.uint8)
    pixels[10:50, 10:70] = np.linspace(value // 2, value, 60).astype(np.uint8)
    path = folder / label / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def hospital(tmp_path):
    folder = tmp_path / "hospital-flair"
    _write(folder, "tumor", "03-b.png")
    _write(folder, "tumor", "04-b.png", 200)
    _write(folder, "notumor", "03-a.png", 90)
    (folder / "boxes.json").write_text(json.dumps({"03-b.png": [[0.25, 0.25, 0.75, 0.75]]}))
    return folder


def test_a_collection_is_read_with_its_labels_and_lesions(hospital):
    found = load_collections([hospital])
    assert found.names == (
        "hospital-flair/notumor/03-a.png", "hospital-flair/tumor/03-b.png",
        "hospital-flair/tumor/04-b.png",
    )  # fmt: skip
    assert [LABELS[label] for label in found.labels] == ["notumor", "tumor", "tumor"]
    assert found.labels[1] == TUMOR == 4
    assert found.images.shape == (3, 224, 224, 1)
    assert found.images.dtype == np.uint8
    assert found.known.tolist() == [True, True, False]
    assert not found.lesions[0].any()
    # the ellipse in the box covers pi / 4 of it
    assert found.lesions[1].astype(bool).mean() == pytest.approx(0.25 * np.pi / 4, abs=0.003)
    assert found.lesions[1][112, 112] == 255
    assert found.lesions[1][60, 60] == 0


def test_polygons_are_fractions_of_width_and_height(hospital):
    square = [[[0.5, 0.0], [1.0, 0.0], [1.0, 0.5], [0.5, 0.5]]]
    (hospital / "outlines.json").write_text(json.dumps({"04-b.png": square}))
    lesion = load_collections([hospital]).lesions[2]
    assert (lesion[:112, 112:] == 255).all()
    assert lesion.astype(bool).sum() == 112 * 112


def test_a_folder_of_collections_is_each_of_them(hospital):
    _write(hospital.parent / "other-t1", "glioma", "1.png")
    assert [path.name for path in find_collections([hospital.parent])] == [
        "hospital-flair", "other-t1",
    ]  # fmt: skip
    assert load_collections([hospital.parent]).collections.tolist() == [
        *["hospital-flair"] * 3, "other-t1",
    ]  # fmt: skip


def test_a_person_is_in_one_part_whatever_the_contrast():
    assert person_of("lgg-flair/glioma/07-12.jpg") == person_of("lgg-t1c/notumor/07-3.jpg")
    assert person_of("lgg-flair/glioma/07-12.jpg") == "lgg/07"
    assert person_of("oasis-t1/notumor/axial-0042-0042MR1axl.jpg") == "oasis/0042"
    parts = [part_of(f"somewhere/tumor/{number:04d}.png") for number in range(4000)]
    assert parts.count("report") / 4000 == pytest.approx(0.15, abs=0.02)
    assert parts.count("validation") / 4000 == pytest.approx(0.13, abs=0.02)


def test_the_parts_share_no_image(hospital):
    for number in range(40):
        _write(hospital, "notumor", f"{number + 10:03d}.png", 60 + number)
    found = load_collections([hospital])
    parts = [set(found.part(name).names) for name in ("training", "validation", "report")]
    assert sorted(set.union(*parts)) == sorted(found.names)
    assert sum(map(len, parts)) == len(found)
    with pytest.raises(ValueError, match="`name` must be one of training, validation, report"):
        found.part("test")


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("lgg-flair/glioma/01-047.jpg", ("FLAIR", "axial", False)),
        ("hospital-t1c/tumor/coronal-3-1.png", ("T1 with contrast agent", "coronal", False)),
        ("oasis-t1/notumor/sagittal-0001-1.jpg", ("T1", "sagittal", True)),
        ("brats-stripped/glioma/00-0.jpg", ("FLAIR", "axial", True)),
        ("web/tumor/053-b-y106.jpg", ("mixed", "axial", False)),
    ],
)
def test_a_name_tells_how_the_picture_was_taken(name, style):
    assert style_of(name) == style


def test_people_who_are_in_the_dataset_are_in_no_part(tmp_path):
    web = tmp_path / "web"
    for name in ("053-b-y106.jpg", "053-n-Y65.jpg", "054-b-y1.jpg"):
        _write(web, "tumor", name, 80)
    found = load_collections([web])
    kept = [name for part in PARTS for name in found.part(part).names]
    assert len(found) == 3
    assert kept == ["web/tumor/054-b-y1.jpg"]


def test_each_copy_that_the_audit_found_is_left_out():
    report = json.loads((ROOT / "benchmarks/reports/audit.json").read_text(encoding="utf-8"))
    copies = report["other_collections"]["copies_of_dataset_images"]
    assert {person_of(pair["left"]) for pair in copies} == people_of_the_dataset()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("boxes.json", "{", "is not JSON"),
        ("boxes.json", "[]", "must be an object"),
        ("boxes.json", '{"03-b.png": [[0, 0, 1]]}', "An outline must be points"),
        ("outlines.json", '{"03-b.png": [[[0, 0], [1, 1]]]}', "An outline must be points"),
    ],
)
def test_a_wrong_file_beside_the_images_is_named(hospital, name, content, message):
    (hospital / name).write_text(content)
    with pytest.raises(CollectionError, match=message):
        load_collections([hospital])


def test_what_is_no_collection_is_refused(tmp_path, hospital):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CollectionError, match="must hold a folder named glioma"):
        load_collections([tmp_path / "empty"])
    with pytest.raises(CollectionError, match="different names"):
        load_collections([hospital, hospital])
    _write(hospital, "tumor", "anonymous.png")
    with pytest.raises(CollectionError, match="its person's number"):
        load_collections([hospital])
    (hospital / "tumor" / "anonymous.png").write_bytes(b"no picture")
    with pytest.raises(CollectionError, match="cannot be read"):
        load_collections([hospital])
