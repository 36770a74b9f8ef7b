"""Geometry of the model card's drawings."""

from __future__ import annotations

import json

import pytest

from model.config import ARTIFACTS, PARAMETER_COUNT
from web.model_card.charts import Frame, diagram, line_chart, reliability, ticks
from web.model_card.figures import layer


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.14, 0.25, (0.1, 0.15, 0.2, 0.25)),
        (0.0, 1.0, (0.0, 0.5, 1.0)),
        (3.0, 3.0, (2.5, 3.0, 3.5)),
    ],
)
def test_ticks_are_round_and_reach_over_the_values(
    low: float, high: float, wanted: tuple[float, ...]
) -> None:
    assert ticks(low, high) == pytest.approx(wanted)


def test_curves_stay_in_their_frame() -> None:
    frame = Frame(100, 50, 10, 5, 90, 45)
    chart = line_chart([1, 2, 3], {"loss": [0.0, 0.5, 1.0]}, frame)
    assert chart.lines[0].dots == ((10.0, 45.0), (50.0, 25.0), (90.0, 5.0))
    assert chart.lines[0].points == "10.0,45.0 50.0,25.0 90.0,5.0"
    assert line_chart([4], {"loss": [0.5]}, frame).lines[0].dots == ((10.0, 25.0),)


def test_names_of_curves_that_end_together_do_not_cover_each_other() -> None:
    frame = Frame(100, 110, 10, 5, 90, 105)
    near = line_chart([1, 2], {"a": [0.0, 0.5], "b": [1.0, 0.52]}, frame)
    assert [line.end for line in near.lines] == [(90.0, 61.0), (90.0, 47.0)]
    assert [line.dots[-1] for line in near.lines] == [(90.0, 55.0), (90.0, 53.0)]
    far = line_chart([1, 2], {"a": [0.0, 0.2], "b": [1.0, 0.6]}, frame)
    assert [line.end for line in far.lines] == [line.dots[-1] for line in far.lines]


def test_a_calibrated_bin_is_on_the_diagonal() -> None:
    frame = Frame(100, 100, 0, 0, 100, 100)
    drawn = reliability([(4, 0.5, 0.5), (1, 1.0, 0.8)], frame, 0.0)
    assert [(dot.x, dot.y, dot.ideal) for dot in drawn.dots] == [(50, 50, 50), (100, 20, 0)]
    assert drawn.dots[0].radius > drawn.dots[1].radius
    assert drawn.diagonal == ((0, 100), (100, 0))


def test_the_diagram_draws_every_parameter_once_and_nothing_overlaps() -> None:
    metadata = json.loads((ARTIFACTS / "metadata.json").read_text(encoding="utf-8"))
    drawn = diagram([layer(row) for row in metadata["layers"]])
    assert sum(stage.parameters for stage in drawn.stages) == PARAMETER_COUNT
    ends = 0.0
    for stage in drawn.stages:
        assert stage.films[-1][0] > ends
        ends = stage.films[0][0] + stage.size[0]
    assert ends < drawn.width
