"""Directions: those that a generator was made to have are found, and noise has none."""

import pytest
import torch
from torch import nn

from checkpoints_index import GeneratorSpec
from latent.directions.closed_form import find_closed_form
from latent.directions.direction import Direction, along, unit
from latent.directions.effects import compare_effects, measure_effects
from latent.directions.examples import learn_direction
from latent.directions.principal import find_principal
from latent.errors import LatentError
from latent.nearness.features import compute_features

Z_DIM = 12
POINTS = torch.randn(2000, Z_DIM, generator=torch.Generator().manual_seed(0))


class Linear(nn.Module):
    """A generator whose first layer amplifies the axes of z that it is told to."""

    def __init__(self, gains):
        super().__init__()
        self.first = nn.Linear(Z_DIM, 3 * 16 * 16)
        turn = torch.linalg.qr(torch.randn(3 * 16 * 16, Z_DIM, generator=seeded(1)))[0]
        with torch.no_grad():
            self.first.weight.copy_(turn * torch.tensor(gains))
            self.first.bias.fill_(0.3)

    def forward(self, z):
        return self.first(z).reshape(-1, 3, 16, 16)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def gains(*large):
    """5 for the first axis named, 4 for the next and so on; little for the others."""
    return [5.0 - large.index(axis) if axis in large else 0.1 for axis in range(Z_DIM)]


def describe(G, z):
    with torch.inference_mode():
        return G(z).flatten(1)


def axis_of(direction):
    return int(direction.z.abs().argmax())


@pytest.mark.parametrize("find", ["pca", "sefa"])
def test_the_axes_that_a_generator_amplifies_are_found_in_their_order(find):
    G = Linear(gains(7, 2, 9))
    found = (
        find_principal(G, POINTS, 3, describe) if find == "pca" else find_closed_form(G, Z_DIM, 3)
    )
    assert [direction.name for direction in found] == [f"{find}:{n}" for n in range(3)]
    assert [axis_of(direction) for direction in found] == [7, 2, 9]
    for direction in found:
        assert direction.z.norm().item() == pytest.approx(1, abs=1e-5)
        assert direction.z.abs().max().item() > 0.95
    shares = [direction.share for direction in found]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(25 / (25 + 16 + 9), abs=0.05)


@pytest.mark.parametrize("architecture", ["dcgan", "skyline", "residual"])
def test_our_generators_have_directions_of_both_kinds(architecture):
    torch.manual_seed(0)
    G = GeneratorSpec(architecture, {"z_dim": 16, "image_size": 32, "width": 0.125}).build().eval()
    closed = find_closed_form(G, 16, 4)
    ways = torch.stack([direction.z for direction in closed])
    assert torch.allclose(ways @ ways.T, torch.eye(4), atol=1e-4)
    principal = find_principal(
        G,
        torch.randn(300, 16, generator=seeded(2)),
        4,
        lambda G, z: compute_features(G, z, "activations"),
    )
    assert len(principal) == 4
    assert 0 < sum(direction.share for direction in principal) <= 1


def test_a_generator_that_ignores_z_has_no_directions():
    G = Linear([0.0] * Z_DIM)
    with pytest.raises(LatentError, match="depend on z"):
        find_principal(G, POINTS, 2, describe)


class Widened(Linear):
    """A generator whose first layer is given z twice."""

    def __init__(self):
        super().__init__(gains(1))
        self.first = nn.Linear(2 * Z_DIM, 8)

    def forward(self, z):
        return self.first(torch.cat([z, z], 1))


def test_where_the_first_layer_does_not_take_z_there_is_no_closed_form():
    with pytest.raises(LatentError, match="takes 24 numbers, and z has 12"):
        find_closed_form(Widened(), Z_DIM, 2)


def test_as_many_directions_as_there_are_numbers_may_be_asked_for():
    G = Linear(gains(3))
    assert len(find_closed_form(G, Z_DIM, Z_DIM)) == Z_DIM
    with pytest.raises(LatentError, match="use 1 to 12"):
        find_closed_form(G, Z_DIM, Z_DIM + 1)


def test_examples_that_differ_along_a_way_show_it_and_its_score_is_high():
    way = unit(torch.randn(50, generator=seeded(3)))
    z = torch.randn(400, 50, generator=seeded(4))
    having = z @ way > 0
    learnt = learn_direction("river", z[having][:60], z[~having][:60])
    assert torch.dot(learnt.direction.z, way) > 0.7
    assert learnt.score > 0.75
    assert learnt.p == pytest.approx(0.02)


def test_examples_of_noise_score_like_a_coin():
    scores = []
    for seed in range(4):
        z = torch.randn(24, 100, generator=seeded(seed))
        learnt = learn_direction("nothing", z[:12], z[12:], shuffles=9)
        scores.append(learnt.score)
    assert sum(scores) / 4 == pytest.approx(0.5, abs=0.15)


def test_too_few_examples_and_one_on_both_sides_are_refused():
    z = torch.randn(9, 6, generator=seeded(0))
    with pytest.raises(LatentError, match="there are 3 and 6"):
        learn_direction("river", z[:3], z[3:])
    with pytest.raises(LatentError, match="on both sides"):
        learn_direction("river", z[:5], z[4:])


def test_an_effect_is_itself_in_the_same_generator_and_another_in_a_turned_one():
    G, other = Linear(gains(7)), Linear(gains(7))
    with torch.no_grad():
        other.first.weight.copy_(G.first.weight.roll(5, 1))
    direction = [Direction("axis", unit(torch.eye(Z_DIM)[7]))]
    reference = measure_effects(G, direction, POINTS[:16])
    assert compare_effects(reference, reference).item() == pytest.approx(1, abs=1e-5)
    assert (
        abs(compare_effects(measure_effects(other, direction, POINTS[:16]), reference).item()) < 0.1
    )


def test_points_along_a_direction_are_as_far_as_they_were_sent():
    z, direction = torch.zeros(Z_DIM), Direction("axis", unit(-torch.eye(Z_DIM)[2]))
    points = along(z, direction, torch.tensor([-2.0, 0.0, 3.0]))
    assert points[:, 2].tolist() == [-2, 0, 3]
    with pytest.raises(LatentError, match="has 12 numbers, the point 5"):
        along(torch.zeros(5), direction, torch.zeros(1))
