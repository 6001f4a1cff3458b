from dataclasses import replace

import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import DiskFullError
from studio.runs.changes import ask, change_settings
from studio.runs.events import list_events
from studio.training.loop import engine
from studio.training.loop.state import list_states
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import at_work


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


def assert_same_checkpoints(one, other):
    assert one.batches == other.batches
    for batch in one.batches:
        a, b = one.weights(batch), other.weights(batch)
        assert all(torch.equal(a[name], b[name]) for name in a), batch


def test_every_batch_leaves_a_checkpoint_a_frame_and_its_numbers(start, kept):
    session = start("city")
    assert session.last == 6
    assert kept("city").batches == list(session.film) == list(session.metrics) == [1, 2, 3, 4, 5, 6]
    assert all(frames.shape == (2, 32, 32, 3) for frames in session.film.values())
    for numbers in session.metrics.values():
        assert np.isfinite(list(numbers.values())).all()
        phases = sum(numbers[f"{phase}_s"] for phase in ("data", "d", "g", "checkpoint", "frames"))
        assert 0 < phases <= numbers["seconds"]


def test_what_was_observed_is_settled_before_each_state(start):
    assert start("city").flushed == [0, 3, 6]


def test_the_frames_are_those_of_the_checkpoint(start, kept):
    session = start("city", until=3)
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(1))
    pictures = kept("city").generator(3)(z).permute(0, 2, 3, 1).detach()
    expected = ((pictures + 1) * 127.5).round().to(torch.uint8).numpy()
    np.testing.assert_array_equal(session.film[3], expected)


def test_a_stopped_and_resumed_run_is_bit_identical_to_an_undisturbed_one(start, kept, events):
    start("whole")
    asked = iter([False, False, True])
    assert start("parts", should_stop=lambda: next(asked)).last == 2
    assert start("parts").last == 6
    assert_same_checkpoints(kept("whole"), kept("parts"))
    assert [kind for _, kind, _ in events("parts")] == ["started", "resumed"]
    assert events("parts")[1][0] == 2


def test_checkpoints_later_than_the_state_are_made_again_after_a_crash(start, kept):
    def crash(batch, numbers, frames):
        if batch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start("city", on_batch=crash)
    lost = kept("city").weights(5)
    again = start("city")
    assert list(again.metrics) == [4, 5, 6]
    assert kept("city").batches == [1, 2, 3, 4, 5, 6]
    assert all(torch.equal(t, lost[name]) for name, t in kept("city").weights(5).items())


def test_a_damaged_state_is_passed_over_for_the_one_before(start, kept, workspace, events):
    start("whole")
    start("city")
    newest = list_states(workspace.training_states("city"))[-1]
    content = bytearray(newest.read_bytes())
    content[-5] ^= 1
    newest.write_bytes(content)
    assert list(start("city").metrics) == [4, 5, 6]
    assert "its checksum differs" in events("city")[-2][2]
    assert_same_checkpoints(kept("whole"), kept("city"))


def test_a_run_without_any_whole_state_says_so(start, workspace):
    start("city", until=2)
    for path in list_states(workspace.training_states("city")):
        path.write_bytes(b"nothing")
    with pytest.raises(EXPECTED_ERRORS, match="is damaged"):
        start("city")


def test_a_finished_run_has_nothing_left_to_train(start):
    start("city")
    assert start("city").metrics == {}


def test_a_run_that_is_asked_to_stop_at_once_trains_nothing(start, kept):
    assert start("city", should_stop=lambda: True).last == 0
    assert kept("city").batches == []


def test_a_run_stops_before_its_time_is_up(start, workspace):
    assert start("city", stop_at=-1.0).last == 0
    assert len(list_states(workspace.training_states("city"))) == 1
    assert start("city").last == 6


def test_checkpoints_without_a_training_state_are_left_alone(start, kept, workspace, config):
    with CheckpointIndex(workspace.runs).create("city", config.generator_spec()) as run:
        run.append(7, config.generator_spec().build().state_dict())
    with pytest.raises(EXPECTED_ERRORS, match="checkpoints up to batch 7, but no training state"):
        start("city")
    assert kept("city").batches == [7]


def test_checkpoints_and_frames_have_a_pace_of_their_own(start, kept, config):
    session = start("city", until=5, config=replace(config, checkpoint_every=3, film_every=2))
    assert kept("city").batches == [3, 5]
    assert list(session.film) == [2, 4]


def test_other_networks_than_those_of_the_state_are_refused_with_the_difference(start, config):
    start("city", until=2)
    with pytest.raises(EXPECTED_ERRORS, match=r"discriminator_width: 0\.03 -> 0\.06"):
        start("city", config=replace(config, discriminator_width=0.06))


def test_other_settings_than_those_of_the_state_are_told(start, config, events):
    start("city", until=2)
    start("city", until=3, config=replace(config, label_smoothing=0.2))
    assert (2, "changed", "label_smoothing: 0.1 -> 0.2, in run.toml") in events("city")


