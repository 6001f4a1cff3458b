"""What the forms submit is what the command line takes."""

import pytest

from latent.errors import UserError
from studio.screens.atlas_view import atlas_words
from studio.screens.checkpoints import spread, verify_words
from studio.screens.datasets import folder_words
from studio.screens.render import (
    BOTH,
    EACH,
    GRID,
    batches_text,
    film_title,
    list_films,
    timelapse_words,
    walk_words,
)
from studio.screens.specimens import sample_words
from studio.screens.train import resume_words, train_words
from tests.studio.conftest import BATCHES, write_pictures


def test_the_training_form_trains(studio):
    words = train_words("streets", " new ", "small-and-quick", "exact", 2, 4, 1e-3, 3e-4)
    report = studio(*words, "--json").json
    assert (report["run"], report["status"], report["batch"]) == ("new", "finished", 2)
    (run,) = [run for run in studio("runs", "--json").json if run["name"] == "new"]
    assert run["storage"] == "exact"


def test_what_the_preset_says_already_stays_unsaid():
    words = train_words("streets", "new", "plain", "visual", 20_000, 64, 2e-4, 2e-4)
    assert words == ["train", "streets", "--run", "new"]


def test_resuming_to_a_later_batch_trains_on(studio):
    report = studio(*resume_words("city", f" {BATCHES + 1} "), "--json").json
    assert (report["status"], report["batch"]) == ("finished", BATCHES + 1)
    with pytest.raises(UserError, match="ten"):
        resume_words("city", "ten")


def test_the_folder_form_prepares_pictures(studio, tmp_path):
    folder = write_pictures(tmp_path / "more pictures", count=3)
    assert studio(*folder_words(f" {folder} ", "more", 32), "--json").json["pictures"] == 3


@pytest.mark.parametrize(("films", "count"), [(GRID, 1), (EACH, 2), (BOTH, 3)])
def test_the_timelapse_form_films(studio, workspace, films, count):
    words = timelapse_words("city", ["0.0", "seed:5"], 2, 4, 1, 30, films, True)
    videos = studio(*words, "--json").json["videos"]
    assert [video["frames"] for video in videos] == [3] * count
    found = list_films(workspace, "city")
    assert sorted(map(str, found)) == sorted(video["path"] for video in videos)
    titles = {film_title("city", path) for path in found}
    assert ("Time-lapse of all points" in titles) == (films != EACH)
    assert ("Time-lapse of 0.0" in titles) == (films != GRID)


def test_the_walk_form_films(studio, workspace):
    words = walk_words("city", ["0.0", "0.1"], 3, 0.5, 20)
    (video,) = studio(*words, "--json").json["videos"]
    assert video["frames"] == 10
    (path,) = list_films(workspace, "city")
    assert film_title("city", path) == "Walk at batch 3"


def test_films_of_a_run_with_a_longer_name_are_not_shown(studio, workspace):
    studio(*walk_words("city", ["0.0", "0.1"], 3, 0.5, 20))
    assert list_films(workspace, "cit") == []


@pytest.mark.parametrize(
    ("form", "text"),
    [((None, None, 1), ""), ((2, 9, 1), "2:10"), ((None, 9, 3), ":10:3"), ((2, None, None), "2:")],
)
def test_the_last_batch_of_a_form_is_included(form, text):
    assert batches_text(*form) == text


def test_the_other_forms_do_what_they_say(studio):
    drawn = studio(*sample_words("city", 3, 5), "--json").json
    assert [specimen["label"] for specimen in drawn] == [f"3.{i}" for i in range(5)]
    assert studio(*verify_words("city", True), "--json").json["ok"]
    atlas = studio(*atlas_words("city", 3, 12, "z"), "--json").json
    assert (atlas["batch"], atlas["count"], atlas["space"]) == (3, 12, "z")


def test_a_strip_goes_from_the_first_batch_to_the_last():
    assert spread(list(range(1, 101)), 10) == [1, 12, 23, 34, 45, 56, 67, 78, 89, 100]
    assert spread([3, 5], 10) == [3, 5]
