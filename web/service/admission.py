"""A bounded queue for the network: when it is full, the next request is refused at once.

A request takes a place before its body is read and keeps it until it is answered; past MAX_WAITING
places it gets 503 and Retry-After instead. With a place it waits for its turn, once for each file
or slice, first come first served: a volume of 200 slices lets others through between two of them.
A turn is the inference and its heat map, never the reading or decoding of a file. As many have one
at a time as there are cores: the interpreter serves one, the others work on their heat maps.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from werkzeug.exceptions import ServiceUnavailable

from model.reading.open_scan import has_slices

MAX_BYTES = 64 * 2**20
"""Of all bodies held at a time: two of the largest, an eighth of the free host's memory."""
LONGEST_WAIT = 60  # seconds that a client is told to stay away at most
LEARNING = 0.1  # weight of the newest turn in the mean


class Busy(ServiceUnavailable):
    """Too many requests wait for the network: 503, with Retry-After."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"The server is busy with other images. Please try again in {retry_after} s.",
            retry_after=retry_after,
        )


class Admission:
    """A queue of bounded length for one network; safe to share between threads.

    Args:
        limit: Requests that may wait for or use the network at a time.
        width: Turns at a time.
        seconds: What a turn is thought to take until some have been timed.
    """

    def __init__(self, limit: int, width: int = 1, seconds: float = 0.1) -> None:
        self.limit = limit
        self.width = width
        self.refused = 0
        self._places = 0
        self._bytes = 0
        self._mean = seconds
        self._running = 0
        self._queue: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    @property
    def places(self) -> int:
        """Requests that wait for or use the network now."""
        return self._places

    @contextmanager
    def place(self, size: int = 0) -> Iterator[None]:
        """A place for one request; entering never waits.

        Args:
            size: Bytes of its body.

        Raises:
            Busy: All places are taken, or the bodies together are too large.
        """
        self._take(size)
        try:
            yield
        finally:
            with self._lock:
                self._places -= 1
                self._bytes -= size

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The network for one inference; entering waits for those who came before."""
        self._wait()
        started = time.perf_counter()
        try:
            yield
        finally:
            self._pass_on(time.perf_counter() - started)

    def _wait(self) -> None:
        with self._lock:
            if self._running < self.width:  # then nobody waits
                self._running += 1
                return
            ticket = threading.Event()
            self._queue.append(ticket)
        ticket.wait()

    def _take(self, size: int) -> None:
        with self._lock:
            crowded = self._places > 0 and self._bytes + size > MAX_BYTES
            if self._places >= self.limit or crowded:
                self.refused += 1
                raise Busy(self._retry_after())
            self._places += 1
            self._bytes += size

    def _pass_on(self, seconds: float) -> None:
        with self._lock:
            self._mean += LEARNING * (seconds - self._mean)
            if self._queue:
                self._queue.popleft().set()  # the turn goes over
            else:
                self._running -= 1

    def _retry_after(self) -> int:
        """Seconds until those who have a place now are answered, if each has one turn."""
        return min(max(math.ceil(self._places * self._mean / self.width), 1), LONGEST_WAIT)


class Reading:
    """Uploads unpacked in memory at a time: one picture, and one file with slices.

    A file of a few bytes may unpack to 100 MB, and many requests are read at a time; the free host
    has 512 MB. Decoding takes less time than the network does, so nobody waits longer for it. Safe
    to share between threads.
    """

    def __init__(self) -> None:
        self._picture = threading.Lock()
        self._slices = threading.Lock()  # its own: a volume of 200 slices may take a minute

    def turn(self, content: bytes) -> AbstractContextManager[object]:
        """To be held as long as anything unpacked from this file is; entering waits."""
        return self._slices if has_slices(content) else self._picture


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
