"""Composed films are cut into parts, resumed and joined as all films are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from latent.points import seeded_point
from renderers.compositions.composition import Composition
from renderers.errors import RenderError
from renderers.jobs.rendering import render_film
from renderers.jobs.workers import render_parts
from renderers.pictures.display_options import DisplayOptions
from renderers.plan.options import RenderOptions
from renderers.plan.outputs import Video
from renderers.plan.render_plan import Caption, RenderPlan, make_plan
from renderers.video.formats import format_of
from renderers.video.video_reader import read_frames
from tests.renderers.tiny import Z_DIM, GrowingSource

BATCHES = [0, 1, 2, 3, 4, 5, 6, 7, 7, 7]
LOSSLESS = RenderOptions(
    points=False,
    grid=True,
    fps=10,
    format=format_of("film.mkv"),
    composition=Composition((480, 270)),
)


POINTS = [seeded_point(seed, Z_DIM) for seed in (1, 2, 3)]


def render(plan: RenderPlan, folder: Path) -> list[Video]:
    engine = partial(render_parts, devices=["cpu"])
    return render_film(GrowingSource(), plan, folder, folder / "film.mkv", engine)


def plan_of(options: RenderOptions, **said) -> RenderPlan:
    caption = Caption(run="city", attribution="© somebody", largest=7, **said)
    return make_plan(POINTS, BATCHES, options, caption=caption)


@pytest.mark.parametrize("kind", ["grid", "strip"])
def test_a_film_of_many_parts_is_that_of_one(tmp_path, kind) -> None:
    options = replace(LOSSLESS, composition=Composition((480, 270), kind))
    films = []
    for number, longest in enumerate((100, 3)):
        plan = plan_of(replace(options, part_frames=longest))
        (video,) = render(plan, tmp_path / str(number))
        films.append(np.stack(list(read_frames(video.path))))
        assert video.frames == len(BATCHES)
    assert films[0].shape == (len(BATCHES), 270, 480, 3)
    assert (films[0] == films[1]).all()


def test_the_plan_is_read_as_it_was_written() -> None:
    plan = plan_of(LOSSLESS, tags=(("title", "city"),))
    again = RenderPlan.from_json(plan.to_json())
    assert again.options == plan.options
    assert again.caption == plan.caption
    assert again.digest == plan.digest


def test_frames_tell_by_their_digest_how_long_the_film_is_and_what_is_owed() -> None:
    plan = plan_of(LOSSLESS)
    longer = make_plan(POINTS, [*BATCHES, 7], LOSSLESS, caption=plan.caption)
    owing = replace(plan, caption=replace(plan.caption, attribution="© somebody else"))
    tagged = replace(plan, caption=replace(plan.caption, tags=(("title", "other"),)))
    assert len({plan.parts[0].digest, longer.parts[0].digest, owing.parts[0].digest}) == 3
    assert tagged.digest == plan.digest  # Tags do not show in a frame.


def test_a_film_of_one_point_has_a_frame_of_its_own(tmp_path) -> None:
    plan = plan_of(replace(LOSSLESS, points=True, composition=Composition((480, 270), "strip")))
    videos = render(plan, tmp_path)
    assert len(videos) == 4
    assert {next(iter(read_frames(video.path))).shape for video in videos} == {(270, 480, 3)}


def test_a_composition_has_its_own_size_and_texts() -> None:
    for other in ({"overlay": ("batch",)}, {"display": DisplayOptions(scale=2)}):
        with pytest.raises(RenderError, match="its own size and texts"):
            replace(LOSSLESS, **other)
