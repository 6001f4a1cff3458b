"""Live films, locked to each other by batch or by time."""

import shutil

import numpy as np
import pytest

from renderers.video.video_reader import count_frames
from studio.screens.compare.players import lock_film, seconds_at, show_players
from studio.training.loop.live_film import LiveFilm
from studio.workspace.errors import EXPECTED_ERRORS

METRICS = [{"batch": batch, "seconds": 2.0} for batch in range(1, 13)]


@pytest.fixture
def filmed(workspace):
    """The workspace in which `city` has a live film of batches 2, 4, 6 and 8 alone."""
    shutil.rmtree(workspace.live_film("city"))
    film = LiveFilm(workspace.live_film("city"), ["0.0", "0.1"])
    for batch in (2, 4, 6, 8):
        film.add(batch, np.full((2, 64, 64, 3), 20 * batch, np.uint8))
    film.close()
    return workspace


def test_each_frame_has_the_batch_that_it_shows(filmed):
    film = lock_film(filmed, "city", METRICS, by_time=False)
    assert film.batches == film.places == [2, 4, 6, 8]
    assert count_frames(film.path) == 4


def test_by_time_each_frame_has_the_seconds_of_training_until_then(filmed):
    assert lock_film(filmed, "city", METRICS, by_time=True).places == [4, 8, 12, 16]
    assert seconds_at([], [1, 2]) == [0, 0]


def test_a_run_without_a_film_says_so_in_its_place(workspace):
    shutil.rmtree(workspace.live_film("city"))
    with pytest.raises(EXPECTED_ERRORS, match="no film yet"):
        lock_film(workspace, "city", METRICS, by_time=False)
    shown = show_players(workspace, {"city": METRICS}, {"city": "--accent"}, by_time=False)
    assert "no film yet" in shown
    assert "data-place" not in shown


def test_one_slider_moves_all_films(filmed):
    shown = show_players(filmed, {"city": METRICS}, {"city": "--accent"}, by_time=True)
    assert shown.count("<video") == shown.count('data-place="time"') == 1
    assert 'min="4.0" max="16.0"' in shown
