from dataclasses import replace

import pytest
import torch

from studio.training.machine.processes import Processes
from studio.training.recipes import build_recipe
from studio.workspace.errors import EXPECTED_ERRORS

SINGLE = Processes.single("cpu")


def test_the_same_seed_builds_the_same_networks_and_leaves_global_randomness_alone(config):
    state = torch.get_rng_state()
    one, same, other = (build_recipe(replace(config, seed=s), SINGLE) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.G.stem.weight, same.G.stem.weight)
    assert not torch.equal(one.G.stem.weight, other.G.stem.weight)


def test_an_unknown_recipe_is_refused_with_the_known_ones(config):
    with pytest.raises(EXPECTED_ERRORS, match=r"'diffuse'. Known: gan"):
        build_recipe(replace(config, recipe="diffuse"), SINGLE)
