"""A small real generator, trained a little, so that its checkpoints differ as real ones do."""

import copy

import pytest
import torch

from checkpoints_index import CheckpointIndex, GeneratorSpec
from tests.checkpoints_index.forking import Forker


@pytest.fixture(scope="session")
def spec():
    return GeneratorSpec("dcgan", {"z_dim": 16, "image_size": 32, "width": 0.125})


@pytest.fixture(scope="session")
def history(spec):
    """State dicts of 40 consecutive optimiser steps."""
    torch.manual_seed(0)
    G = spec.build().train()
    target = torch.rand(8, 3, 32, 32) * 2 - 1
    z = torch.randn(8, 16)
    optimizer = torch.optim.Adam(G.parameters(), 2e-4)
    states = []
    for _ in range(40):
        optimizer.zero_grad()
        (G(z) - target).square().mean().backward()
        optimizer.step()
        states.append({name: tensor.clone() for name, tensor in G.state_dict().items()})
    return states


@pytest.fixture(scope="session")
def averages(history):
    """150 states whose large tensors swing as smoothly as EMA, each number by itself."""
    choose = torch.Generator().manual_seed(0)
    swings = {}
    for name, tensor in history[0].items():
        if tensor.numel() >= 1024:
            moved = history[39][name] - tensor
            swings[name] = 20 * moved, 6 * torch.rand(tensor.shape, generator=choose)
    states = []
    for batch in range(150):
        state = copy.deepcopy(history[0])
        for name, (reach, phase) in swings.items():
            state[name] += reach * torch.sin(batch / 30 + phase)
        states.append(state)
    return states


@pytest.fixture(scope="session")
def forker(tmp_path_factory):
    """Starts processes quickly; it begins when the first one is needed."""
    forker = Forker(tmp_path_factory.mktemp("forker"))
    yield forker
    forker.close()


@pytest.fixture
def index(tmp_path):
    return CheckpointIndex(tmp_path / "runs")
