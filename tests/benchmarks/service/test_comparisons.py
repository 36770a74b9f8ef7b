"""Apps and engines are compared by ratios, and with the best that does the same work."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from benchmarks.service.comparison import measure as comparison
from benchmarks.service.engines import measure as engines

PROBLEM = json.dumps({"detail": "`file` must not be empty. Received: 0 bytes"}).encode()


def served(per_second: float, memory: float, first: float, p50: float) -> dict[str, Any]:
    return {
        "seconds_to_first_answer": first, "seconds_to_first_prediction": first,
        "resident_megabytes_after_load": memory, "milliseconds_of_one": {"p50": p50},
        "throughput": {"1": {"per_second": per_second}, "4": {"per_second": 2 * per_second}},
    }  # fmt: skip


def test_comparisons_say_how_many_times_better() -> None:
    found = {
        "ours": served(100, 150, 1, 15), "same": served(20, 600, 4, 60),
        "original": served(4, 900, 5, 300),
    }  # fmt: skip
    found["original"]["throughput"]["4"]["per_second"] = 10
    better = comparison.ratios(found, bare=10.0)
    times = better["ours_better_than"]
    assert times["same"]["throughput"] == {"1": 5.0, "4": 5.0}
    assert times["original"]["throughput"] == {"1": 25.0, "4": 20.0}
    assert times["original"]["memory_after_load"] == 6.0
    assert better["request_in_bare_inferences"] == 1.5
    assert comparison.against_bars(better) == {
        "throughput_times_the_original": False,  # with four clients
        "memory_times_less_than_the_original": True,
        "first_prediction_times_sooner_than_the_original": True,
        "request_in_bare_inferences": True,
    }


def test_rounds_are_summed_up_by_medians_at_any_depth() -> None:
    rounds = [{"a": {"b": value}, "c": 2 * value} for value in (3, 1, 2)]
    assert comparison.median(rounds) == {"a": {"b": 2}, "c": 4}


def row(engine: str, precision: str, mirrored: bool, one: float, two: float) -> dict[str, Any]:
    threads = {"1": {"milliseconds": {"p50": one}}, "2": {"milliseconds": {"p50": two}}}
    return {
        "name": f"{engine} {precision}", "engine": engine, "precision": precision,
        "mirrored": mirrored, "threads": threads,
    }  # fmt: skip


def test_engines_are_compared_with_the_best_that_does_the_same_work() -> None:
    rows = [
        row("litert", "dynamic", True, 20, 12), row("litert", "dynamic", False, 10, 6),
        row("openvino", "int8", True, 8, 8), row("litert", "int8", False, 4, 3),
        row("keras", "fp32", True, 1, 1),
    ]  # fmt: skip
    found = engines.conclude(rows, "dynamic", True)
    assert found["threads"]["1"]["times_the_best"] == 2.5
    assert found["threads"]["1"]["within_the_bar"] is False
    assert found["threads"]["2"]["best"] == "openvino int8"
    assert found["threads"]["2"]["within_the_bar"] is True


def test_engines_answers_are_compared_with_keras() -> None:
    expected = np.eye(4)[[0, 1, 2]].astype(np.float32)
    found = expected.copy()
    found[1] = (0.0, 0.25, 0.75, 0.0)
    result = engines.compare(found, expected, np.array([0, 2]))
    assert result["largest_difference_from_keras"] == 0.75
    assert result["same_label_as_keras"] == round(2 / 3, 5)
    assert result["test_accuracy"] == 1.0
    assert "test_accuracy" not in engines.compare(found, expected, np.empty(0))
