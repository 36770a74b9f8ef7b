"""A control group with hard limits on memory and processor, of version 1 or 2, for one command.

    with limited(megabytes=512, share=0.1) as group:
        subprocess.Popen(group.wrap(["server"]))

Needs the right to make groups: root, or a delegated group. Nothing outside the new group changes,
except that version 2 may have the controllers switched on for the children of an ancestor.
"""

from __future__ import annotations

import contextlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PERIOD = 100_000  # microseconds, as container hosts set it: a tenth of a core is 10 ms of each 100
CONTROLLERS = ("memory", "cpu")
NEEDS = (
    "This needs Linux with the memory and cpu controllers of control groups, version 1 or 2, and "
    "the right to make groups there: run it as root, or in a container with "
    "`--privileged --cgroupns=private`, or under `systemd-run --user --scope -p Delegate=yes`."
)


class ControlGroupError(RuntimeError):
    """No such group can be made; the message says what is needed."""


@dataclass(frozen=True)
class Hierarchies:
    """Where control groups are mounted, and in which groups this process is.

    Attributes:
        mounts: Mount point by controller of version 1; version 2 under "".
        groups: This process's group by controller, such as "/user.slice"; version 2 under "".
    """

    mounts: dict[str, Path]
    groups: dict[str, str]


def parse_hierarchies(mountinfo: str, cgroup: str) -> Hierarchies:
    """Reads `/proc/self/mountinfo` and `/proc/self/cgroup`."""
    mounts: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        place, _, filesystem = line.partition(" - ")
        fields, details = place.split(), filesystem.split()
        if not details or len(fields) < 5:
            continue
        if details[0] == "cgroup2":
            mounts.setdefault("", Path(fields[4]))
        elif details[0] == "cgroup":
            for controller in details[-1].split(","):
                if controller in CONTROLLERS:
                    mounts.setdefault(controller, Path(fields[4]))
    groups: dict[str, str] = {}
    for line in cgroup.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return Hierarchies(mounts, groups)


def read_hierarchies() -> Hierarchies:
    """Those of this process.

    Raises:
        ControlGroupError: There is no /proc.
    """
    try:
        return parse_hierarchies(
            Path("/proc/self/mountinfo").read_text(encoding="utf-8"),
            Path("/proc/self/cgroup").read_text(encoding="utf-8"),
        )
    except OSError as error:
        raise ControlGroupError(f"There are no control groups here ({error}). {NEEDS}") from error


