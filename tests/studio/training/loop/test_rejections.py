"""Updates that are not finite are left out: all is as it was before them, and the run goes on."""

from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from studio.training.data.patches import PatchPair
from studio.training.loop.guards import DivergedError, read_finite
from studio.training.loop.rejections import Rejections
from studio.training.loop.state import list_states, read_state, tensors_of
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import MICRO_BATCH
from studio.training.recipes import build_recipe
from studio.training.recipes.upscale import Upscaling
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace

NAN = float("nan")


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def rejecting(config):
    return replace(config, reject_updates=True)


@pytest.fixture(params=["gan", "upscale"])
def trained(request, config):
    """A recipe of each kind that rejects updates, and what its data look like."""
    changed = {"reject_updates": True, "penalty_every": 2, "gradient_penalty": 0.1}
    if request.param == "upscale":
        small = {"scale": 4, "channels": 16, "kernel": 3}
        changed = {"recipe": "upscale", "generator": "shufflemixer", "generator_options": small}
        changed |= {"held_out": 2, "recipe_options": {"patch_px": 8}, "reject_updates": True}
        config = Upscaling.complete(replace(config, **changed, augmentation=""))
        data = PatchPair(torch.zeros(4, 3, 8, 8), torch.ones(4, 3, 32, 32))
    else:
        config, data = replace(config, **changed), torch.zeros(4, 3, 32, 32)
    return build_recipe(config, Processes.single("cpu")), data


def kept(recipe):
    """A copy of all that a training state has of a recipe, but for the random numbers."""
    found = {name: tensor.clone() for name, tensor in tensors_of(recipe)}
    found.pop("rng")
    return found, dict(recipe.numbers)


def make(recipe, data, poison=1.0):
    """One update, of data that were multiplied by a number."""
    if isinstance(data, PatchPair):
        given = PatchPair(data.small * poison, data.large)
    else:
        given = data * poison
    return read_finite(recipe, recipe.step(iter([given] * 4), Stopwatch()))


@pytest.mark.parametrize("before", [0, 2])
def test_after_a_rejected_update_all_is_as_it_was_before_it(trained, before):
    recipe, data = trained
    rejections = Rejections(recipe)
    for _ in range(before):
        rejections.remember()
        make(recipe, data)
        rejections.accept()
    tensors, numbers = kept(recipe)
    rejections.remember()
    with pytest.raises(DivergedError) as trouble:
        make(recipe, data, NAN)
    assert not all(torch.equal(now, tensors[n]) for n, now in kept(recipe)[0].items())
    counted, is_news = rejections.reject(trouble.value)
    assert (counted, is_news) == ({"rejected_updates": 1}, True)
    assert recipe.batch == before + 1
    now, numbers_now = kept(recipe)
    assert now.keys() == tensors.keys()
    assert all(torch.equal(now[name], tensors[name]) for name in tensors)
    counts = {"rejected_updates", "rejected_in_a_row", "rejected_at"}
    assert numbers_now == numbers | {name: recipe.numbers[name] for name in counts}
    make(recipe, data)
    assert all(t.isfinite().all() for t in kept(recipe)[0].values())


def test_a_weight_that_an_update_makes_infinite_is_put_back(trained):
    recipe, data = trained
    rejections, weight = Rejections(recipe), next(recipe.modules["G"].parameters())
    before = weight.detach().clone()
    spoil = recipe.optimizers["optimizer_g"].register_step_post_hook(
        lambda *_: weight.data.fill_(float("inf"))
    )
    rejections.remember()
    with pytest.raises(DivergedError) as trouble:
        make(recipe, data)
    rejections.reject(trouble.value)
    spoil.remove()
    assert torch.equal(weight, before)


def test_memory_that_ran_out_in_a_rejected_update_is_not_forgotten(trained):
    recipe, _ = trained
    rejections = Rejections(recipe)
    recipe.numbers["augment_p"] = 0.25
    rejections.remember()
    recipe.numbers |= {MICRO_BATCH: 2, "augment_p": NAN}
    rejections.reject(DivergedError(1, "g"))
    assert recipe.numbers[MICRO_BATCH] == 2
    assert recipe.numbers["augment_p"] == 0.25


