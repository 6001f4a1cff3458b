from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderers.errors import RenderError
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import default_file, list_views, output_paths
from renderers.plan.render_plan import make_plan
from renderers.video.formats import format_of
from tests.renderers.tiny import two_points


def test_points_are_named_by_their_labels_and_the_grid_by_the_file() -> None:
    labels = ["16500.28", "seed:7"]
    named = [Path("a/city-16500.28.mp4"), Path("a/city-seed-7.mp4")]
    assert output_paths("a/city.mp4", labels, RenderOptions()) == named
    assert output_paths("a/city.mp4", labels, RenderOptions(grid=True)) == [
        *named,
        Path("a/city.mp4"),
    ]
    assert output_paths("a/city.mp4", labels, RenderOptions(points=False, grid=True)) == [
        Path("a/city.mp4")
    ]


def test_one_video_has_exactly_the_name_that_was_asked_for() -> None:
    assert output_paths("a/city.mp4", ["0.0"], RenderOptions()) == [Path("a/city.mp4")]
    pictures = RenderOptions(format=format_of("%06d.png"))
    assert output_paths("a/%06d.png", ["0.0"], pictures) == [Path("a/%06d.png")]


def test_a_label_cannot_lead_out_of_the_folder() -> None:
    (path, _) = output_paths("a/city.mp4", ["../../b", "c"], RenderOptions())
    assert path == Path("a/city-b-d959b077.mp4")


def test_pictures_are_numbered_in_a_folder_of_each_point() -> None:
    options = RenderOptions(format=format_of("%06d.png"), grid=True)
    named = [Path("a/city-1.2/%06d.png"), Path("a/city/%06d.png")]
    assert output_paths("a/city/%06d.png", ["1.2"], options) == named
    assert default_file(Path("a"), "city", options.format) == named[1]
    assert default_file(Path("a"), "city", RenderOptions().format) == Path("a/city.mp4")


def test_a_file_of_another_format_is_refused() -> None:
    with pytest.raises(RenderError, match=r"\.gif file holds gif, not 'h264'"):
        output_paths("city.gif", ["1"], RenderOptions())


def test_views_show_each_point_and_then_all() -> None:
    plan = make_plan(two_points(), [1], RenderOptions(grid=True))
    pictures = np.stack([np.full((4, 4, 3), level, np.uint8) for level in (10, 20)])
    first, second, grid = (view.compose(pictures, 0) for view in list_views(plan))
    assert (first == 10).all()
    assert (second == 20).all()
    assert grid.shape == (4, 10, 3)
    assert [view.label for view in list_views(plan)] == ["seed:1", "seed:2", "grid"]


@given(st.lists(st.text(max_size=20), min_size=1, max_size=6, unique=True), st.booleans())
def test_every_video_lies_in_the_folder_of_the_file(labels, grid) -> None:
    paths = output_paths("films/city.mp4", labels, RenderOptions(grid=grid))
    assert len(paths) == len(labels) + grid
    assert {path.parent for path in paths} == {Path("films")}
    assert {path.suffix for path in paths} == {".mp4"}
