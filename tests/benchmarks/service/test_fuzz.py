"""The fuzzing script reads libFuzzer's log right; it runs where atheris is installed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import ROOT
from benchmarks.service.fuzz import _failure, _figures
from tests.patience import LONGEST_WAIT

ENDED = """#2	INITED cov: 901 ft: 1000 corp: 20/9Kb exec/s: 0 rss: 99Mb
#4096	pulse  cov: 950 ft: 1200 corp: 40/9Kb lim: 100 exec/s: 100 rss: 101Mb
Done 5000 runs in 3 second(s)
stat::number_of_executed_units: 5000
stat::slowest_unit_time_sec:    1
stat::peak_rss_mb:              103
"""
CRASHED = """#8	NEW    cov: 11 ft: 1000 corp: 20/9Kb exec/s: 0 rss: 99Mb
 === Uncaught Python exception: ===
KeyError: 'x'
Traceback (most recent call last):
  File "{root}/model/reading/dicom/file.py", line 9, in read
==1== ERROR: libFuzzer: fuzz target exited
Test unit written to {unit}
"""


def test_figures_are_those_of_the_end_or_the_last_ones() -> None:
    assert _figures(ENDED) == {
        "executions": 5000, "slowest_seconds": 1, "peak_megabytes": 103, "coverage": 950,
    }  # fmt: skip
    assert _figures(CRASHED)["executions"] == 8
    assert _figures("no module named atheris") == {}


def test_a_failure_is_named_by_its_reproducer(tmp_path: Path) -> None:
    unit = tmp_path / "crash-1"
    unit.write_bytes(b"bad")
    found = _failure(CRASHED.format(root=ROOT, unit=unit))
    assert found["what"] == "KeyError: 'x'"
    assert found["sha256"] == hashlib.sha256(b"bad").hexdigest()
    assert found["traceback"] == '  File "model/reading/dicom/file.py", line 9, in read'


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="needs atheris: pip install -r benchmarks/fuzz-requirements.txt",
)
def test_a_short_run_reports_what_it_did(tmp_path: Path) -> None:
    report = tmp_path / "fuzz.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.service.fuzz",
        "--minutes",
        "0.1",
        "--report",
        str(report),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=LONGEST_WAIT)
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["failures"] == []
    assert found["executions"] > 20
    assert found["corpus_files"] >= 26
