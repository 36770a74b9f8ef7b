"""Studies: series of slices in order, what is no brain MRI, and which series to look at."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.uid import MRImageStorage, SecondaryCaptureImageStorage

from model.reading.series import Series, choose, group
from model.reading.slice_header import SliceHeader

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def stack(count: int = 12, gap: float = 5.0, **about: Any) -> list[SliceHeader]:
    """Headers of a series, by default axial from the neck to the vertex."""
    x, y, z = {CORONAL: (0.0, gap, 0.0), SAGITTAL: (-gap, 0.0, 0.0)}.get(
        about.get("orientation", AXIAL), (0.0, 0.0, gap)
    )
    return [
        SliceHeader(
            **{
                "series": "1.2", "modality": "MR", "position": (k * x, k * y, k * z),
                "orientation": AXIAL, "place": k + 1, "kind": ("ORIGINAL", "PRIMARY", "M"),
                "rows": 4, "columns": 6, **about,
            }
        )
        for k in range(count)
    ]  # fmt: skip


def grouped(*headers: SliceHeader) -> list[Series]:
    return group(dict(enumerate(headers)))


def one(**about: Any) -> Series:
    (found,) = grouped(*stack(**about))
    return found


def test_slices_are_ordered_along_the_normal_and_not_by_their_numbers() -> None:
    headers = stack(4)
    reversed_numbers = [SliceHeader(**{**vars(h), "place": 10 - k}) for k, h in enumerate(headers)]
    (found,) = grouped(*reversed_numbers[2:], *reversed_numbers[:2])
    assert found.files == (2, 3, 0, 1)
    assert (found.gap, found.slices, found.repeats) == (5.0, 4, ())


def test_without_positions_the_numbers_order() -> None:
    headers = stack(3, position=None)
    (found,) = grouped(*reversed(headers))
    assert (found.files, found.gap) == ((2, 1, 0), None)


def test_one_uid_may_hold_several_directions_and_echoes() -> None:
    tilted = (1.0, 0.0, 0.0, 0.0, 0.9999, 0.001)
    headers = [
        *stack(3, echo=12.0),
        *stack(2, echo=90.0),
        *stack(2, echo=12.0, orientation=CORONAL),
        *stack(1, echo=12.0, orientation=tilted, position=(0.0, 0.0, 15.0)),
    ]
    found = grouped(*headers)
    assert [one.files for one in found] == [(0, 1, 2, 7), (3, 4), (5, 6)]
    assert [one.plane for one in found] == ["axial", "axial", "coronal"]


def test_of_pictures_at_one_place_the_first_is_looked_at() -> None:
    (found,) = grouped(*stack(3), *stack(3, place=50), *stack(3, place=20))
    assert found.files == (0, 1, 2)
    assert found.repeats == (6, 3, 7, 4, 8, 5)
    assert found.gap == 5.0


def test_series_come_by_study_and_number() -> None:
    found = grouped(
        *stack(1, series="1.9", number=3),
        *stack(1, series="1.8"),
        *stack(1, series="1.7", number=1),
    )
    assert [one.header.series for one in found] == ["1.7", "1.9", "1.8"]


def test_a_file_without_a_series_or_with_frames_is_one_by_itself() -> None:
    found = grouped(*stack(2, series=""), *stack(1, frames=30), *stack(2))
    assert [one.files for one in found] == [(0,), (1,), (2,), (3, 4)]
    assert [one.slices for one in found] == [1, 1, 30, 2]


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        (AXIAL, "axial"),
        (CORONAL, "coronal"),
        (SAGITTAL, "sagittal"),
        ((1.0, 0.0, 0.0, 0.0, 0.94, 0.34), "axial"),  # tilted by 20 degrees
        ((1.0, 0.0, 0.0, 0.0, 0.707, 0.707), "oblique"),
        (None, None),
        ((0.0,) * 6, None),
    ],
)
def test_the_plane_is_that_of_the_normal(
    orientation: tuple[float, ...] | None, plane: str | None
) -> None:
    assert one(orientation=orientation).plane == plane


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({}, None),
        ({"modality": ""}, None),
        ({"modality": "CT"}, "modality"),
        ({"body_part": "KNEE"}, "body-part"),
        ({"body_part": "CRÁNEO"}, None),
        ({"body_part": "Head_Neck"}, None),
        ({"storage": SecondaryCaptureImageStorage}, "secondary-capture"),
        ({"storage": f"{SecondaryCaptureImageStorage}.4"}, "secondary-capture"),
        ({"storage": MRImageStorage}, None),
        ({"kind": ("DERIVED", "SECONDARY", "SCREEN SAVE")}, "secondary-capture"),
        ({"kind": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer"),
        ({"description": "3-plane scout"}, "localizer"),
        ({"description": "Localizador"}, "localizer"),
        ({"description": "AX LOC"}, "localizer"),
        ({"description": "velocity"}, None),
        ({"kind": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")}, "map"),
        ({"kind": ("ORIGINAL", "PRIMARY", "P", "ND")}, "map"),
        ({"kind": ("DERIVED", "SECONDARY", "OTHER")}, None),
    ],
)
def test_what_is_no_brain_mri_is_named(about: dict[str, Any], why: str | None) -> None:
    assert one(**about).unfit == why


def test_t1_after_a_contrast_agent_is_chosen() -> None:
    series = grouped(
        *stack(30, series="1.1", number=1, description="AX T2"),
        *stack(12, series="1.2", number=2, description="SAG T1 +C", orientation=SAGITTAL),
        *stack(40, series="1.3", number=3, description="AX FLAIR"),
    )
    found = choose(series)
    assert found is not None
    assert found.number == 1
    assert found.why == (
        "It is T1 after a contrast agent, which the network reads best: 12 slices."
    )


def test_among_equals_axial_comes_first_then_more_slices() -> None:
    series = grouped(
        *stack(50, series="1.1", number=1, description="COR T1 GD", orientation=CORONAL),
        *stack(20, series="1.2", number=2, description="AX T1 GD"),
        *stack(24, series="1.3", number=3, description="AX T1 GD"),
    )
    found = choose(series)
    assert found is not None
    assert found.number == 2


def test_enough_slices_count_before_the_contrast() -> None:
    series = grouped(
        *stack(3, series="1.1", number=1, description="AX T1 GD"),
        *stack(20, series="1.2", number=2, description="AX FLAIR"),
        *stack(22, series="1.3", number=3, description="AX T2"),
    )
    found = choose(series)
    assert found is not None
    assert found.number == 1
    assert found.why == (
        "No series is T1 after a contrast agent that has 10 slices or more; this one suits best: "
        "FLAIR, 20 slices."
    )


def test_what_is_no_brain_mri_is_not_chosen() -> None:
    other = stack(30, series="1.1", number=1, modality="CT")
    assert choose(grouped(*other)) is None
    found = choose(grouped(*other, *stack(2, series="1.2", number=2)))
    assert found is not None
    assert found.number == 1
    assert (
        found.why
        == "It is the only series that is a brain MRI as far as its header tells: 2 slices."
    )
