from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import DiskFullError
from studio.runs.changes import ask, change_settings
from studio.runs.events import list_events, record_event
from studio.training.loop import engine
from studio.training.loop.batches import Batches
from studio.training.loop.engine import Training
from studio.training.loop.live_control import LiveControl
from studio.training.loop.state import list_states
from studio.training.loop.training_context import TrainingContext
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.recipes import build_recipe
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace
from tests.studio.conftest import at_work

CPU = torch.device("cpu")


class Frames(dict):
    """Stands for the film: what was added is there to be looked at, without an encoder."""

    def add(self, batch, frames):
        self[batch] = frames

    def close_chunk(self):
        self.closed = list(self)

    def truncate(self, batch):
        for later in [known for known in self if known > batch]:
            del self[later]


@dataclass
class Session:
    """What a session of a run left."""

    last: int
    recipe: Any
    film: Frames
    metrics: dict[int, dict[str, float]] = field(default_factory=dict)
    flushed: list[int] = field(default_factory=list)


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def start(workspace, config, pixels):
    """Trains a run of the workspace by name: start("city", until=4).last"""

    def run(
        name: str,
        until: int = config.batches,
        config=config,
        on_batch: Callable = lambda batch, numbers, frames: None,
        should_stop: Callable[[], bool] = lambda: False,
        spoil: Callable = lambda recipe: None,
        **limits,
    ) -> Session:
        index = CheckpointIndex(workspace.runs)
        if name not in index:
            index.create(name, config.generator_spec(), "exact").close()
            workspace.run_config(name).write_text(config.to_toml())
        processes = Processes.single(CPU)
        recipe = build_recipe(config, processes)
        spoil(recipe)
        data = Batches(pixels, config.image_size, config.batch_size, config.seed, True, CPU)
        session = Session(0, recipe, Frames())

        def take(batch, numbers, frames):
            session.metrics[batch] = numbers
            on_batch(batch, numbers, frames)

        with index[name] as checkpoints:
            context = TrainingContext(
                checkpoints,
                session.film,
                LiveControl(workspace, name, config),
                lambda count: torch.randn(
                    count, config.z_dim, generator=torch.Generator().manual_seed(1)
                ),
                take,
                lambda: session.flushed.append(len(session.metrics)),
                lambda batch, kind, text: record_event(workspace, name, batch, kind, text),
            )
            states, watch = workspace.training_states(name), Stopwatch()
            training = Training(
                recipe, data, states, watch, processes, context, should_stop, **limits
            )
            try:
                session.last = training.run(until)
            finally:
                data.close()
        return session

    return run


@pytest.fixture
def kept(workspace):
    """The checkpoints of a run: kept("city").batches"""
    return lambda name: CheckpointIndex(workspace.runs)[name]


@pytest.fixture
def events(workspace):
    """What happened to a run, oldest first, by kind."""
    return lambda name: [(e.batch, e.kind, e.text) for e in reversed(list_events(workspace, name))]


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


def spoil_once(network, at_batch):
    """Sets a weight to NaN before a batch, once for all sessions."""
    spoiled = []

    def spoil(recipe):
        step = recipe.step

        def step_spoiled(reals, watch):
            if recipe.batch + 1 == at_batch and not spoiled:
                spoiled.append(at_batch)
                with torch.no_grad():
                    weight = next(recipe.modules[network].parameters())
                    weight[(0,) * weight.ndim] = float("nan")
            return step(reals, watch)

        recipe.step = step_spoiled

    return spoil


@pytest.mark.parametrize("network", ["G", "D", "G_ema"])
def test_weights_that_are_not_finite_send_the_run_back_and_never_reach_the_index(
    start, kept, events, network
):
    session = start("city", spoil=spoil_once(network, at_batch=5))
    assert session.last == 6
    assert kept("city").batches == list(session.film) == [1, 2, 3, 4, 5, 6]
    for batch in kept("city").batches:
        assert all(t.isfinite().all() for t in kept("city").weights(batch).values())
    batch, kind, text = events("city")[-1]
    assert (batch, kind) == (5, "rolled_back")
    assert "Back at batch 3, learning rates times 0.5 (try 1 of 3)" in text
    assert session.recipe.config.learning_rate_g == pytest.approx(1e-4)
    assert session.metrics[4]["learning_rate_g"] == pytest.approx(1e-4)


def test_gradients_that_are_not_finite_send_the_run_back(start, kept, events):
    done = []

    def spoil(recipe):
        def hook(gradient):
            if recipe.batch == 4 and not done:
                done.append(True)
                return gradient * float("nan")
            return gradient

        next(recipe.modules["G"].parameters()).register_hook(hook)

    start("city", spoil=spoil)
    assert done
    assert kept("city").batches == [1, 2, 3, 4, 5, 6]
    assert [kind for _, kind, _ in events("city")] == ["started", "rolled_back"]


def test_pictures_that_are_not_finite_send_the_run_back(start, kept, monkeypatch, events):
    spoiled = []
    take = Batches.__next__

    def spoil(self):
        pictures = take(self)
        if len(spoiled) < 1 and len(kept_batches) == 3:
            spoiled.append(True)
            pictures[0] = float("nan")
        return pictures

    kept_batches = []
    monkeypatch.setattr(Batches, "__next__", spoil)
    start("city", on_batch=lambda batch, numbers, frames: kept_batches.append(batch))
    assert spoiled
    assert kept("city").batches == [1, 2, 3, 4, 5, 6]
    assert events("city")[-1][1] == "rolled_back"


def test_a_run_that_diverges_however_often_it_goes_back_gives_up_with_a_report(
    start, kept, events, config
):
    diverging = replace(config, learning_rate_g=1.0, learning_rate_d=1.0, rollbacks=2)

    def spoil(recipe):
        step = recipe.step

        def step_spoiled(reals, watch):
            metrics = step(reals, watch)
            return metrics | {"g": metrics["g"] * (float("nan") if recipe.batch == 5 else 1)}

        recipe.step = step_spoiled

    with pytest.raises(
        EXPECTED_ERRORS, match=r"diverged at batch 5: g is not finite.*tried 2 times"
    ):
        start("city", config=diverging, spoil=spoil)
    assert [kind for _, kind, _ in events("city")] == ["started", "rolled_back", "rolled_back"]
    assert kept("city").batches == [1, 2, 3, 4]


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
