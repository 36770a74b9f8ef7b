"""Coverage-guided fuzzing of what decodes uploads, with atheris (libFuzzer).

`python -m benchmarks.service.fuzz --minutes 30` starts from a small file of every format, changes
them by what code they reach in this project's decoding modules and the Python of pydicom, nibabel,
Pillow and pi-heif, and writes `benchmarks/reports/fuzz.json`. Failures are: anything but a prepared
slice or an `ImageError` of a known kind, an input that takes longer than 5 s, and more than 2 GB of
memory. Reproducers are kept in the corpus folder. Its packages: `benchmarks/fuzz-requirements.txt`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import REPORTS, ROOT, write_report
from model.system import describe_machine

REPORT = REPORTS / "fuzz.json"
SLOWEST_SECONDS = 5
MEMORY_MEGABYTES = 2048
MAX_BYTES = 4096
INSTRUMENTED = ("model", "pydicom", "nibabel", "PIL", "pi_heif")
_RESTARTS = 50


def main() -> None:
    """Fuzzes for as long as asked, writes the report, and exits with 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--corpus", type=Path, help="folder to start from and add to")
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--worker", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker is not None:
        work(options.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        corpus = options.corpus or Path(folder)
        report = fuzz(options.minutes, corpus)
    write_report(options.report, report)
    print(json.dumps(report, indent=2))
    if report["failures"]:
        sys.exit(1)


def work(arguments: list[str]) -> None:
    """One run of libFuzzer in this process; it ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from benchmarks.service.decoding import read_or_refuse

    def target(content: bytes) -> None:
        read_or_refuse(content)

    atheris.Setup([sys.argv[0], *arguments], target)
    atheris.Fuzz()


def fuzz(minutes: float, corpus: Path) -> dict[str, Any]:
    """Runs libFuzzer until the time is over, again after each failure.

    Args:
        minutes: How long in all.
        corpus: Folder of inputs; those of every format are added to it, and what is found.

    Returns:
        The report.
    """
    corpus.mkdir(parents=True, exist_ok=True)
    inputs, failed = corpus / "inputs", corpus / "failed"
    for folder in (inputs, failed):
        folder.mkdir(exist_ok=True)
    _write_seeds(inputs)
    started = time.monotonic()
    total = {"executions": 0, "slowest_seconds": 0, "peak_megabytes": 0, "coverage": 0}
    failures: list[dict[str, str]] = []
    while (left := minutes * 60 - (time.monotonic() - started)) > 1 and len(failures) < _RESTARTS:
        status, log = _run(inputs, failed, int(left) + 1)
        for name, value in _figures(log).items():
            total[name] = total[name] + value if name == "executions" else max(total[name], value)
        if status == 0:
            break
        failures.append(_failure(log))
    seconds = time.monotonic() - started  # with the time that starting takes, and instrumenting
    return {
        "command": f"python -m benchmarks.service.fuzz --minutes {minutes:g}",
        "machine": describe_machine(),
        "minutes": round(seconds / 60, 2),
        **total,
        "executions_per_second": round(total["executions"] / seconds, 1),
        "corpus_files": sum(1 for _ in inputs.iterdir()),
        "instrumented": list(INSTRUMENTED),
        "limits": {"seconds": SLOWEST_SECONDS, "megabytes": MEMORY_MEGABYTES, "bytes": MAX_BYTES},
        "failures": failures,
    }


def _write_seeds(inputs: Path) -> None:
    from benchmarks.service.decoding import seeds

    for name, content in seeds().items():
        (inputs / f"seed-{name}").write_bytes(content)


def _run(inputs: Path, failed: Path, seconds: int) -> tuple[int, str]:
    arguments = [
        str(inputs), f"-max_total_time={seconds}", f"-timeout={SLOWEST_SECONDS}",
        f"-rss_limit_mb={MEMORY_MEGABYTES}", f"-max_len={MAX_BYTES}", "-print_final_stats=1",
        f"-artifact_prefix={failed}/", "-report_slow_units=2",
    ]  # fmt: skip
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.service.fuzz", "--worker", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    log = process.stdout.decode("utf-8", "replace")
    if not _figures(log):
        raise RuntimeError(f"libFuzzer did not run: {log[-2000:]}")
    return process.returncode, log


def _figures(log: str) -> dict[str, int]:
    """libFuzzer's figures: those at the end, or the last ones where a failure left them out."""
    found = {
        "executions": re.findall(r"number_of_executed_units: (\d+)|^#(\d+)\s", log, re.MULTILINE),
        "slowest_seconds": re.findall(r"slowest_unit_time_sec: +(\d+)()", log),
        "peak_megabytes": re.findall(r"peak_rss_mb: +(\d+)|rss: (\d+)Mb", log),
        "coverage": re.findall(r"cov: (\d+)()", log),
    }
    return {name: max(int(a or b) for a, b in all_) for name, all_ in found.items() if all_}


def _failure(log: str) -> dict[str, str]:
    """What went wrong: the exception's last line, and the reproducer by its hash."""
    reproducer = re.findall(r"Test unit written to (\S+)", log)
    content = Path(reproducer[-1]).read_bytes() if reproducer else b""
    reasons = re.findall(r"=== Uncaught Python exception: ===\n(.+)|ERROR: libFuzzer: (.+)", log)
    return {
        "what": (reasons[0][0] or reasons[0][1])[:300] if reasons else log[-300:],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": str(len(content)),
        "traceback": "\n".join(re.findall(r"^  File .*", log, re.MULTILINE)[-3:]).replace(
            f"{ROOT}/", ""
        ),
    }


if __name__ == "__main__":
    main()
