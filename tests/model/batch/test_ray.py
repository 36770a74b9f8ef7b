"""`python -m model classify --ray` on a real cluster of several nodes, on one machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray.cluster_utils
from PIL import Image

from model.batch.command import Batch, classify_to_file
from model.batch.tables import read_rows
from model.inference.classifier import DEFAULT_MODEL_PATH
from tests.patience import LONGEST_WAIT

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "data" / "samples"
IMAGES = 900
NODE = {  # without what the test does not need: each process takes seconds to start
    "num_cpus": 1, "object_store_memory": 100 * 2**20, "include_dashboard": False,
    "no_monitor": True, "include_log_monitor": False,
}  # fmt: skip
PATIENCE = {  # Ray's own limits, past which a busy machine's processes pass for dead
    "RAY_agent_register_timeout_ms": "600000", "RAY_worker_register_timeout_seconds": "600",
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Phantoms under many names, no two files alike, and one that is no image."""
    folder = tmp_path / "images"
    folder.mkdir()
    phantoms = [Image.open(path).convert("L") for path in sorted(SAMPLES.glob("*.png"))]
    for number in range(IMAGES):
        picture = phantoms[number % len(phantoms)].copy()
        picture.putpixel((0, 0), number // len(phantoms))
        picture.save(folder / f"{number:04d}.png", compress_level=1)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The head of a cluster, with a core of its own."""
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    # Starting a node waits 30 seconds for its agents. Compiling their modules can take a busy
    # machine longer, so that is done before.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    agents = "import ray.dashboard.agent, ray._private.runtime_env.agent.main"
    subprocess.run([sys.executable, "-c", agents], check=True)
    made = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=NODE)
    try:
        yield made
    finally:
        made.shutdown()


def working_actor(node: Any, ready: dict[int, float]) -> psutil.Process | None:
    """A process of the node that has classified for a while.

    Args:
        node: The node.
        ready: Seconds of processor time at which each process was first seen ready, by its number.
    """
    (raylet,) = node.all_processes["raylet"]
    for process in psutil.Process(raylet.process.pid).children(recursive=True):
        try:
            name = " ".join(process.cmdline())
            loaded = "MapBatches(Actor)" in name and "__init__" not in name
            if not loaded:
                continue
            seconds = process.cpu_times().user
            if seconds > ready.setdefault(process.pid, seconds) + 0.3:
                return process
        except psutil.Error:
            continue  # it has just ended
    return None


def test_no_row_is_lost_or_doubled_when_a_node_is_killed(
    cluster: Any, images: Path, tmp_path: Path
) -> None:
    lost, ready = cluster.add_node(**NODE), dict[int, float]()
    end = time.monotonic() + 3 * LONGEST_WAIT
    out = tmp_path / "predictions"
    command = ("classify", images, "--out", out, "--ray", cluster.address, "--workers", "2")
    with subprocess.Popen(
        [sys.executable, "-m", "model", *map(str, command)],
        cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True,
    ) as job:  # fmt: skip
        while working_actor(lost, ready) is None:
            assert job.poll() is None, f"ended before a node was killed: {job.communicate()[1]}"
            assert time.monotonic() < end, "no actor worked on the node that is to be killed"
            time.sleep(0.05)
        cluster.remove_node(lost, allow_graceful=False)
        assert job.poll() is None
        try:
            _, said = job.communicate(timeout=max(1.0, end - time.monotonic()))
        finally:
            job.kill()
    assert job.returncode == 0, said
    assert said.splitlines()[-1] == f"{IMAGES + 1:,} files, {IMAGES + 1:,} rows, 1 not readable"

    local = tmp_path / "local.parquet"
    classify_to_file(Batch([str(images)], DEFAULT_MODEL_PATH), local)
    assert in_order(out) == in_order(local)
    assert (tmp_path / "predictions.html").exists()
    assert not (tmp_path / "predictions.parts").exists()


def in_order(out: Path) -> list[str]:
    """Every row of an output in full, sorted; `repr` tells floats apart to the last bit."""
    return sorted(map(repr, read_rows(out)))
