"""README's tables of speed, memory and endurance, from made-up reports."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.figures import serving_tables
from benchmarks.report import REPORTS, read_report


def cells(markdown: str) -> list[list[str]]:
    """Rows of each table in a text, its line of dashes left out."""
    lines = [line for line in markdown.splitlines() if line]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if set(row) != {"---"}]


def app(times: float) -> dict[str, Any]:
    return {
        "seconds_to_first_prediction": 0.8 * times,
        "resident_megabytes_after_load": 160.0 * times,
        "milliseconds_of_one": {"p50": 12.4 * times},
        "throughput": {"1": {"per_second": 80.25 / times}, "4": {"per_second": 100.0 / times}},
    }


def test_the_apps_stand_side_by_side() -> None:
    report = {"machine": "a machine", "ours": app(1), "same": app(4), "original": app(10)}
    head, *rows = cells(serving_tables.comparison(report))
    assert head[:2] == ["on a machine", "this app"]
    assert rows[0][1:] == ["0.8 s", "3.2 s", "8.0 s"]
    assert rows[1][1:] == ["160 MB", "640 MB", "1,600 MB"]
    assert rows[2][1:] == ["12 ms", "50 ms", "124 ms"]
    assert rows[3] == ["answers a second, 1 client", "80.2", "20.1", "8.0"]
    assert rows[4] == ["answers a second, 4 clients", "100.0", "25.0", "10.0"]


def engine(name: str, milliseconds: float, *, mirrored: bool = True) -> dict[str, Any]:
    def threads(times: float) -> dict[str, Any]:
        return {"milliseconds": {"p50": milliseconds * times}, "resident_megabytes": 70.4}

    return {
        "name": name, "mirrored": mirrored, "threads": {"1": threads(2), "2": threads(1)},
        "same_label_as_keras": 0.975,
    }  # fmt: skip


def test_engines_of_the_served_work_come_fastest_first() -> None:
    shipped = "litert int8, mirrored"
    report = {
        "engines": [
            engine("slow, mirrored", 30), engine("litert int8", 5, mirrored=False),
            engine(shipped, 10.04), engine("fast, mirrored", 9),
        ],
        "conclusion": {"shipped": shipped, "threads": {"1": {}, "2": {}}},
    }  # fmt: skip
    assert cells(serving_tables.engines(report))[0][0] == "engine, precision"
    report["instructions"] = "AVX-512 VNNI, AVX2"
    head, *rows = cells(serving_tables.engines(report))
    assert head[0] == "engine, precision with AVX-512 VNNI, AVX2"
    assert head[1:3] == ["an image, 1 thread", "an image, 2 threads"]
    assert [row[0] for row in rows] == [
        "fast, mirrored",
        f"**{shipped}** (shipped)",
        "slow, mirrored",
    ]
    assert rows[1][1:] == ["20.1 ms", "10.0 ms", "70 MB", "97.5%"]


def endured() -> list[dict[str, Any]]:
    host = {
        "limits": {"megabytes": 512.0, "processor_share": 0.1},
        "seconds_to_first_page": 9.96, "peak_megabytes": 171.2, "seconds_of_first_heat_map": 2.0,
        "seconds_with_heat_map": {"early": [1.2, 2.4], "afterwards": [0.4]},
        "mixed": {"requests": 200, "lost": 0, "busy": 0, "wrong": {}},
    }  # fmt: skip
    soak = {
        "rate_per_second": 79.6, "seconds": 1800.0, "requests": 143_280, "lost": 1, "busy": 2,
        "wrong": {"png: 500": 2, "page: late": 1},
        "restarts": [{"requests": 900, "lost": 0}, {"requests": 950, "lost": 1}],
        "memory": {"highest_megabytes": 170.4, "megabytes_an_hour": 1.26, "standard_error": 0.5},
    }  # fmt: skip
    fuzz = {"executions": 1_500_000, "minutes": 30.2, "failures": [{}], "peak_megabytes": 168}
    return [host, soak, fuzz]


def test_what_went_wrong_is_said() -> None:
    rows = dict(cells(serving_tables.endurance(*endured())))
    assert rows["with 512 MB and 10% of a core"] == ""
    assert rows["first page, from process start (aim 20 s)"] == "10.0 s"
    assert rows["prediction with heat map, slowest (aim 3 s)"] == "2.4 s"
    assert rows["mixed requests, uploads among them"].startswith("200: 0 wrong, 0 lost, 0 turned")
    assert rows["80 requests a second for 30 minutes, good and bad"] == ""
    assert rows["requests"] == "143,280: 3 wrong, 1 lost, 2 turned away"
    assert rows["of these, around two graceful restarts"] == "900 and 950: 1 lost"
    assert rows["memory"] == "170 MB at most, growing by 1.3 ± 0.5 MB an hour"
    reports = endured()
    reports[1]["memory"]["megabytes_an_hour"] = -0.01
    assert "growing by 0.0 ± 0.5 MB" in serving_tables.endurance(*reports)
    assert "1,500,000 inputs in 30 minutes, 1 failures" in rows["fuzzing of what reads uploads"]


def test_a_study_is_shown_with_its_aims() -> None:
    report = {
        "machine": "a machine", "instructions": "AVX2", "slices": 300, "side": 512,
        "archive_megabytes": 61.4, "seconds_to_first_answer": 2.04, "seconds_to_all": 14.96,
        "peak_megabytes": 181.6,
        "aims": {"seconds_to_first_answer": 3.0, "seconds_to_all": 20.0, "peak_megabytes": 256.0},
    }  # fmt: skip
    rows = dict(cells(serving_tables.study(report)))
    assert rows["a zip archive of 300 slices of 512 x 512, 61 MB"] == "on a machine, AVX2"
    assert rows["first answer (aim 3 s)"] == "2.0 s"
    assert rows["all answers (aim 20 s)"] == "15.0 s"
    assert rows["peak memory of the service (aim 256 MB)"] == "182 MB"


@pytest.mark.parametrize("name", ["comparison", "engines", "render_host", "soak", "fuzz"])
def test_the_reports_are_committed_and_name_their_machine(name: str) -> None:
    report = read_report(REPORTS / f"{name}.json")
    assert report["command"].startswith(f"python -m benchmarks.service.{name}")
    assert report["machine"]
