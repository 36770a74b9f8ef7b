"""The real app in a process of its own, for `test_upload_memory.py`: its peak, and what it wrote.

Prints its port, serves until standard input ends, then prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod", "shutil.copyfile",
    "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect", "subprocess.Popen", "os.system",
}  # fmt: skip


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        pass


def peak_megabytes() -> float:
    """Of this process alone: `ru_maxrss` would count the one that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    app = create_app({"WARM_UP": "0", "LOG_LEVEL": "ERROR", "RATE_LIMIT": "off"})
    server = make_server("127.0.0.1", 0, app, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    say(str(server.port))
    sys.stdin.readline()  # the first answers are here: what is imported late is imported
    start, written = peak_megabytes(), []

    def watch(event: str, details: tuple[Any, ...]) -> None:
        if event in CHANGES:
            written.append(f"{event} {details[0]}")
        elif event == "open":
            path, _, flags = details
            if isinstance(flags, int) and flags & WRITING and path != os.devnull:
                written.append(f"open {path}")

    sys.addaudithook(watch)
    say("watching")
    if sys.stdin.readline() == "prove\n":
        with open(os.devnull + "-not", "w", encoding="ascii"):  # noqa: PTH123 -- noticed
            pass
    server.shutdown()
    thread.join()
    found = {"start": start, "peak": peak_megabytes(), "written": written}
    say(json.dumps(found | {"tensorflow": "tensorflow" in sys.modules}))


if __name__ == "__main__":
    main()
