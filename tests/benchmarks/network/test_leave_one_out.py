"""Leave one collection out: what is left out, what is measured, and a run on tiny settings."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.figures.style_tables import NOT_YET, leave_one_out
from benchmarks.network import leave_one_out as command
from data.dataset.collections import Collections
from tests.data.audit.test_audit import heads

NAMES = (
    "lgg-flair/glioma/01-a.png", "lgg-t1c/notumor/01-b.png", "web/tumor/01.png",
    "web/tumor/02.png", "oasis-t1/notumor/07.png",
)  # fmt: skip


@pytest.fixture
def every() -> Collections:
    return Collections(
        heads(5, seed=51), np.array([0, 2, 4, 4, 2]), np.zeros((5, 224, 224), np.uint8),
        np.ones(5, dtype=bool), NAMES, "",
    )  # fmt: skip


def test_a_family_is_left_out_whole(every: Collections) -> None:
    others, left_out = command.without(every, "lgg")
    assert others.names == NAMES[2:]
    assert left_out.names == NAMES[:2]
    with pytest.raises(ValueError, match=r"among lgg, oasis, web, .*Received: brats"):
        command.without(every, "brats")
    with pytest.raises(ValueError, match=r"two at least\. Received: web"):
        command.without(others.take(np.array([0, 1])), "web")


def test_tumors_and_healthy_heads_are_counted_apart(every: Collections) -> None:
    found = command.figures(every, np.array([0.2, 0.8, 0.95, 0.6, 0.4]))
    assert found["tumors"]["images"] == 3
    assert (found["tumors"]["right"], found["healthy"]["right"]) == (1, 1)
    assert found["tumors"]["share"] == pytest.approx(1 / 3)
    assert found["healthy"]["interval_95"] == pytest.approx([0.0945, 0.9055], abs=1e-4)
    assert found["missed_with_certainty"] == pytest.approx(1 / 3)
    assert found["auroc"] == pytest.approx(3 / 6)
    tumors = command.figures(every.take(np.array([2, 3])), np.array([0.1, 0.2]))
    assert tumors["healthy"] is None
    assert tumors["auroc"] is None
    assert json.loads(json.dumps(tumors)) == tumors


def test_runs_without_a_family_are_measured_on_it(
    every: Collections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop, with the training itself taken out: which pictures it sees, and what is kept."""
    for name, image in zip(NAMES, every.images, strict=True):
        (tmp_path / "other" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(tmp_path / "other" / name)
    seen: list[tuple[str, ...]] = []

    def train(
        config: Any, training: Any, validation: Any, out: Path, *, collections: Any, **_: Any
    ) -> Any:
        assert config.epochs == 2
        seen.append((out.name, *collections.names))
        return argparse.Namespace(model="model")

    def predict(model: Any, images: np.ndarray) -> np.ndarray:
        return np.tile([0.3, 0.3, 0.3, 0.1], (len(images), 1))

    parts = argparse.Namespace(training="training", validation=None)
    for name, stand_in in (
        ("train", train), ("predict_in_batches", predict), ("load_parts", lambda *_: parts),
    ):  # fmt: skip
        monkeypatch.setattr(command, name, stand_in)
    report = tmp_path / "report.json"
    arguments = ["--data", "data", "--also", str(tmp_path / "other"), "--report", str(report)]
    arguments += ["--out", str(tmp_path), "--epochs", "2"]
    assert command.main([*arguments, "--families", "oasis"]) == 0
    assert command.main([*arguments, "--families", "lgg", "web"]) == 0
    assert [run[0] for run in seen] == ["without-oasis", "without-lgg", "without-web"]
    assert not any(name.startswith("web/") for name in seen[2][1:])
    content = json.loads(report.read_text(encoding="utf-8"))
    assert list(content["families"]) == ["oasis", "lgg", "web"]
    lgg = content["families"]["lgg"]
    assert (lgg["collections"], lgg["people"]) == (["lgg-flair", "lgg-t1c"], 1)
    assert lgg["tumors"]["share"] == 1.0
    assert lgg["healthy"]["share"] == 0.0

    shown = leave_one_out(content)
    assert "| lgg | lgg-flair, lgg-t1c | 1 | 100.0% of 1 | 0.0% of 1 | 0.0% | 0.500 |" in shown
    assert "| web | web | 2 | 100.0% of 2 | none | 0.0% | none |" in shown
    assert leave_one_out(None) == NOT_YET


def test_figures_of_other_lengths_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"epochs": 3, "families": {"web": {}}}), encoding="utf-8")
    assert command._begun(path, 3)["families"] == {"web": {}}
    assert command._begun(path, 4)["families"] == {}
