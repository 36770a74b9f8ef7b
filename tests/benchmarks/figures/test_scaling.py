"""The tables of docs/training.md, from made-up reports."""

from __future__ import annotations

from benchmarks.figures import scaling


def test_augmentation_stands_beside_the_step() -> None:
    report = {
        "machine": "a machine", "backend": "tensorflow", "precision": "float32",
        "step": {"images_a_second": 61.7},
        "augmentation": {
            "thread": {"images_a_second": 493.6, "ratio_to_step": 8.0},
            "2 processes": {"images_a_second": 30.85, "ratio_to_step": 0.5},
        },
    }  # fmt: skip
    assert scaling.pipeline(report).splitlines()[2:] == [
        "| the step alone | 62 images/s |  |",
        "| augmentation, thread | 494 images/s | 8.0 times the step |",
        "| augmentation, 2 processes | 31 images/s | 0.5 times the step |",
    ]


def test_stages_have_their_time_and_memory() -> None:
    stage = {"seconds": 90.0, "processor_seconds": 60.0, "peak_megabytes": 1234.4}
    report = {
        "machine": "a machine", "images": 100_000, "peak_megabytes": 1652.0,
        "stages": dict.fromkeys(("generate", "store", "audit", "training"), stage),
    }  # fmt: skip
    head, _, *rows, last = scaling.size(report).splitlines()
    assert "100,000 images on a machine" in head
    assert rows[0] == "| bringing them into the store | 1.5 min | 1.0 min | 1,234 MB |"
    assert len(rows) == 3
    assert last == "| the most |  |  | 1,652 MB (aim 3,000) |"
