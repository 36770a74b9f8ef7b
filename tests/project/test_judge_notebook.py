"""The notebook that judges the network on one's own data runs from start to end on phantoms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data.dataset.division import load_manifest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "judge-your-own-data.ipynb"


@pytest.mark.slow
def test_it_judges_the_phantoms_and_takes_the_leak_apart(tmp_path: Path) -> None:
    out = tmp_path / "run.ipynb"
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute"]
    result = subprocess.run(
        [*command, "--output", str(out), str(NOTEBOOK)],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path), "IPYTHONDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    cells = json.loads(out.read_text(encoding="utf-8"))["cells"]
    text = "".join(
        line
        for cell in cells
        for output in cell.get("outputs", ())
        if output.get("name") == "stdout"
        for line in output["text"]
    )
    assert "The gallery's phantoms" in text
    assert "40 pictures, 0 not readable\n0 are copies of training images" in text
    unseen = len(load_manifest().unseen())
    assert f"with a copy in Training {1311 - unseen:5} of {1311 - unseen:5} = 100.0%" in text


def test_the_committed_notebook_holds_no_picture() -> None:
    assert "image/" not in NOTEBOOK.read_text(encoding="utf-8")
