"""Looks for known vulnerabilities of what is served: ``python -m deploy.audit_packages``.

Runs pip-audit on ``requirements.lock``. It ends well, and says so in capitals, where the advisory
service cannot be reached: a gate without a network must not pretend that it has looked, nor stop
everybody's work. pip-audit itself ends well with all packages "skipped" there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
SECONDS = 300
EXCEPTIONS: dict[str, str] = {}
"""Advisories that do not concern this project, each with the reason why."""
UNREACHABLE = ("ConnectionError", "ServiceError", "Max retries", "timed out", "TimeoutError")


def main() -> int:
    """Returns 0 where nothing is known, or nothing could be asked; 1 otherwise."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes"]
    command += ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    for advisory in EXCEPTIONS:
        command += ["--ignore-vuln", advisory]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return not_audited(f"it did not answer within {SECONDS} s")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if any(sign in done.stderr for sign in UNREACHABLE):
            return not_audited(done.stderr.strip().splitlines()[-1])
        sys.stderr.write(f"error: pip-audit failed:\n{done.stderr}")
        return 1
    return report(packages)


def report(packages: list[dict[str, Any]]) -> int:
    """Says what pip-audit found of each package, and returns the exit status."""
    skipped = [f"{p['name']}: {p['skip_reason']}" for p in packages if "skip_reason" in p]
    if packages and len(skipped) == len(packages):
        return not_audited(f"it knows none of {len(packages)} packages ({skipped[0]})")
    found = [
        f"{p['name']} {p['version']}: {v['id']}, mended in {', '.join(v['fix_versions']) or 'none'}"
        for p in packages
        for v in p.get("vulns", ())
    ]
    for line in found:
        print(f"VULNERABLE {line}")
    for line in skipped:
        print(f"NOT AUDITED {line}")
    for advisory, reason in EXCEPTIONS.items():
        print(f"excepted {advisory}: {reason}")
    print(f"{len(packages) - len(skipped)} packages audited, {len(found)} known vulnerabilities.")
    return 1 if found or skipped or not packages else 0


def not_audited(reason: str) -> int:
    print(f"NOT AUDITED: the advisory service cannot be used from here: {reason}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
