"""What reports say of the machine they are from."""

from __future__ import annotations

import pytest

from model import system

CORE = """processor	: {number}
model name	: A Processor
flags		: fpu {flags}
"""


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("avx avx2", "AVX2"),
        ("avx avx2 avx512f avx512_vnni", "AVX-512 VNNI, AVX-512, AVX2"),
        (
            "avx avx2 avx_vnni avx512f avx512_vnni amx_int8",
            "AMX, AVX-512 VNNI, AVX-VNNI, AVX-512, AVX2",
        ),
        ("sse2", "?"),
    ],
)  # fmt: skip
def test_a_processor_is_told_by_its_name_cores_and_instructions(
    flags: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(CORE.format(number=n, flags=flags) for n in range(2)).splitlines()
    monkeypatch.setattr(system, "_processor_lines", lambda: lines)
    monkeypatch.setattr(system.platform, "system", lambda: "Linux")
    assert system.describe_machine() == "A Processor, 2 cores, Linux"
    assert system.describe_instructions() == named


def test_an_arm_processor_and_a_system_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_processor_lines", lambda: ["Features\t: fp asimd asimddp"])
    assert system.describe_instructions() == "NEON dot product, NEON"
    monkeypatch.setattr(system, "_processor_lines", list)
    assert system.describe_instructions() == "?"
    assert ", ? cores, " in system.describe_machine()
