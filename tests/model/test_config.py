"""Settings of a run: what is refused, and what an epoch's augmentation is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from model.config import TrainingConfig


def test_the_last_cycle_is_calmer_and_a_single_one_is_not() -> None:
    config = TrainingConfig(epochs=10, restarts=(0.4, 0.8), calm=0.5)
    assert config.augmentation_at(7) == config.augmentation
    calm = config.augmentation_at(8)
    assert calm.frame == config.augmentation.frame / 2
    assert calm.elastic == config.augmentation.elastic / 2
    assert calm.rotation_range == config.augmentation.rotation_range
    assert calm.horizontal_flip is True
    single = TrainingConfig(epochs=1)
    assert single.cycles == (1,)
    assert single.augmentation_at(0) == single.augmentation


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1. Received: 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1. Received: 0"),
        ({"phantoms_per_class": 0}, "`phantoms_per_class` must be at least 1. Received: 0"),
        ({"graft_controls": 1.5}, "`graft_controls` must be in [0, 1]. Received: 1.5"),
        ({"calm": 1.5}, "`calm` must be in [0, 1]. Received: 1.5"),
        ({"restarts": (0.5, 0.5)}, "`restarts` must rise, in (0, 1). Received: (0.5, 0.5)"),
        ({"restarts": (1.0,)}, "`restarts` must rise, in (0, 1). Received: (1.0,)"),
        ({"ramp": -0.1}, "`ramp` must be in [0, 1]. Received: -0.1"),
        ({"graft_share": 0.6}, "together below 1. Received: 0.26, 0.6, 0.18"),
        ({"paint_out_share": 0.7, "control_share": 0.4}, "together at most 1. Received: 0.7 and"),
        ({"control_share": -0.1}, "must be at least 0 and together at most 1. Received: 0.14 and"),
        ({"phantom_share": -0.1}, "must be at least 0 and together below 1. Received: 0.26, 0.14,"),
        ({"precision": "float16"}, "auto, float32, mixed_bfloat16. Received: 'float16'"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        TrainingConfig(**changes)


def test_the_settings_survive_json() -> None:
    settings = TrainingConfig().as_dict()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["epochs"] == TrainingConfig().epochs
    assert settings["architecture"]["filters"] == [128] * 4 + [256] * 4
    assert settings["architecture"]["lesion_layer"] == 6
    assert settings["augmentation"]["brightness_range"] == [0.8, 1.2]
