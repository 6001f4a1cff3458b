"""Generators that draw noise when they are called, and averages that were never measured."""

import random

import pytest
import torch
from torch import nn

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.importing.finder import GeneratorFinder

HERE = __name__


class Noisy(nn.Module):
    """Noise is added in forward, as StyleGAN does, with a strength that begins at 0."""

    def __init__(self, nz=6):
        super().__init__()
        self.fc = nn.Linear(nz, 3 * 16 * 16)
        self.strength = nn.Parameter(torch.zeros(1))

    def forward(self, z):
        noise = torch.randn(len(z), 3 * 16 * 16)
        return torch.tanh(self.fc(z) + self.strength * noise).view(-1, 3, 16, 16)


class Dicing(Noisy):
    def forward(self, z):
        return torch.tanh(self.fc(z) + random.random()).view(-1, 3, 16, 16)


def noisy_weights():
    torch.manual_seed(3)
    return {**Noisy().state_dict(), "strength": torch.ones(1)}


def test_noise_in_forward_is_said_and_a_point_has_one_picture(tmp_path):
    torch.save(noisy_weights(), tmp_path / "G_1.pt")
    found = GeneratorFinder(f"{HERE}:Noisy", {"nz": 6}).find(tmp_path / "G_1.pt")
    assert "draws noise" in " ".join(found.remarks)
    z = torch.randn(5, 6)
    first, second = found.spec.build(), found.spec.build()
    for G in (first, second):
        G.load_state_dict(found.weights)
    state = torch.get_rng_state()
    together = first(z)
    assert torch.equal(together, first(z))
    assert torch.equal(together[3:4], second(z[3:4]))
    assert not torch.equal(together[0], together[1])
    assert torch.equal(state, torch.get_rng_state())


def test_noise_of_strength_0_at_the_first_checkpoint_is_noise_all_the_same():
    G = GeneratorSpec(f"{HERE}:Noisy", {"nz": 6, "z_dim": 6, "image_size": 16}).build()
    G(torch.zeros(1, 6))
    G.load_state_dict(noisy_weights())
    assert torch.equal(G(torch.zeros(1, 6)), G(torch.zeros(1, 6)))


def test_a_network_in_training_draws_fresh_noise():
    G = GeneratorSpec(f"{HERE}:Noisy", {"nz": 6, "z_dim": 6, "image_size": 16}).build()
    G.load_state_dict(noisy_weights())
    G.train()
    assert not torch.equal(G(torch.zeros(1, 6)), G(torch.zeros(1, 6)))


def test_a_noisy_generator_is_kept_as_visual(tmp_path):
    spec = GeneratorSpec(f"{HERE}:Noisy", {"nz": 6, "z_dim": 6, "image_size": 16})
    with CheckpointIndex(tmp_path).create("city", spec) as run:
        run.append(1, noisy_weights())
    z = torch.randn(4, 6)
    G = spec.build()
    G.load_state_dict(noisy_weights())
    kept = CheckpointIndex(tmp_path)["city"].generator(1)(z)
    assert (kept - G(z)).abs().max() * 127.5 < 4


def test_noise_that_no_seed_governs_is_refused():
    with pytest.raises(CheckpointError, match="another picture of the same latent point each time"):
        GeneratorFinder(f"{HERE}:Dicing", {"nz": 6})


def test_an_average_whose_batch_norms_were_never_updated_is_not_preferred(tmp_path):
    def network():
        return nn.Sequential(
            *(nn.Linear(20, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 784), nn.Tanh())
        )

    torch.manual_seed(0)
    good, average = network(), network()
    for _ in range(20):
        good(torch.randn(32, 20))
    path = tmp_path / "G_1.pt"
    torch.save({"G": good.state_dict(), "G_ema": average.state_dict()}, path)
    found = GeneratorFinder().find(path)
    assert found.part == "G"
    assert "The batch norms of G_ema were never updated" in " ".join(found.remarks)
    average(torch.randn(32, 20))
    torch.save({"G": good.state_dict(), "G_ema": average.state_dict()}, path)
    assert GeneratorFinder().find(path).part == "G_ema"
    untrained = {"G": network().state_dict(), "G_ema": network().state_dict()}
    torch.save(untrained, path)
    assert GeneratorFinder().find(path).part == "G_ema"
