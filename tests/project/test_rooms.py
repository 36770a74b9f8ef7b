"""The rooms of the house: imports go downwards and form no circle (see pyproject.toml)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]


def test_imports_keep_the_contracts() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


def test_every_room_has_its_place() -> None:
    """A new room must be put between others, or nothing would check it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name for layer in layers for name in layer.split(" : ")}
    rooms = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("benchmarks", "data", "model", "web")
        for path in (ROOT / package).iterdir()
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").exists()
    }
    assert placed == rooms


def test_the_drawing_has_the_arrows_of_the_imports() -> None:
    """docs/architecture.md draws each import between rooms, but for those that others imply."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = text.split("```mermaid")[1].split("```")[0]
    arrows = re.findall(r"^ *([\w.]+)(?:\[.*?\])? --> ([\w.]+)", drawing, re.MULTILINE)
    assert with_implied(set(arrows)) == with_implied(room_imports())


def with_implied(arrows: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows, and those that follow from several of them."""
    while more := {(a, d) for a, b in arrows for c, d in arrows if b == c} - arrows:
        arrows = arrows | more
    return arrows


def room_imports() -> set[tuple[str, str]]:
    """Pairs of rooms of which one imports the other, as the drawing names them."""
    graph = grimp.build_graph("data", "model", "web", cache_dir=None)
    left_out = {"model.config", "model.system", "web.settings", "data.staging"}
    pairs = {
        (room(module), room(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(a, b) for a, b in pairs if a != b and not {a, b} & left_out}


def room(module: str) -> str:
    return ".".join(module.split(".")[:2]).replace("__main__", "main")
