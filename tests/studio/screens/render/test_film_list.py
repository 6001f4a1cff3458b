"""What was rendered is found, named, shown and checked."""

import os
from urllib.parse import urlencode

import pytest
from PIL import Image
from starlette.requests import Request

from studio.screens.parts import markup
from studio.screens.render.film_list import (
    POSTER_PATH,
    check_film,
    list_films,
    poster_url,
    show_film,
    verify_words,
)
from studio.screens.render.poster_route import PosterRoute

POINTS = ("--points", "0.0,0.1")


@pytest.fixture
def render(studio):
    """render("timelapse", ...): the paths of what was made, in the workspace."""

    def call(kind, *words):
        outcome = studio("render", kind, "city", *words, "--json")
        assert outcome.status == 0, outcome.err
        return [video["path"] for video in outcome.json.get("videos", [outcome.json])]

    return call


def titles(workspace, run="city"):
    return [film.title for film in list_films(workspace, run)]


def card(workspace):
    films = list_films(workspace, "city")
    return show_film(workspace, films[0], films, "", "")


def test_films_of_every_kind_are_found_newest_first_and_named(render, workspace):
    short = ("--seconds", "0.2", "--fps", "10")
    render("timelapse", *POINTS, "--both")
    render("interpolation", *POINTS, "--batch", "3", *short)
    render("interpolation", *POINTS, "--batches", "1:9", *short)
    render("path", "2@0.0 -> 9@0.1", *short)
    render("sheet", *POINTS)
    assert titles(workspace) == [
        "Sheet",
        "Path",
        "Walk along training",
        "Walk at batch 3",
        "Time-lapse of 0.0, 0.1",
        "Time-lapse of 0.0",
        "Time-lapse of 0.1",
    ]


def test_films_of_a_run_with_a_longer_name_are_not_shown(render, workspace):
    render("timelapse", *POINTS)
    assert titles(workspace, "cit") == []


@pytest.mark.parametrize(
    ("suffix", "shown"),
    [
        ("mp4", "<video controls"),
        ("webm", "<video controls"),
        ("mov", "made for editing"),
        ("mkv", "Browsers do not play .mkv"),
        ("gif", ".gif?v="),
        ("webp", ".webp?v="),
    ],
)
def test_a_film_is_shown_as_the_browser_can(render, workspace, suffix, shown):
    render("timelapse", *POINTS, "--grid", "--fps", "20", "--format", suffix, "--scale", "1")
    assert shown in card(workspace)
    assert f'download="city-timelapse.{suffix}"' in card(workspace)


def test_numbered_pictures_are_shown_by_the_last_with_their_place_and_number(render, workspace):
    (path,) = render("timelapse", "--points", "0.0", "--format", "png", "--scale", "1")
    (film,) = list_films(workspace, "city")
    assert (str(film.path), film.title, len(film.pictures)) == (path, "Time-lapse of 0.0", 12)
    assert f'<span class="where">{film.path.parent}</span>' in card(workspace)
    assert "12 pictures" in card(workspace)
    assert "000011.png" in card(workspace)


def test_a_sheet_is_shown_whole_and_has_nothing_to_check(render, workspace):
    render("sheet", *POINTS)
    assert '<div class="sheet"><img' in card(workspace)
    assert 'data-action="check"' not in card(workspace)


def test_a_check_counts_the_frames_as_its_command_does(render, workspace, studio):
    render("timelapse", *POINTS, "--grid")
    (film,) = list_films(workspace, "city")
    assert check_film(workspace, film) == "Whole: 12 frames, as planned."
    assert studio(*verify_words(film)).status == 0
    with film.path.open("r+b") as file:
        file.truncate(2000)
    assert check_film(workspace, film).startswith("Not whole: ")
    assert studio(*verify_words(film)).status == 1


def test_a_film_without_a_plan_cannot_be_checked(render, workspace):
    render("timelapse", *POINTS, "--grid")
    (film,) = list_films(workspace, "city")
    (film.path.parent / "videos.json").unlink()
    assert "no plan to compare it with" in check_film(workspace, film)


def test_a_file_whose_name_is_markup_stays_text(workspace):
    folder = workspace.render("city-timelapse-0123ab")
    folder.mkdir()
    (folder / "city-timelapse-<b>.mp4").touch()
    assert "<b>" not in card(workspace)
    assert "&lt;b&gt;" in card(workspace)


def test_films_that_lie_where_somebody_wanted_them_are_found_by_the_record(
    render, workspace, tmp_path
):
    own = workspace.renders / "city-walk-3" / "walk.mp4"
    short = ("--seconds", "0.2", "--fps", "10")
    render("interpolation", *POINTS, "--batch", "3", *short, "--out", own)
    render("timelapse", "--grid", "--batches", "2:5", "--out", tmp_path / "grown.mp4")
    assert titles(workspace) == ["Time-lapse: grown.mp4", "Walk at batch 3: walk.mp4"]
    assert "lies outside the workspace" in card(workspace)
    assert "batches 2 to 4 · 3 frames · 0.0, 0.1, 0.2" in card(workspace)
    (tmp_path / "grown.mp4").unlink()
    assert titles(workspace) == ["Walk at batch 3: walk.mp4"]


def test_a_film_keeps_its_date_when_its_file_is_touched(render, workspace):
    render("timelapse", *POINTS, "--grid")
    (film,) = list_films(workspace, "city")
    os.utime(film.path, (0, 0))
    os.utime(film.path.parent / "videos.json", (0, 0))
    assert list_films(workspace, "city")[0].made_at == film.made_at > 1e9


def test_a_film_of_many_points_says_how_many(render, workspace):
    render("timelapse", "--points", "seed:1-5", "--grid")
    assert titles(workspace) == ["Time-lapse of 5 points"]


@pytest.fixture
def poster_of(workspace):
    """poster_of(film): what a browser is answered that asks for its small picture."""

    def ask(query):
        scope = {"type": "http", "query_string": query.encode(), "headers": []}
        return PosterRoute(workspace).answer(Request(scope))

    return ask


def test_films_to_choose_from_have_pictures_of_their_end_made_when_they_are_seen(
    render, workspace, poster_of, tmp_path
):
    render("timelapse", *POINTS, "--grid")
    render("timelapse", "--points", "seed:1", "--out", tmp_path / "own.mp4")
    for film in list_films(workspace, "city"):
        asked = poster_url(workspace, film)
        assert asked.startswith(f"{POSTER_PATH[1:]}?run=city&film=")
        answer = poster_of(asked.partition("?")[2])
        with Image.open(answer.path) as picture:
            assert picture.width == 128
        assert poster_url(workspace, film) == markup.file_url(answer.path)
    assert len(list(workspace.posters.glob("*.jpg"))) == 2


@pytest.mark.parametrize(
    "key",
    [
        *("", "..", "../city.mp4", "city-timelapse-0123ab/../../studio.db", "/etc/passwd"),
        *("city-timelapse-0123ab/plan.json", "elsewhere-0/film.mp4", "a\0b/c.mp4", "x" * 5000),
    ],
)
def test_no_other_file_is_read_for_the_picture_of_a_film(render, workspace, poster_of, key):
    render("timelapse", *POINTS, "--grid")
    answer = poster_of(urlencode({"run": "city", "film": key}))
    assert answer.status_code == 404
    assert not workspace.posters.exists() or not list(workspace.posters.iterdir())
