"""What Home tells of a workspace: runs, jobs, films, specimens, the disk, and how to begin."""

import html
import re
import shutil
from urllib.parse import parse_qsl

import pytest
from markupsafe import Markup

from latent.points import sample_points
from studio.actions.demo_steps import demo_steps
from studio.actions.submission import submit
from studio.runs.forecast import Forecast
from studio.screens.checkpoints.timeline.asked_picture import AskedPicture
from studio.screens.home import latest_view
from studio.screens.home.beginning import show_beginning
from studio.screens.home.disk_view import show_disk
from studio.screens.home.home_tab import show_work
from studio.screens.home.latest_view import LatestView
from studio.screens.home.run_cards import MAX_CARDS, RunCards
from studio.screens.parts.picture_cache import PictureCache
from studio.screens.parts.run_cache import RunCache
from studio.specimens.points import SAMPLED, keep_points
from studio.specimens.specimen_pages import newest_specimens
from studio.workspace.errors import UnknownDatasetError
from studio.workspace.jobs import (
    UNENDED,
    Terms,
    find_job,
    insert_job,
    jobs_that_are,
    record_result,
    report_progress,
    update_job,
)
from studio.workspace.queue.requests import cancel_job
from tests.studio.conftest import BATCHES, at_work


def cards_of(workspace, *jobs):
    return RunCards(RunCache(workspace)).draw(jobs)


def test_a_run_that_trains_says_how_far_it_is_and_another_how_far_it_came(workspace):
    resting = Markup().join(cards_of(workspace).cards)
    assert f"batch {BATCHES} of {BATCHES}" in resting
    assert 'class="badge finished"' in resting
    assert "preview.png?v=" in resting
    assert 'href="?run=city&amp;tab=Train"' in resting
    with at_work(workspace, "city"):
        (job,) = jobs_that_are(workspace, "running")
        report_progress(workspace, job.id, 6, 24, "", 0, job.started_at - 60)
        (card,) = cards_of(workspace, job).cards
    assert 'class="badge training"' in card
    assert f"batch {BATCHES} of 24" in card
    assert "min left" in card


def test_a_run_that_was_not_trained_here_shows_its_last_checkpoint(workspace):
    workspace.preview("city").unlink()
    (card,) = cards_of(workspace).cards
    address = re.search(r'src="studio/timeline/picture\?([^"]+)"', html.unescape(card))[1]
    asked = AskedPicture.read(dict(parse_qsl(address)))
    assert (asked.run, asked.batch, asked.rests) == ("city", BATCHES, True)


def test_runs_beyond_the_newest_are_counted_and_what_they_take_is_looked_up_once(
    workspace, monkeypatch
):
    for number in range(MAX_CARDS + 2):
        shutil.copytree(workspace.runs / "city", workspace.runs / f"copy-{number}")
    cache = RunCache(workspace)
    cards = RunCards(cache)
    shelf = cards.draw([])
    assert (len(shelf.cards), shelf.hidden) == (MAX_CARDS, 3)
    assert shelf.kept_bytes == (MAX_CARDS + 3) * cache.summary("city").size_bytes
    asked = []
    summary = cache.summary
    monkeypatch.setattr(cache, "summary", lambda name: asked.append(name) or summary(name))
    cards.draw([])
    assert len(asked) == MAX_CARDS


def test_a_run_that_is_to_come_and_a_damaged_one_have_cards_of_their_own(workspace):
    description = workspace.run("broken") / "checkpoints" / "generator.json"
    description.parent.mkdir(parents=True)
    description.write_text("{")
    number = insert_job(workspace, "train", {}, ["train"], "<b>new")
    update_job(workspace, number, waits_for="Waits for job 7.")
    shelf = cards_of(workspace, find_job(workspace, number))
    to_come, *others = shelf.cards
    assert "&lt;b&gt;new" in to_come
    assert "Waits for job 7." in to_come
    assert any('class="badge damaged"' in card for card in others)
    assert any("city" in card for card in others)


def test_the_disk_says_what_is_free_and_whether_the_runs_at_work_fit(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    fits = Forecast(1e3, 0, 1000, free, 1.0)
    assert "there is room" in show_disk(tmp_path, 10**6, [fits])
    too_much = Forecast(float(free), 0, 1000, free, 1.0)
    card = show_disk(tmp_path, 10**6, [fits, too_much])
    assert "the disk is full in about" in card
    assert "small warning" in card
    assert "need" not in show_disk(tmp_path, 0, [])


def test_what_works_stands_before_what_waits(workspace):
    waiting = insert_job(workspace, "atlas", {}, ["atlas"], "city")
    with at_work(workspace, "city"):
        told = show_work(jobs_that_are(workspace, "queued", "running"))
    assert told.index("train · city") < told.index("atlas · city")
    assert f'data-key="job {waiting}"' in told
    assert "Nothing works right now" in show_work([])


def test_the_newest_films_and_specimens_of_all_runs_lead_to_where_they_are(workspace, monkeypatch):
    keep_points(workspace, "city", sample_points(BATCHES, range(3), 16), SAMPLED)
    film = workspace.render("city-path-0a1b2c") / "city-path.mp4"
    film.parent.mkdir()
    film.write_bytes(b"no film")  # It has no small picture, and is listed all the same.
    job = insert_job(workspace, "render path", {}, ["render", "path"], "city")
    update_job(workspace, job, status="done", finished_at=1.0)
    record_result(workspace, job, {"videos": [{"path": str(film)}]})
    newest = newest_specimens(workspace, 2)
    assert [(run, found.label) for run, found, _ in newest] == [
        ("city", f"{BATCHES}.2"),
        ("city", f"{BATCHES}.1"),
    ]
    view = LatestView(workspace, PictureCache(workspace))
    drawn = view.draw()
    assert "?run=city&amp;tab=Render&amp;film=city-path-0a1b2c/city-path.mp4" in drawn
    assert f"?run=city&amp;tab=Explore&amp;city={BATCHES}.2" in drawn
    assert drawn.count("data:image/png") == 3
    monkeypatch.setattr(latest_view.PictureCache, "show", None)  # Nothing is drawn twice.
    assert view.draw() == drawn


def test_without_a_run_there_are_three_ways_to_begin(empty_workspace):
    begin = show_beginning([], [])
    assert 'data-action="demo"' in begin
    assert 'href="?tab=Checkpoints" data-opens="Import"' in begin
    assert "Bring your pictures" in begin
    assert "mine is prepared" in show_beginning([], ["mine"])
    assert LatestView(empty_workspace, PictureCache(empty_workspace)).draw() == ""


def test_the_demo_is_handed_over_as_jobs_that_follow_each_other(empty_workspace):
    steps = demo_steps(empty_workspace)
    assert [step.command for step in steps] == [
        "datasets add-cities",
        "train",
        "render timelapse",
        "render interpolation",
        "atlas",
        "specimens spread",
    ]
    # What comes second needs what the first makes, and is queued before that is there.
    first = insert_job(empty_workspace, "datasets add-cities", {}, ["datasets", "add-cities"])
    second = submit(empty_workspace, steps[1], Terms(follows=first))
    begin = show_beginning(jobs_that_are(empty_workspace, *UNENDED), [])
    cancel_job(empty_workspace, second)
    assert 'data-action="demo" disabled' in begin
    with pytest.raises(UnknownDatasetError):
        submit(empty_workspace, steps[1])
