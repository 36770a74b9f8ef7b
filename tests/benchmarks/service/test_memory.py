"""How fast memory grows, from samples between restarts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.service.load.memory import Sample, slope

PROBLEM = json.dumps({"detail": "`file` must not be empty. Received: 0 bytes"}).encode()


def line(stretch: int, level: float, growth: float, begin: float = 0.0) -> list[Sample]:
    """Samples every 36 seconds for an hour."""
    return [Sample(begin + 36.0 * k, level + growth * k / 100, stretch) for k in range(101)]


def test_slope_has_a_level_for_each_stretch() -> None:
    samples = line(0, 100.0, 2.0) + line(1, 500.0, 2.0, begin=3700.0)
    found = slope(samples, 0.0)
    assert found["megabytes_an_hour"] == 2.0
    assert found["standard_error"] == 0.0
    assert (found["stretches"], found["samples"]) == (2, 202)
    assert (found["lowest_megabytes"], found["highest_megabytes"]) == (100.0, 502.0)


def test_slope_leaves_restarts_out() -> None:
    restart = [Sample(3610.0 + k, 900.0 + 50 * k, 1) for k in range(20)]
    found = slope([*line(0, 100.0, 2.0), *restart, *line(2, 80.0, 2.0, 3640.0)], 0.0)
    assert (found["megabytes_an_hour"], found["stretches"]) == (2.0, 2)
    assert found["highest_megabytes"] == 102.0


def test_slope_agrees_with_textbook_least_squares() -> None:
    noise = np.random.default_rng(0).normal(0, 3, 101)
    samples = [Sample(s.at, s.megabytes + n, 0) for s, n in zip(line(0, 90, 5), noise, strict=True)]
    hours, memory = [s.at / 3600 for s in samples], [s.megabytes for s in samples]
    (expected, _), covariance = np.polyfit(hours, memory, 1, cov=True)
    found = slope(samples, 0.0)
    assert found["megabytes_an_hour"] == pytest.approx(expected, abs=1e-3)
    assert found["standard_error"] == pytest.approx(covariance[0, 0] ** 0.5, abs=1e-3)


def test_slope_leaves_the_warm_up_out_and_needs_samples() -> None:
    rise = [Sample(float(k), 10.0 * min(k, 20), 0) for k in range(101)]
    assert slope(rise, 0.2)["megabytes_an_hour"] == 0.0
    assert slope(rise[:3], 0.0)["megabytes_an_hour"] is None
