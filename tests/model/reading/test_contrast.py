"""The contrast of a slice, as its header tells it."""

from __future__ import annotations

from typing import Any

import pytest

from model.reading.contrast import contrast_of
from model.reading.slice_header import SliceHeader


@pytest.mark.parametrize(
    ("about", "name", "source"),
    [
        ({"description": "AX T1 FSE"}, "t1", "description"),
        ({"description": "AX T1 +C"}, "t1c", "description"),
        ({"description": "T1W_3D_TFE_GD"}, "t1c", "description"),
        ({"description": "t1_mprage_sag_post"}, "t1c", "description"),
        ({"description": "COR T1 con contraste"}, "t1c", "description"),
        ({"description": "AX T1 sin contraste", "agent": "GADOVIST"}, "t1", "description"),
        ({"description": "AX T1 PRE"}, "t1", "description"),
        ({"description": "AX T1", "protocol": "BRAIN W WO CONTRAST"}, "t1", "description"),
        ({"description": "AX T1", "agent": "Dotarem"}, "t1c", "description"),
        ({"description": "AX T1", "agent": "NONE"}, "t1", "description"),
        ({"description": "SAG T1 FLAIR"}, "t1", "description"),
        ({"description": "AX T2 FLAIR"}, "flair", "description"),
        ({"description": "t2_tirm_dark-fluid"}, "flair", "description"),
        ({"description": "AX T2 FSE", "agent": "Dotarem"}, "t2", "description"),
        ({"description": "AX T2* GRE"}, "susceptibility", "description"),
        ({"description": "ep2d_diff_b1000", "protocol": "DWI"}, "diffusion", "description"),
        ({"description": "3D TOF MRA"}, "angiography", "description"),
        ({"description": "AX PD"}, "pd", "description"),
        ({"description": "posterior fossa", "protocol": "T1"}, "t1", "description"),
        ({"weighting": "FLUID_ATTENUATED", "description": "T1"}, "flair", "weighting"),
        ({"weighting": "T1", "agent": "Gd"}, "t1c", "weighting"),
        ({"sequence": ("SE",), "repetition": 500.0, "echo": 12.0}, "t1", "times"),
        ({"sequence": ("SE",), "repetition": 500.0, "echo": 12.0, "agent": "Gd"}, "t1c", "times"),
        ({"sequence": ("SE",), "repetition": 4000.0, "echo": 100.0}, "t2", "times"),
        ({"sequence": ("SE",), "repetition": 2500.0, "echo": 20.0}, "pd", "times"),
        (
            {"sequence": ("IR",), "repetition": 9000.0, "echo": 120.0, "inversion": 2500.0},
            "flair",
            "times",
        ),
        (
            {"sequence": ("GR", "IR"), "repetition": 2000.0, "echo": 3.0, "inversion": 900.0},
            "t1",
            "times",
        ),
        ({"sequence": ("GR",), "repetition": 700.0, "echo": 20.0}, "unknown", "none"),
        ({"description": "series 5"}, "unknown", "none"),
    ],
)
def test_the_header_tells_the_contrast(about: dict[str, Any], name: str, source: str) -> None:
    found = contrast_of(SliceHeader(**about))
    assert (found.name, found.source) == (name, source)
