from dataclasses import replace

import pytest
from torch import nn

from checkpoints_index import GeneratorSpec
from studio.training.setup.generator_check import check_generator
from studio.workspace.errors import EXPECTED_ERRORS


def chain(z_dim: int, size: int) -> nn.Module:
    layers = [
        {"layer": "Linear", "name": "dense", "in_features": z_dim, "out_features": size**2},
        {"layer": "Unflatten", "dim": 1, "unflattened_size": (1, size, size)},
        {"layer": "BatchNorm2d", "name": "norm", "num_features": 1},
    ]
    sizes = {"z_dim": z_dim, "image_size": size}
    return GeneratorSpec("chain", {"layers": layers, **sizes}).build()


def test_a_generator_of_the_runs_sizes_is_left_exactly_as_it_was(config):
    G = chain(config.z_dim, config.image_size).train()
    before = {name: tensor.clone() for name, tensor in G.state_dict().items()}
    check_generator(G, config)
    assert G.training
    assert all(tensor.equal(before[name]) for name, tensor in G.state_dict().items())


def test_a_generator_of_another_latent_size_is_refused_with_the_one_of_the_run(config):
    with pytest.raises(EXPECTED_ERRORS, match="does not turn z_dim 8 numbers into a picture"):
        check_generator(chain(9, config.image_size), config)


def test_a_generator_of_another_picture_size_is_refused_with_both(config):
    G = chain(config.z_dim, 16)
    with pytest.raises(EXPECTED_ERRORS, match=r"\[1, 3, 16, 16\].*\[1, 3, 32, 32\]"):
        check_generator(G, replace(config, generator="chain"))