def test_a_change_takes_effect_with_the_next_batch(start, workspace, events):
    def change(batch, numbers, frames):
        if batch == 2:
            change_settings(workspace, "city", {"learning_rate_g": 1e-5})

    session = start("city", on_batch=change)
    rates = [numbers["learning_rate_g"] for numbers in session.metrics.values()]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-5, 1e-5, 1e-5, 1e-5])
    assert (3, "changed", "learning_rate_g: 0.0002 -> 1e-05") in events("city")


def test_a_killed_run_repeats_changes_and_ends_as_an_undisturbed_one(start, workspace, kept):
    def change(run, crash_at=None):
        def on_batch(batch, numbers, frames):
            if batch == 3 and run not in changed:
                changed.add(run)
                change_settings(workspace, run, {"learning_rate": 1e-3, "label_flips": 0.3})
            if batch == crash_at:
                raise KeyboardInterrupt

        return on_batch

    changed = set()
    start("whole", on_batch=change("whole"))
    with pytest.raises(KeyboardInterrupt):
        start("killed", on_batch=change("killed", crash_at=5))
    start("killed", on_batch=change("killed"))
    assert_same_checkpoints(kept("whole"), kept("killed"))


def test_a_paused_run_waits_until_it_is_told_to_go_on(start, workspace, events, monkeypatch):
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            ask(workspace, "city", "continue")

    def pause(batch, numbers, frames):
        if batch == 2:
            ask(workspace, "city", "pause")

    monkeypatch.setattr(engine.time, "sleep", wait)
    with at_work(workspace, "city"):
        assert start("city", on_batch=pause).last == 6
    assert len(waited) == 3
    assert [kind for _, kind, _ in events("city")] == ["started", "paused", "continued"]


def test_a_state_that_was_asked_for_is_kept_for_good(start, workspace):
    def save(batch, numbers, frames):
        if batch == 1:
            ask(workspace, "city", "save")

    with at_work(workspace, "city"):
        start("city", on_batch=save)
    states = workspace.training_states("city")
    assert [path.stem for path in list_states(states)] == ["3", "6"]
    assert [path.stem for path in (states / "kept").iterdir()] == ["1"]


def test_fixed_points_may_be_added_to_a_live_run(start, workspace):
    def add(batch, numbers, frames):
        if batch == 2:
            change_settings(workspace, "city", {"fixed_points": 5})

    session = start("city", on_batch=add)
    assert [len(frames) for frames in session.film.values()] == [2, 2, 5, 5, 5, 5]


def test_a_full_disk_pauses_the_run_until_there_is_room(start, kept, events, monkeypatch):
    full = iter([True, True, False])
    waited = []
    save = engine.save_state

    def save_if_room(*args):
        if args[1].batch == 3 and next(full):
            raise DiskFullError("No room for the training state of batch 3.")
        return save(*args)

    monkeypatch.setattr(engine, "save_state", save_if_room)
    monkeypatch.setattr(engine.time, "sleep", waited.append)
    assert start("city").last == 6
    assert waited == [engine.PATIENCE_SECONDS] * 2
    assert events("city")[1:] == [
        (3, "paused", "No room for the training state of batch 3."),
        (3, "continued", "there is room on the disk again"),
    ]


def test_d_sees_pictures_before_g_begins_once(start, config, kept, workspace):
    warm = replace(config, d_warm_up=4)
    updates = []

    def count(recipe):
        warm_up = recipe.warm_up

        def counted(reals, watch):
            updates.append(recipe.batch)
            return warm_up(reals, watch)

        recipe.warm_up = counted

    start("city", until=2, config=warm, spoil=count)
    start("city", config=warm, spoil=count)
    assert updates == [0, 0, 0, 0]
    assert kept("city").batches == [1, 2, 3, 4, 5, 6]


def test_a_warm_up_that_was_stopped_is_done_from_the_beginning(start, config, kept):
    warm = replace(config, d_warm_up=4)

    def crash(recipe):
        warm_up, calls = recipe.warm_up, []

        def crashing(reals, watch):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return warm_up(reals, watch)

        recipe.warm_up = crashing

    with pytest.raises(KeyboardInterrupt):
        start("killed", config=warm, spoil=crash)
    start("killed", config=warm)
    start("whole", config=warm)
    assert_same_checkpoints(kept("whole"), kept("killed"))


def test_smaller_passes_are_an_event_once_since_batch_norm_sees_fewer_pictures(
    start, workspace, config
):
    def limit_memory(recipe):
        def check(D, pictures):
            if len(pictures[0]) > 2:
                raise torch.OutOfMemoryError("out of memory")

        recipe.D.register_forward_pre_hook(check)

    start("city", config=replace(config, fit_memory=True), spoil=limit_memory)
    told = [event.text for event in list_events(workspace, "city") if event.kind == "changed"]
    assert told == ["memory ran out: a batch is taken in passes of 2"]
