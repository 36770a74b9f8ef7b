"""Requests to a running server and what came of them: one at a time, by clients, or at a rate.

Every answer is compared with what it should be. A 503 with Retry-After is counted apart: the
server said it was busy, as it should past its queue.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

TIMEOUT = 120.0
CLIENTS = 64  # that an open loop has at most
BUSY = 503
Check = Callable[[bytes], str | None]
"""Says what is wrong with a body, or None."""


@dataclass(frozen=True)
class Ask:
    """A request, and what its answer should be.

    Attributes:
        kind: What it is counted under.
        statuses: Those that are right.
        check: Looks at the body of an answer with such a status.
    """

    kind: str
    path: str
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    statuses: tuple[int, ...] = (200,)
    check: Check | None = None


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Attributes:
        status: Of HTTP; 0 where no answer came.
        seconds: From when it was due to the last byte.
        wrong: What should not be, or None.
        at: When it was due, in seconds of `time.perf_counter`.
    """

    kind: str
    status: int
    seconds: float
    wrong: str | None
    at: float

    @property
    def busy(self) -> bool:
        """The server refused it for the moment, and said when to come again."""
        return self.status == BUSY and self.wrong is None

    @property
    def lost(self) -> bool:
        """No answer came at all."""
        return self.status == 0


def multipart(*files: tuple[str, bytes]) -> tuple[bytes, str]:
    """A form with files, given by name and content: its body and content type."""
    boundary = "----benchmark-7f3a9c"
    parts = [
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in files
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def upload(kind: str, file: tuple[str, bytes], path: str, **more: Any) -> Ask:
    """A POST of one file."""
    body, content_type = multipart(file)
    return Ask(kind, path, "POST", body, content_type, **more)


def send(port: int, ask: Ask, due: float | None = None) -> Answer:
    """Sends a request over a connection of its own and judges the answer."""
    due = time.perf_counter() if due is None else due
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    headers = {"Connection": "close"}
    if ask.content_type:
        headers["Content-Type"] = ask.content_type
    try:
        connection.request(ask.method, ask.path, body=ask.body or None, headers=headers)
        response = connection.getresponse()
        body = response.read()
        again = response.getheader("Retry-After")
    except (OSError, http.client.HTTPException) as error:
        wrong = f"no answer: {type(error).__name__}"
        return Answer(ask.kind, 0, time.perf_counter() - due, wrong, due)
    finally:
        connection.close()
    seconds = time.perf_counter() - due
    return Answer(ask.kind, response.status, seconds, judge(ask, response.status, body, again), due)


def judge(ask: Ask, status: int, body: bytes, again: str | None) -> str | None:
    """What is wrong with an answer, or None."""
    if status == BUSY and BUSY not in ask.statuses:
        return None if again and again.isdigit() else "503 without Retry-After"
    if status not in ask.statuses:
        return f"status {status} instead of {' or '.join(map(str, ask.statuses))}"
    return ask.check(body) if ask.check else None


def is_problem(body: bytes) -> str | None:
    """A check: the body explains in JSON what the matter is."""
    try:
        detail = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError):
        return "no problem document"
    return None if isinstance(detail, str) and len(detail) > 20 else "no explanation"


def by_clients(port: int, asks: Iterable[Ask], clients: int, seconds: float) -> list[Answer]:
    """Answers to `clients` clients; each asks again at once, for `seconds` or to the end."""
    lock, queue = threading.Lock(), iter(asks)
    until = time.perf_counter() + seconds

    def work() -> list[Answer]:
        found = []
        while time.perf_counter() < until:
            with lock:
                ask = next(queue, None)
            if ask is None:
                break
            found.append(send(port, ask))
        return found

    with ThreadPoolExecutor(clients) as pool:
        parts = [pool.submit(work) for _ in range(clients)]
        return list(itertools.chain.from_iterable(part.result() for part in parts))


def at_rate(port: int, asks: Iterator[Ask], rate: float, seconds: float) -> Iterator[Answer]:
    """Sends `rate` requests a second, whether or not earlier ones are answered (an open loop).

    Answers' times count from when the request was due, so that a stall is not forgiven.
    """
    started, number = time.perf_counter(), 0
    pending = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        while (due := started + number / rate) < started + seconds:
            time.sleep(max(0.0, due - time.perf_counter()))
            pending.append(pool.submit(send, port, next(asks), due))
            number += 1
            while pending and pending[0].done():
                yield pending.pop(0).result()
        for one in pending:
            yield one.result()


def milliseconds(values: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile of seconds, in milliseconds."""
    p50, p95 = np.percentile(values, (50, 95)) * 1000
    return {"p50": round(float(p50), 2), "p95": round(float(p95), 2)}


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """Counts and latencies of answers, by kind."""
    kinds: dict[str, list[Answer]] = {}
    for answer in answers:
        kinds.setdefault(answer.kind, []).append(answer)
    return {
        "requests": len(answers),
        "busy": sum(answer.busy for answer in answers),
        "lost": sum(answer.lost for answer in answers),
        "wrong": dict(Counter(f"{a.kind}: {a.wrong}" for a in answers if a.wrong)),
        "kinds": {
            kind: {"requests": len(found), "milliseconds": milliseconds(answered)}
            for kind, found in sorted(kinds.items())
            if (answered := [a.seconds for a in found if not a.busy and not a.lost])
        },
    }
