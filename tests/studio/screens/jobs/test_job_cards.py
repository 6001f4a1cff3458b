"""What the page is told of jobs: groups in their order, pictures of the workspace alone."""

import json

import pytest
from PIL import Image

from studio.screens.jobs.job_cards import describe_board, describe_light, find_picture
from studio.screens.parts.jobs_view import tell_submitted
from studio.workspace.jobs import Needs, Terms, find_job, insert_job, record_result, update_job
from studio.workspace.queue.requests import move_job, pause_job
from studio.workspace.queue.work import working_as_job

CPU = Terms(needs=Needs("films", ("cpu",)))


def add(workspace, number):
    words = ["render", "timelapse", "city"]
    return insert_job(workspace, "render timelapse", {"number": number}, words, "city", CPU)


def test_the_board_has_what_works_then_what_waits_in_its_order_then_the_rest(empty_workspace):
    working, *waiting = (add(empty_workspace, number) for number in range(4))
    ended = add(empty_workspace, 9)
    with working_as_job(empty_workspace, ended):
        pass
    move_job(empty_workspace, find_job(empty_workspace, waiting[2]), "first")
    pause_job(empty_workspace, find_job(empty_workspace, waiting[0]))
    with working_as_job(empty_workspace, working):
        cards = json.loads(describe_board(empty_workspace))["cards"]
        light = json.loads(describe_light(empty_workspace))
    order = [working, waiting[2], waiting[0], waiting[1], ended]
    assert [card["id"] for card in cards] == order
    assert [card["group"] for card in cards] == ["work", "wait", "wait", "wait", "ended"]
    assert cards[0]["can"] == ["pause", "cancel", "duplicate"]
    assert cards[2]["can"] == ["resume", "start", "up", "down", "schedule", "cancel", "duplicate"]
    assert (light["work"], light["wait"], light["offer"]) == (1, 3, 0)
    assert light["told"] == "studio render timelapse city"


def test_who_asks_for_a_job_is_told_what_it_waits_for(empty_workspace):
    first, second = add(empty_workspace, 1), add(empty_workspace, 2)
    told = tell_submitted(empty_workspace, find_job(empty_workspace, first), "It begins.")
    assert told == "It begins."
    with working_as_job(empty_workspace, first):
        told = tell_submitted(empty_workspace, find_job(empty_workspace, second), "It begins.")
    assert told == (
        f"Job {second} is queued. Waits for its device: job {first} is at work on it. "
        "See the tab Jobs."
    )


@pytest.mark.parametrize("place", ["inside", "outside", "link", "other"])
def test_only_pictures_of_the_workspace_are_shown(empty_workspace, tmp_path, place):
    job = add(empty_workspace, 1)
    outside, inside = tmp_path / "secret.png", empty_workspace.exports / "film.png"
    Image.new("RGB", (4, 4)).save(outside)
    if place == "link":
        inside.symlink_to(outside)
    elif place == "inside":
        Image.new("RGB", (4, 4)).save(inside)
    shown = {"outside": outside, "other": empty_workspace.database}.get(place, inside)
    with working_as_job(empty_workspace, job):
        record_result(empty_workspace, job, {"videos": [{"path": str(shown)}]})
    found = find_picture(empty_workspace, find_job(empty_workspace, job))
    assert found == (inside if place == "inside" else None)


def test_a_damaged_result_has_no_picture(empty_workspace):
    job = add(empty_workspace, 1)
    with working_as_job(empty_workspace, job):
        pass
    for result in ('{"path": 7}', '{"videos": 3}', '{"videos": [null]}', "[1]", "{"):
        update_job(empty_workspace, job, result=result, needs="{}")
        assert find_picture(empty_workspace, find_job(empty_workspace, job)) is None
