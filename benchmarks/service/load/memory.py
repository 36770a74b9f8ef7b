"""The memory of a running service: sampled, and whether it grows."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.service.load.start import megabytes, session_members

HOUR = 3600.0
ENOUGH = 5  # samples of a stretch, to say something of it
SHORT = 0.1  # of the longest stretch: what is shorter is a restart, with old and new processes


@dataclass(frozen=True)
class Sample:
    """Resident memory at a time.

    Attributes:
        at: Seconds.
        megabytes: Of all processes.
        stretch: Number of the stretch between restarts: its processes are the same ones.
    """

    at: float
    megabytes: float
    stretch: int


class MemoryWatch:
    """Samples the resident memory of a service's processes until the block ends.

    Attributes:
        samples: Of each; the processes of a stretch are the same ones.
    """

    def __init__(self, session: int, every: float) -> None:
        """Takes the number of the service's session, and seconds between samples."""
        self.samples: list[Sample] = []
        self._session, self._every, self._over = session, every, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def peak(self) -> float:
        """The highest sample, in MB."""
        return max((sample.megabytes for sample in self.samples), default=0.0)

    def _watch(self) -> None:
        stretches: dict[frozenset[int], int] = {}
        while not self._over.wait(self._every):
            members = session_members(self._session)
            total = megabytes(members)
            stretch = stretches.setdefault(frozenset(one.pid for one in members), len(stretches))
            self.samples.append(Sample(time.perf_counter(), total, stretch))

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def settled(samples: Sequence[Sample], share: float) -> list[list[Sample]]:
    """The samples by stretch, each without its first part, in which caches fill.

    Args:
        samples: In order of time.
        share: Of each stretch's time, to leave out.
    """
    stretches: dict[int, list[Sample]] = {}
    for sample in samples:
        stretches.setdefault(sample.stretch, []).append(sample)
    longest = max((some[-1].at - some[0].at for some in stretches.values()), default=0.0)
    found = []
    for some in stretches.values():
        if some[-1].at - some[0].at < SHORT * longest:
            continue
        begin = some[0].at + share * (some[-1].at - some[0].at)
        late = [sample for sample in some if sample.at >= begin]
        if len(late) >= ENOUGH:
            found.append(late)
    return found


def slope(samples: Sequence[Sample], share: float) -> dict[str, float | int | None]:
    """One slope for all stretches, each with a level of its own (least squares).

    The standard error takes the samples for independent; memory moves in steps, so that the real
    uncertainty is larger.

    Returns:
        MB an hour and its standard error, None where there are too few samples; samples,
        stretches, and the lowest and highest of the samples that count.
    """
    stretches = settled(samples, share)
    count = sum(len(some) for some in stretches)
    found: dict[str, float | int | None] = {
        "samples": count, "stretches": len(stretches),
        "megabytes_an_hour": None, "standard_error": None,
        "lowest_megabytes": None, "highest_megabytes": None,
    }  # fmt: skip
    free = count - len(stretches) - 1
    if free < 1:
        return found
    times = np.concatenate([_centred([s.at / HOUR for s in some]) for some in stretches])
    memory = np.concatenate([_centred([s.megabytes for s in some]) for some in stretches])
    spread = float(times @ times)
    growth = float(times @ memory) / spread
    residual = memory - growth * times
    values = [s.megabytes for some in stretches for s in some]
    return found | {
        "megabytes_an_hour": round(growth, 3),
        "standard_error": round(math.sqrt(float(residual @ residual) / free / spread), 3),
        "lowest_megabytes": round(min(values), 1),
        "highest_megabytes": round(max(values), 1),
    }


def _centred(values: Sequence[float]) -> NDArray[np.float64]:
    array: NDArray[np.float64] = np.asarray(values, np.float64)
    return array - np.float64(array.mean())
