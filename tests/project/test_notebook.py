"""The notebook runs from start to end on phantoms, and the committed one was run on the dataset."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "tumor-classification-cnn.ipynb"


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def text_of(cells: list[dict[str, Any]]) -> str:
    """Everything the cells printed or showed as text."""
    parts = []
    for cell in cells:
        for output in cell["outputs"]:
            parts += output.get("text", [])
            parts += output.get("data", {}).get("text/plain", [])
    return "".join(parts)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Code cells of the notebook after a run with QUICK=1."""
    out = tmp_path_factory.mktemp("notebook") / "quick.ipynb"
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute"]
    result = subprocess.run(
        [*command, "--output", str(out), str(NOTEBOOK)],
        cwd=ROOT,
        env=os.environ | {"QUICK": "1", "TMPDIR": str(out.parent), "IPYTHONDIR": str(out.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return cells_of(out)


@pytest.mark.slow
def test_the_quick_run_trains_exports_and_evaluates(quick: list[dict[str, Any]]) -> None:
    text = text_of(quick)
    assert "QUICK run on phantoms" in text
    assert "1 epochs, " in text
    assert "def build_cnn(" in text  # the network's own source
    assert "3,763,940 parameters" in text
    # a busy machine's output may come in several pieces; none of it is a warning
    assert {output["name"] for output in quick[-1]["outputs"]} == {"stdout"}


@pytest.mark.slow
def test_the_quick_run_shows_every_figure(quick: list[dict[str, Any]]) -> None:
    drawing = [cell for cell in quick if "plt.tight_layout()" in "".join(cell["source"])]
    pictures = [
        output
        for cell in drawing
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]
    assert len(drawing) == 11
    # The figure of wrong phantoms is drawn only when there are some.
    assert len(pictures) >= 10


def test_the_committed_notebook_was_executed_in_order_on_the_dataset() -> None:
    cells = cells_of(NOTEBOOK)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert "Full run on the real dataset" in text_of(cells[:2])
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]


def test_the_committed_notebook_holds_the_shipped_models_figures() -> None:
    text = text_of(cells_of(NOTEBOOK))
    artifacts = ROOT / "model" / "artifacts"
    test = json.loads((artifacts / "evaluation.json").read_text(encoding="utf-8"))["files"][
        "litert"
    ]["test"]
    assert f"{test['images'] - test['correct']} of {test['images']} wrong" in text


def test_the_committed_notebook_is_small_and_holds_no_path_of_a_machine() -> None:
    assert NOTEBOOK.stat().st_size < 3_000_000
    # without the pictures, in whose base64 any four letters may stand after a slash
    source = re.sub(r'"image/png": "[^"]*"', "", NOTEBOOK.read_text(encoding="utf-8"))
    assert not re.search(r"(/home|/root|/tmp|/work|/Users|[A-Z]:\\\\)[/\w]", source)
