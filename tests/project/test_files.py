"""The files of the repository themselves."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_no_file_of_tests_is_long() -> None:
    lines = {
        path.relative_to(TESTS).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in TESTS.rglob("*.py")
    }
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > 300} == {}
