"""The river of leads is drawn to scale, in both postures."""

from __future__ import annotations

import re

import pytest

from app.web import river

POSTURES = pytest.mark.parametrize("lying", [True, False])


@POSTURES
def test_each_stage_is_as_wide_as_its_leads_are_many(lying: bool) -> None:
    nodes = river.flow(lying).nodes
    widths = [node.height if lying else node.width for node in nodes]

    assert [round(width / widths[0], 3) for width in widths] == [
        round(count / river.STAGES[0][1], 3) for _, count in river.STAGES
    ]


@POSTURES
def test_the_thread_passes_through_every_stage(lying: bool) -> None:
    drawn = river.flow(lying)

    for node, (x, y) in zip(drawn.nodes, drawn.knots[1:-1], strict=True):
        assert node.x <= x <= node.x + node.width
        assert node.y <= y <= node.y + node.height


@POSTURES
def test_a_drawing_holds_one_source_a_label_and_two_ways_out_of_each_stage_but_the_last(lying: bool) -> None:
    drawn = river.flow(lying)

    assert [label.name for label in drawn.sources] == [name for name, _ in river.SOURCES]
    assert [band.tone for band in drawn.bands if not band.solid] == [2, 0, 3, 0, 4, 0]


@POSTURES
def test_every_path_is_made_of_plain_numbers(lying: bool) -> None:
    drawn = river.flow(lying)

    for path in [drawn.thread, *(band.path for band in drawn.bands)]:
        assert re.fullmatch(r"M(-?\d+(\.\d)?|[ MLHVCZ])+", path)


def test_a_funnel_narrows_and_says_the_rate_of_each_stage() -> None:
    segments = river.funnel([200, 100, 25])

    assert [segment.rate for segment in segments] == [None, 50.0, 25.0]
