import pickle

import pytest
import torch

from studio.training.loop.guards import DivergedError, Rollbacks, read_finite
from studio.training.machine.processes import Processes
from studio.training.recipes import build_recipe
from studio.workspace.errors import EXPECTED_ERRORS


@pytest.fixture
def recipe(config):
    return build_recipe(config, Processes.single("cpu"))


def test_metrics_of_a_healthy_batch_come_back_as_numbers(recipe):
    metrics = {"g": torch.tensor(0.5), "d_real": torch.tensor(1.5)}
    assert read_finite(recipe, metrics) == {"g": 0.5, "d_real": 1.5}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_named_with_its_batch(recipe, value):
    recipe.batch = 12
    with pytest.raises(DivergedError, match="at batch 12: d_real is not finite"):
        read_finite(recipe, {"g": torch.tensor(0.5), "d_real": torch.tensor(value)})


@pytest.mark.parametrize("network", ["G", "D", "G_ema"])
def test_one_weight_of_any_network_that_is_not_finite_is_noticed(recipe, network):
    with torch.no_grad():
        weight = next(recipe.modules[network].parameters())
        weight[(0,) * weight.ndim] = float("nan")
    with pytest.raises(DivergedError, match=f"the weights of {network} is not finite"):
        read_finite(recipe, {"g": torch.tensor(0.5)})


def test_a_statistic_of_batch_norm_that_is_not_finite_is_noticed(recipe):
    recipe.modules["G_ema"].stem_norm.running_var[0] = float("inf")
    with pytest.raises(DivergedError):
        read_finite(recipe, {"g": torch.tensor(0.5)})


def test_tries_count_until_the_run_gets_past_the_batch_where_it_diverged():
    rollbacks = Rollbacks()
    assert [rollbacks.count(DivergedError(9, "g"), 3) for _ in range(2)] == [1, 2]
    rollbacks.passed(9, {"g": 1.0})
    assert rollbacks.count(DivergedError(8, "g"), 3) == 3
    rollbacks.passed(10, {"g": 1.0})
    assert rollbacks.count(DivergedError(12, "g"), 3) == 1


def test_giving_up_reports_the_last_batches_and_what_to_do():
    rollbacks = Rollbacks()
    for batch in range(1, 9):
        rollbacks.passed(batch, {"g": batch / 2})
    with pytest.raises(EXPECTED_ERRORS) as refusal:
        rollbacks.count(DivergedError(9, "g"), 0)
    said = str(refusal.value)
    assert "4 (g 2); 5 (g 2.5)" in said
    assert "8 (g 4)" in said
    assert "3 (g 1.5)" not in said
    assert "studio train --from RUN@BATCH" in said


def test_the_error_of_a_run_that_diverged_crosses_processes():
    error = pickle.loads(pickle.dumps(DivergedError(9, "g")))
    assert (error.batch, error.what) == (9, "g")
    assert str(error) == "Training diverged at batch 9: g is not finite."
