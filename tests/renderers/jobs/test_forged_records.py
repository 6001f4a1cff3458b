"""Records of a render that somebody else wrote: a sentence, and no other file than the film."""

import json
from contextlib import suppress

import pytest

from renderers.errors import RenderError
from renderers.jobs.verification import find_render, read_plan
from renderers.plan.render_plan import RenderPlan
from renderers.video.video_reader import count_frames

PLAN = {
    **{"batches": [1, 2], "labels": ["seed:1"], "z_bytes": ["AAAA"], "z_dim": 1, "cuts": [0]},
    **{"weights": ["", ""], "options": {}, "caption": {"numbers": [], "curve": []}},
}


@pytest.mark.parametrize(
    "facts",
    [
        *({name: value} for name in PLAN for value in (7, "x", [[1]]) if name != "z_dim"),
        {"caption": {}},
    ],
    ids=str,
)
def test_a_forged_plan_is_a_sentence_or_a_plan(facts):
    with suppress(RenderError):
        assert RenderPlan.from_json({**PLAN, **facts}).z_dim == 1


@pytest.mark.parametrize("text", ["[]", "{}", "[" * 99_999, '{"plan": 3}', "x"], ids=range(5))
def test_a_forged_file_of_a_plan_is_a_sentence(text, tmp_path):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(RenderError, match="Render"):
        read_plan(tmp_path)


@pytest.mark.parametrize("videos", [3, [3], [{}], [{"path": 3, "label": "x"}], {"a": 1}, None])
def test_a_forged_list_of_videos_names_no_film(videos, tmp_path):
    (tmp_path / "film").mkdir()
    (tmp_path / "film" / "videos.json").write_text(json.dumps({"videos": videos}))
    file = tmp_path / "film" / "a.mp4"
    file.write_bytes(b"x")
    with pytest.raises(RenderError, match="No finished render"):
        find_render(tmp_path, file)


def test_a_playlist_in_the_place_of_a_film_is_not_followed(tmp_path):
    playlist = tmp_path / "film.mp4"
    playlist.write_text("ffconcat version 1.0\nfile 'other.mp4'\n")
    with pytest.raises(RenderError, match=r"[Ff]ormat not on whitelist|Invalid data"):
        count_frames(playlist)
