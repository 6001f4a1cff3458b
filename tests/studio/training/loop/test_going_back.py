"""Numbers that are not finite send a run back to a state before them."""

from dataclasses import replace

import pytest
import torch

from studio.training.data.batches import Batches
from studio.workspace.errors import EXPECTED_ERRORS
from studio.workspace.paths import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace.open(tmp_path / "workspace")


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
