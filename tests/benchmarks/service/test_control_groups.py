"""Control groups of both versions, on folders that look like them; and real ones where allowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.service.load.control_groups import (
    ControlGroupError,
    GroupV1,
    GroupV2,
    Hierarchies,
    limited,
    parse_hierarchies,
)

V1 = """\
29 28 0:24 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
30 29 0:25 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 29 0:29 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
35 29 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
V2 = "31 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def test_hierarchies_of_version_1() -> None:
    found = parse_hierarchies(V1, "4:memory:/box\n1:cpu,cpuacct:/\n0::/\n")
    assert found.mounts["memory"] == Path("/sys/fs/cgroup/memory")
    assert found.mounts["cpu"] == Path("/sys/fs/cgroup/cpu,cpuacct")
    assert found.groups["memory"] == "/box"
    assert found.groups["cpu"] == "/"


def test_hierarchies_of_version_2() -> None:
    found = parse_hierarchies(V2, "0::/user.slice/a:b\n")
    assert found.mounts == {"": Path("/sys/fs/cgroup")}
    assert found.groups == {"": "/user.slice/a:b"}


def test_version_1_sets_both_limits_and_reads_the_kernels_figures(tmp_path: Path) -> None:
    memory, cpu = tmp_path / "memory", tmp_path / "cpu"
    for folder in (memory, cpu):
        folder.mkdir()
    (memory / "memory.memsw.limit_in_bytes").write_text("-1")
    group = GroupV1(memory, cpu)
    group.limit(512_000_000, 0.1)
    assert (memory / "memory.limit_in_bytes").read_text() == "512000000"
    assert (memory / "memory.memsw.limit_in_bytes").read_text() == "512000000"
    assert (cpu / "cpu.cfs_period_us").read_text() == "100000"
    assert (cpu / "cpu.cfs_quota_us").read_text() == "10000"
    (memory / "memory.max_usage_in_bytes").write_text("123\n")
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    (memory / "memory.stat").write_text("cache 1\ntotal_cache 5\ntotal_rss 7\n")
    (cpu / "cpu.stat").write_text("nr_periods 3\nthrottled_time 2500000000\n")
    assert group.peak_bytes() == 123
    assert group.kills() == 2
    assert group.used_bytes() == {"anonymous": 7, "cache": 5}
    assert group.throttled_seconds() == 2.5


def test_version_2_sets_both_limits_and_reads_the_kernels_figures(tmp_path: Path) -> None:
    (tmp_path / "memory.swap.max").write_text("max")
    group = GroupV2(tmp_path)
    group.limit(512_000_000, 0.1)
    assert (tmp_path / "memory.max").read_text() == "512000000"
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    assert (tmp_path / "cpu.max").read_text() == "10000 100000"
    assert group.peak_bytes() is None  # an older kernel
    (tmp_path / "memory.peak").write_text("123\n")
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    (tmp_path / "memory.stat").write_text("anon 7\nfile 5\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1\nthrottled_usec 2500000\n")
    assert group.peak_bytes() == 123
    assert group.kills() == 1
    assert group.used_bytes() == {"anonymous": 7, "cache": 5}
    assert group.throttled_seconds() == 2.5


def test_version_2_goes_where_the_children_may_have_both_controllers(tmp_path: Path) -> None:
    own = tmp_path / "slice" / "scope"
    own.mkdir(parents=True)
    for folder, controllers in ((tmp_path, "cpu io memory"), (own.parent, "memory cpu")):
        (folder / "cgroup.controllers").write_text("cpu io memory\n")
        (folder / "cgroup.subtree_control").write_text(controllers)
    (own / "cgroup.subtree_control").mkdir()  # cannot be written: the scope has processes
    found = Hierarchies({"": tmp_path}, {"": "/slice/scope"})
    with limited(megabytes=1, share=0.5, hierarchies=found) as group:
        assert group.version == 2
        assert group.folders[0].parent == own.parent
        for file in group.folders[0].iterdir():  # a real group's files go with its folder
            file.unlink()
    assert not group.folders[0].exists()


def test_says_what_is_needed_where_there_is_nothing() -> None:
    with (
        pytest.raises(ControlGroupError, match="run it as root"),
        limited(megabytes=1, share=1, hierarchies=Hierarchies({}, {})),
    ):
        pass


def test_a_command_enters_the_group_before_it_becomes_itself(tmp_path: Path) -> None:
    group = GroupV2(tmp_path)
    command = group.wrap([sys.executable, "-c", "import os; print(os.getpid())"])
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "cgroup.procs").read_text() == done.stdout


def test_kernel_kills_what_exceeds_a_real_limit() -> None:
    hungry = "x = bytearray(300_000_000); print(len(x))"
    try:
        with limited(megabytes=64, share=1.0) as group:
            done = subprocess.run(
                group.wrap([sys.executable, "-c", hungry]), capture_output=True, text=True
            )
            assert done.returncode == -9
            assert group.kills() == 1
    except ControlGroupError as error:
        pytest.skip(str(error))
