"""What folders and headers say of a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.judge.folders import (
    class_above,
    contrast_in,
    header_facts,
    label_of,
    parts_below,
    plane_in,
)
from tests.scan_files import dicom

PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("glioma", 0), ("Glioma_Tumor", 0), ("meningioma", 1), ("MENINGIOMA", 1), ("notumor", 2),
        ("no_tumor", 2), ("No Tumor", 2), ("healthy", 2), ("no", 2), ("pituitary", 3),
        ("pituitary-tumor", 3), ("tumor", 4), ("yes", 4), ("Training", None), ("nothing", None),
    ],
)  # fmt: skip
def test_classes_are_written_in_many_ways(name: str, label: int | None) -> None:
    assert label_of(name) == label


def test_the_nearest_folder_decides() -> None:
    parts = parts_below("/data/mine.zip!/tumor/T1c/glioma/1.png", "/data")
    assert parts == ("mine.zip", "tumor", "T1c", "glioma")
    assert class_above(parts) == 0
    assert class_above(("mine.zip", "T1c")) is None
    assert parts_below("glioma/1.png", "") == ("glioma",)


@pytest.mark.parametrize(
    ("text", "contrast"),
    [
        ("lgg-flair/glioma", "flair"), ("lgg-t1c", "t1c"), ("AX T1 POST CONTRAST", "t1c"),
        ("t1_gd", "t1c"), ("T1ce", "t1c"), ("nichart-t1", "t1"), ("Sag MPRAGE", "t1"),
        ("T2W", "t2"), ("ax t2 flair", "flair"), ("PD", "pd"), ("brain", None), ("part12", None),
    ],
)  # fmt: skip
def test_contrasts_are_words(text: str, contrast: str | None) -> None:
    assert contrast_in(text) == contrast


def test_planes_are_words() -> None:
    names = ("ax t2", "COR", "sagittal/glioma", "taxes")
    assert [plane_in(name) for name in names] == ["axial", "coronal", "sagittal", None]


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        ([1, 0, 0, 0, 1, 0], "axial"),
        ([1, 0, 0, 0, 0, -1], "coronal"),
        ([0, 1, 0, 0, 0, -1], "sagittal"),
        ([0.9, 0.1, 0.1, 0, 0.9, 0.3], "axial"),
    ],
)
def test_a_dicom_header_says_contrast_and_plane(
    tmp_path: Path, orientation: list[float], plane: str
) -> None:
    path = tmp_path / "1.dcm"
    said = {"SeriesDescription": "T1 se", "ContrastBolusAgent": "Gadovist"}
    path.write_bytes(dicom(PIXELS, ImageOrientationPatient=orientation, **said))
    assert header_facts(str(path)) == ("t1c", plane)


def test_what_says_nothing_is_unknown(tmp_path: Path) -> None:
    silent, damaged = tmp_path / "1.dcm", tmp_path / "2.dcm"
    silent.write_bytes(dicom(PIXELS))
    damaged.write_bytes(dicom(PIXELS)[:140])
    unknown = (None, None)
    assert header_facts(str(silent)) == unknown
    assert header_facts(str(damaged)) == unknown
    assert header_facts(str(tmp_path / "none.dcm")) == unknown
    assert header_facts("axial/T1.png") == unknown
