import pytest
import torch

from latent.interpolation import lerp, slerp


@pytest.fixture
def ends():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(100, generator=generator), torch.randn(100, generator=generator)


def test_a_slerp_begins_and_ends_at_its_points(ends):
    a, b = ends
    route = slerp(a, b, torch.tensor([0.0, 1.0]))
    assert torch.allclose(route, torch.stack([a, b]), atol=1e-5)


def test_a_slerp_keeps_to_typical_lengths_where_a_line_would_not(ends):
    a, b = ends
    middle = torch.tensor([0.5])
    typical = (a.norm() + b.norm()) / 2
    assert torch.isclose(slerp(a, b, middle).norm(), typical, rtol=1e-4)
    assert lerp(a, b, middle).norm() < 0.9 * typical


def test_a_slerp_turns_at_a_constant_rate(ends):
    a, b = ends
    route = torch.nn.functional.normalize(slerp(a, b, torch.linspace(0, 1, 11)), dim=1)
    steps = torch.arccos((route[:-1] * route[1:]).sum(1))
    assert torch.allclose(steps, steps.mean().expand(10), atol=1e-3)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0, 0.0])
def test_a_slerp_of_parallel_points_is_the_straight_line(ends, factor):
    a, _ = ends
    t = torch.linspace(0, 1, 5)
    route = slerp(a, factor * a, t)
    assert torch.isfinite(route).all()
    assert torch.allclose(route, lerp(a, factor * a, t), atol=1e-4)