class Operations(TorchDispatchMode):
    """The names of all operations on tensors."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen = [*getattr(self, "seen", []), func.overloadpacket.__name__]
        return func(*args, **(kwargs or {}))


def test_remembering_copies_by_kind_and_waits_for_no_device(trained):
    recipe, data = trained
    rejections = Rejections(recipe)
    rejections.remember()
    make(recipe, data)
    rejections.remember()
    with Operations() as operations:
        rejections.remember()
        rejections.accept()
    assert set(operations.seen) <= {"_foreach_copy_", "alias", "detach"}
    assert 1 <= operations.seen.count("_foreach_copy_") <= 2


def spoil_gradients(*batches):
    """Makes a gradient of G NaN in the updates that make these batches, in every session."""

    def spoil(recipe):
        def hook(gradient):
            return gradient * (NAN if recipe.batch + 1 in batches else 1)

        next(recipe.modules["G"].parameters()).register_hook(hook)

    return spoil


def last_state(workspace, name):
    facts, tensors = read_state(list_states(workspace.training_states(name))[-1])
    facts.pop("config")
    return facts, tensors


def assert_same_state(workspace, one, other):
    (facts, tensors), (other_facts, others) = (last_state(workspace, n) for n in (one, other))
    assert facts == other_facts
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensors[name], others[name]) for name in tensors)


def test_the_run_goes_on_with_the_count_on_its_curves_and_one_event_for_a_stretch(
    start, kept, events, rejecting
):
    session = start("city", config=rejecting, spoil=spoil_gradients(3, 4))
    assert session.last == 6
    assert kept("city").batches == list(session.film) == [1, 2, 3, 4, 5, 6]
    counts = [session.metrics[batch]["rejected_updates"] for batch in range(1, 7)]
    assert counts == [0, 0, 1, 2, 2, 2]
    assert "g_grad_norm" not in session.metrics[3]
    assert session.metrics[3]["g"] > 0
    happened = [(batch, kind) for batch, kind, _ in events("city")]
    assert happened == [(0, "started"), (3, "rejected")]
    assert events("city")[-1][2] == "g_grad_norm is not finite: the update was left out"
    weights = {batch: kept("city").weights(batch) for batch in (2, 4, 5)}
    assert all(torch.equal(weights[4][name], weights[2][name]) for name in weights[2])
    assert not all(torch.equal(weights[5][name], weights[4][name]) for name in weights[4])


def test_a_run_in_which_nothing_is_rejected_is_the_same_to_the_bit(
    workspace, start, config, rejecting
):
    start("plain", config=config)
    start("rejecting", config=rejecting)
    assert_same_state(workspace, "plain", "rejecting")


@pytest.mark.parametrize("until", [2, 3, 4])
def test_a_run_that_is_resumed_amid_rejections_is_the_same_to_the_bit(
    workspace, start, rejecting, until
):
    spoil = spoil_gradients(3, 4, 6)
    start("whole", config=rejecting, spoil=spoil)
    start("parts", config=rejecting, spoil=spoil, until=until)
    start("parts", config=rejecting, spoil=spoil)
    assert_same_state(workspace, "whole", "parts")


def test_too_many_rejections_in_a_row_send_the_run_back_also_over_a_resume(
    workspace, start, kept, events, rejecting
):
    done = []

    def spoil(recipe):
        def hook(gradient):
            is_due = recipe.batch + 1 in (3, 4, 5) and len(done) < 3
            done.extend([True] * is_due)
            return gradient * (NAN if is_due else 1)

        next(recipe.modules["G"].parameters()).register_hook(hook)

    config = replace(rejecting, rejections=3)
    start("city", config=config, spoil=spoil, until=4)
    session = start("city", config=config, spoil=spoil)
    assert kept("city").batches == [1, 2, 3, 4, 5, 6]
    batch, kind, text = events("city")[-1]
    assert (batch, kind) == (5, "rolled_back")
    assert "g_grad_norm is not finite, in 3 updates in a row. Back at batch 4" in text
    assert session.recipe.config.learning_rate_g == pytest.approx(1e-4)
    assert session.metrics[6]["rejected_updates"] == 2
    facts, _ = last_state(workspace, "city")
    assert "rejected_in_a_row" not in facts["numbers"]


def test_a_run_that_rejects_whatever_its_learning_rates_gives_up(start, kept, events, rejecting):
    config = replace(rejecting, rejections=2, rollbacks=2, batches=40)
    with pytest.raises(EXPECTED_ERRORS, match=r"in 2 updates in a row.*tried 2 times"):
        start("city", config=config, spoil=spoil_gradients(*range(4, 41)), until=40)
    kinds = [kind for _, kind, _ in events("city")]
    assert kinds == ["started", *["rejected", "rolled_back"] * 2, "rejected"]
    assert max(kept("city").batches) <= 5


def test_updates_of_d_before_the_first_of_g_are_rejected_too(start, events, rejecting):
    calls = []

    def spoil(recipe):
        def hook(gradient):
            calls.append(recipe.batch)
            return gradient * (NAN if len(calls) == 2 else 1)

        next(recipe.modules["D"].parameters()).register_hook(hook)

    session = start("city", config=replace(rejecting, d_warm_up=3), spoil=spoil)
    assert calls[:3] == [0, 0, 0]
    assert session.metrics[1]["rejected_updates"] == 1
    assert (0, "rejected", "d_grad_norm is not finite: the update was left out") in events("city")