class Group(ABC):
    """A group that limits whatever runs in it."""

    version: int

    @property
    @abstractmethod
    def folders(self) -> list[Path]:
        """The folders that it consists of."""

    @abstractmethod
    def peak_bytes(self) -> int | None:
        """The most memory it ever held, page cache included; None where the kernel cannot say."""

    @abstractmethod
    def used_bytes(self) -> dict[str, int]:
        """What it holds now: "anonymous" memory, which cannot be given back, and page "cache"."""

    @abstractmethod
    def kills(self) -> int:
        """How many of its processes the kernel killed because memory ran out."""

    @abstractmethod
    def throttled_seconds(self) -> float:
        """For how long it was held back from the processor."""

    def wrap(self, command: Sequence[str]) -> list[str]:
        """The command, which enters the group before it becomes itself."""
        enter = 'for f in $GROUP_FILES; do echo $$ > "$f" || exit 125; done; exec "$@"'
        files = " ".join(str(folder / "cgroup.procs") for folder in self.folders)
        return ["/usr/bin/env", f"GROUP_FILES={files}", "/bin/sh", "-c", enter, "sh", *command]

    def pids(self) -> list[int]:
        """The processes in it."""
        return [int(pid) for pid in (self.folders[0] / "cgroup.procs").read_text().split()]

    def remove(self) -> None:
        """Removes it, once its processes have ended."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.1)
                else:
                    break


class GroupV1(Group):
    """Version 1: a folder for each of the two controllers."""

    version = 1

    def __init__(self, memory: Path, cpu: Path) -> None:
        self.memory, self.cpu = memory, cpu

    @property
    def folders(self) -> list[Path]:
        return list(dict.fromkeys((self.memory, self.cpu)))

    def limit(self, size: int, share: float) -> None:
        (self.memory / "memory.limit_in_bytes").write_text(str(size))
        both = self.memory / "memory.memsw.limit_in_bytes"
        if both.exists():  # memory and swap together: as much as memory alone, so none is swap
            both.write_text(str(size))
        else:
            (self.memory / "memory.swappiness").write_text("0")
        (self.cpu / "cpu.cfs_period_us").write_text(str(PERIOD))
        (self.cpu / "cpu.cfs_quota_us").write_text(str(round(PERIOD * share)))

    def peak_bytes(self) -> int | None:
        return int((self.memory / "memory.max_usage_in_bytes").read_text())

    def used_bytes(self) -> dict[str, int]:
        found = _table(self.memory / "memory.stat")
        return {"anonymous": found["total_rss"], "cache": found["total_cache"]}

    def kills(self) -> int:
        return _table(self.memory / "memory.oom_control").get("oom_kill", 0)

    def throttled_seconds(self) -> float:
        return _table(self.cpu / "cpu.stat")["throttled_time"] / 1e9


class GroupV2(Group):
    """Version 2: one folder."""

    version = 2

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def folders(self) -> list[Path]:
        return [self.folder]

    def limit(self, size: int, share: float) -> None:
        (self.folder / "memory.max").write_text(str(size))
        swap = self.folder / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")
        (self.folder / "cpu.max").write_text(f"{round(PERIOD * share)} {PERIOD}")

    def peak_bytes(self) -> int | None:
        peak = self.folder / "memory.peak"  # since Linux 5.19
        return int(peak.read_text()) if peak.exists() else None

    def used_bytes(self) -> dict[str, int]:
        found = _table(self.folder / "memory.stat")
        return {"anonymous": found["anon"], "cache": found["file"]}

    def kills(self) -> int:
        return _table(self.folder / "memory.events")["oom_kill"]

    def throttled_seconds(self) -> float:
        return _table(self.folder / "cpu.stat")["throttled_usec"] / 1e6


def _table(path: Path) -> dict[str, int]:
    """A file of names and numbers."""
    lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {name: int(number) for name, number in lines}


@contextlib.contextmanager
def limited(
    *, megabytes: float, share: float, hierarchies: Hierarchies | None = None
) -> Iterator[Group]:
    """A group limited to `megabytes` (of 10^6 bytes), without swap, and a share of one processor.

    Raises:
        ControlGroupError: It cannot be made.
    """
    found = hierarchies or read_hierarchies()
    name = f"render-host-{os.getpid()}"
    try:
        group = _make_v2(found, name) or _make_v1(found, name)
    except OSError as error:
        raise ControlGroupError(f"No control group could be made ({error}). {NEEDS}") from error
    if group is None:
        raise ControlGroupError(f"The memory and cpu controllers are not mounted. {NEEDS}")
    try:
        try:
            group.limit(round(megabytes * 1e6), share)
        except OSError as error:
            raise ControlGroupError(f"The limits could not be set ({error}). {NEEDS}") from error
        yield group
    finally:
        group.remove()


def _make_v2(found: Hierarchies, name: str) -> GroupV2 | None:
    """In the nearest ancestor whose children may have both controllers; None without version 2."""
    root = found.mounts.get("")
    if root is None or not _has(root / "cgroup.controllers"):
        return None
    own = root / found.groups.get("", "/").lstrip("/")
    refusal: OSError | None = None
    for parent in (own, *own.parents):
        if not parent.is_relative_to(root):
            break
        try:
            if not _has(parent / "cgroup.subtree_control"):
                # refused where the group itself has processes, unless it is the root
                (parent / "cgroup.subtree_control").write_text("+memory +cpu")
            (parent / name).mkdir()
        except OSError as error:
            refusal = error
        else:
            return GroupV2(parent / name)
    raise refusal or OSError(f"{own} is not a group")


def _has(file: Path) -> bool:
    return file.exists() and set(CONTROLLERS) <= set(file.read_text().split())


def _make_v1(found: Hierarchies, name: str) -> GroupV1 | None:
    if not set(CONTROLLERS) <= set(found.mounts):
        return None
    folders = []
    for controller in CONTROLLERS:
        mount = found.mounts[controller]
        own = mount / found.groups.get(controller, "/").lstrip("/")
        folder = (own if own.is_dir() else mount) / name  # a container sees its own group as root
        folder.mkdir(exist_ok=True)
        folders.append(folder)
    return GroupV1(*folders)
