import subprocess
import sys

import pytest
import torch

from benchmarks.leases import count_turns
from studio.workspace import devices
from studio.workspace.devices import (
    await_devices,
    borrow_device,
    film_devices,
    spare_device,
    take_leases,
    visible_devices,
)
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

CARDS = ["cuda:0", "cuda:1"]
HOLD = """
import sys
from pathlib import Path
from studio.workspace.devices import take_leases
held = take_leases(Path(sys.argv[1]), ["cuda:0", "cuda:1"], 1, "training city")
print(*held, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def two_cards(monkeypatch):
    """A machine with two GPUs, as far as leases go: nothing is computed on them."""
    monkeypatch.setattr(devices, "choose_devices", lambda: CARDS)
    monkeypatch.setattr(devices, "require_devices", list)
    monkeypatch.setattr(devices, "POLL_S", 0.01)


@pytest.fixture
def other(empty_workspace):
    """Another process that holds the first card."""
    words = [sys.executable, "-c", HOLD, str(empty_workspace.leases)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "cuda:0\n"
    yield process
    process.kill()
    process.communicate()


def test_two_runs_land_on_two_cards(empty_workspace, two_cards, other):
    with await_devices(empty_workspace, None, 1, "training town") as taken:
        assert taken == ["cuda:1"]


def test_a_run_waits_for_its_turn_and_says_for_whom(empty_workspace, two_cards, other):
    said = []

    def say(line):
        said.append(line)
        other.kill()  # The lease of a holder that is gone is free.

    with await_devices(empty_workspace, "cuda:0", 1, "training town", say) as taken:
        assert taken == ["cuda:0"]
    (line,) = said
    assert line.startswith("Waiting for a device. At work: cuda:0: training city (process ")


def test_several_devices_are_taken_together_or_not_at_all(empty_workspace, two_cards, other):
    assert take_leases(empty_workspace.leases, CARDS, 2, "training town") == {}
    with await_devices(empty_workspace, None, 1, "training town") as taken:
        assert taken == ["cuda:1"]


def test_whoever_waits_can_be_stopped(empty_workspace, two_cards, other):
    with (
        pytest.raises(EXPECTED_ERRORS, match=r"ended before it began.*training city"),
        await_devices(empty_workspace, None, 2, "training town", give_up=lambda: True),
    ):
        pass


def test_short_work_takes_a_free_card_and_shares_one_where_none_is(
    empty_workspace, two_cards, other
):
    with (
        borrow_device(empty_workspace, None, "scores") as first,
        borrow_device(empty_workspace, None, "an atlas") as second,
    ):
        assert (first, second) == ("cuda:1", "cuda:0")


def test_pictures_of_a_page_take_a_free_card_and_the_cpu_where_none_is(
    empty_workspace, two_cards, other
):
    with (
        spare_device(empty_workspace, "pictures") as first,
        spare_device(empty_workspace, "a preview") as second,
    ):
        assert (first, second) == ("cuda:1", "cpu")
    with spare_device(empty_workspace, "pictures") as again:
        assert again == "cuda:1"


def test_memory_that_runs_out_beside_a_training_is_a_sentence(empty_workspace, two_cards, other):
    with (
        pytest.raises(
            EXPECTED_ERRORS, match=r"cuda:0 has no room left for scores\. At work there: tr"
        ),
        borrow_device(empty_workspace, "cuda:0", "scores"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_a_workspace_that_cannot_be_written_to_keeps_nobody_from_a_device(
    empty_workspace, two_cards
):
    empty_workspace.leases.write_text("no folder")
    with borrow_device(empty_workspace, None, "scores") as device:
        assert device == "cuda:0"


def test_the_cpu_is_everybodys(empty_workspace):
    with (
        await_devices(empty_workspace, "cpu", 2, "one") as one,
        await_devices(empty_workspace, "cpu", 1, "other") as other,
    ):
        assert (one, other) == (["cpu", "cpu"], ["cpu"])
    assert not empty_workspace.leases.exists()


def test_processes_see_the_cards_that_were_taken_for_them(monkeypatch):
    assert visible_devices(["cuda:1", "cuda:3"]) == {"CUDA_VISIBLE_DEVICES": "1,3"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert visible_devices(["cuda:1"]) == {"CUDA_VISIBLE_DEVICES": "7"}


@pytest.mark.parametrize(
    "words",
    [
        ("train", "streets", "--run", "new"),
        ("resume", "city"),
        ("score", "city"),
        ("near", "city", "0.0"),
        ("atlas", "city"),
        ("specimens", "sample", "city", "--batch", "5"),
        ("specimens", "export", "city", "0.0"),
        ("render", "sheet", "city"),
    ],
)
def test_a_device_that_is_not_there_is_refused_before_anything_begins(studio, workspace, words):
    said = studio(*words, "--device", "cuda:77")
    assert said.status == 1
    assert "There is no device 'cuda:77'. This machine has: cpu" in said.err
    assert not workspace.run("new").exists()


def test_several_processes_take_no_single_gpu(studio, workspace, monkeypatch):
    monkeypatch.setattr(devices, "require_devices", list)
    words = ("--device", "cuda:0", "--processes", "2")
    said = studio("train", "streets", "--run", "new", *words)
    assert said.status in (1, 2)
    assert "--device is one device, and --processes take a GPU each" in said.err


def test_a_film_on_auto_takes_what_nobody_works_on_and_has_it_for_itself(
    empty_workspace, two_cards, other
):
    with film_devices(empty_workspace, ["auto"], "a film of city") as taken:
        assert taken == ["cuda:1"]
        assert take_leases(empty_workspace.leases, CARDS, 1, "training town") == {}
        assert take_leases(empty_workspace.leases, ["cuda:1"], 1, "a film", "films") == {}
    assert list(take_leases(empty_workspace.leases, CARDS, 1, "training town")) == ["cuda:1"]


def test_a_film_on_auto_waits_where_all_are_taken_and_says_by_whom(
    empty_workspace, two_cards, other
):
    said = []

    def say(line):
        said.append(line)
        other.kill()

    with (
        film_devices(empty_workspace, ["cuda:1"], "a film of city"),
        film_devices(empty_workspace, ["auto"], "a film of town", say) as taken,
    ):
        assert taken == ["cuda:0"]
    (line,) = said
    assert line.startswith("Waiting for a device. At work: cuda:0: training city (process ")
    assert "; cuda:1: a film of city (process " in line
    with film_devices(empty_workspace, ["auto"], "a film of town") as taken:
        assert taken == CARDS


def test_a_film_takes_named_devices_or_all_though_others_work_on_them(
    empty_workspace, two_cards, other
):
    with (
        film_devices(empty_workspace, [], "a film of city") as first,
        film_devices(empty_workspace, ["cuda:1", "cuda:1"], "a film of town") as second,
    ):
        assert first == CARDS
        assert second == ["cuda:1", "cuda:1"]
        # Training does not wait for films, unless they took what was free.
        assert list(take_leases(empty_workspace.leases, CARDS, 1, "training")) == ["cuda:1"]


def test_auto_stands_alone(empty_workspace, two_cards):
    with (
        pytest.raises(StudioError, match="'auto' stands for all devices that nobody works on"),
        film_devices(empty_workspace, ["auto", "cuda:1"], "a film of city"),
    ):
        pass


def test_where_leases_cannot_be_written_none_stays_held(empty_workspace, two_cards):
    """The first lease can be had, and the second is a folder, which no lock file can replace."""
    folder = empty_workspace.leases
    folder.mkdir(exist_ok=True)
    devices.lease_path(folder, "cuda:1").symlink_to(folder / "nowhere" / "file")
    assert take_leases(folder, CARDS, 2, "training town") == {}
    assert list(take_leases(folder, CARDS, 1, "training city")) == ["cuda:0"]


@pytest.mark.slow
def test_of_20_processes_that_ask_at_once_no_two_have_one_card_and_no_card_is_lost():
    counts = count_turns(processes=20, cards=4, turns=300, seed=0)
    assert counts["cards"] == 4
    assert counts["killed"] > 0
    assert counts["two_on_one_card"] == counts["lost"] == 0


def test_a_part_of_a_card_has_one_lease_whoever_names_it(empty_workspace, monkeypatch):
    named = devices.lease_path(empty_workspace.leases, "MIG-aaaa")
    slashed = devices.lease_path(empty_workspace.leases, "MIG-GPU-aaaa/1/0")
    assert slashed.parent == named.parent
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-aaaa")
    assert devices.lease_path(empty_workspace.leases, "cuda:0") == named
    assert devices.lease_path(empty_workspace.leases, "cuda") == named
    assert visible_devices(["cuda:0"]) == {"CUDA_VISIBLE_DEVICES": "MIG-aaaa"}


def test_a_card_has_one_lease_whether_it_is_named_by_number_or_by_name(
    empty_workspace, monkeypatch
):
    class Card:
        uuid = "5e1c0f1a-1111"

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: Card)
    by_number = devices.lease_path(empty_workspace.leases, "cuda:3")
    assert devices.lease_path(empty_workspace.leases, "GPU-5e1c0f1a-1111") == by_number


def test_what_works_in_its_own_process_does_not_take_a_card_by_its_name(studio, workspace):
    said = studio("near", "city", "0.0", "--device", "MIG-aaaa")
    assert said.status == 1
    assert "Only films take MIG-aaaa by its name." in said.err
    assert "CUDA_VISIBLE_DEVICES=MIG-aaaa" in said.err
    said = studio("render", "timelapse", "city", "--devices", "MIG-aaaa")
    assert "There is no device 'MIG-aaaa'. This machine has: cpu" in said.err
