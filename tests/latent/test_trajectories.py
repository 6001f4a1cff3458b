import math

import pytest
import torch

from latent.errors import LatentError
from latent.trajectories import circle, noise_path, orbit


@pytest.fixture
def points():
    return torch.randn(4, 100, generator=torch.Generator().manual_seed(1))


def closed_steps(z):
    """Lengths of all steps, with the one from the last frame back to the first."""
    return torch.cat([z, z[:1]]).diff(dim=0).norm(dim=1)


def test_a_circle_leaves_from_its_point_through_the_given_plane_and_comes_back(points):
    a, b = points[:2]
    z = circle(a, 80, toward=b)
    assert z.dtype == torch.float32
    assert torch.allclose(z[0], a, atol=1e-5)
    assert torch.allclose(z[40], -a, atol=1e-4)
    assert torch.dot(z[20], a).abs() < 1e-3
    assert torch.dot(z[20], b) > 0
    assert torch.linalg.matrix_rank(torch.stack([a, b, *z[[7, 33]]]), rtol=1e-4) == 2


@pytest.mark.parametrize("trajectory", [circle, orbit])
def test_circles_keep_their_speed_and_length_also_where_they_close(points, trajectory):
    z = trajectory(points[0], 60)
    assert torch.allclose(z.norm(dim=1), points[0].norm().expand(60), rtol=1e-5)
    assert torch.allclose(closed_steps(z), closed_steps(z).mean().expand(60), rtol=1e-3)


def test_an_orbit_stays_at_its_angle_from_the_point(points):
    a = points[0]
    for angle in (5.0, 90.0):
        z = orbit(a, 24, angle_deg=angle, plane=(points[1], points[2]))
        cosines = (z @ a) / (z.norm(dim=1) * a.norm())
        assert torch.allclose(cosines, torch.tensor(math.cos(math.radians(angle))), atol=1e-5)
    assert torch.linalg.matrix_rank(torch.cat([points[:3], z]), rtol=1e-4) == 3


@pytest.mark.parametrize("trajectory", [circle, orbit])
def test_a_seed_draws_the_same_plane_again_and_another_one_another(points, trajectory):
    assert torch.equal(trajectory(points[0], 9, seed=3), trajectory(points[0], 9, seed=3))
    assert not torch.allclose(
        trajectory(points[0], 9, seed=3), trajectory(points[0], 9, seed=4), atol=0.1
    )


@pytest.mark.parametrize("loop", [False, True])
def test_a_noise_path_is_gaussian_at_every_frame(loop):
    z = noise_path(40_000, 12, segments=6, loop=loop, seed=5)
    assert z.shape == (12, 40_000)
    assert z.mean(1).abs().max() < 0.03
    assert (z.std(1) - 1).abs().max() < 0.02
    assert ((z**4).mean(1) - 3).abs().max() < 0.2


def test_a_noise_path_goes_about_as_far_as_its_segments():
    for segments in (4, 8, 20):
        for loop in (False, True):
            z = noise_path(1000, 2000, segments=segments, loop=loop)
            quarters = z.diff(dim=0).norm(dim=1).sum() / (math.pi / 2 * math.sqrt(1000))
            assert segments * 0.95 < quarters < segments * 1.3


@pytest.mark.parametrize("loop", [False, True])
def test_a_noise_path_is_smooth_and_only_a_loop_comes_back(loop):
    z = noise_path(100, 400, loop=loop)
    steps = z.diff(dim=0)
    assert steps.diff(dim=0).norm(dim=1).max() < 0.1 * steps.norm(dim=1).mean()
    closing = (z[0] - z[-1]).norm()
    assert (closing < 2 * steps.norm(dim=1).max()) == loop


def test_a_noise_path_is_repeated_by_its_seed():
    assert torch.equal(noise_path(16, 30, seed=8), noise_path(16, 30, seed=8))
    assert not torch.allclose(noise_path(16, 30, seed=8), noise_path(16, 30, seed=9), atol=0.1)


def test_what_cannot_be_followed_is_told(points):
    a = points[0]
    for trajectory in (circle, orbit):
        with pytest.raises(LatentError, match="0 frames shows nothing"):
            trajectory(a, 0)
        with pytest.raises(LatentError, match="span no circle"):
            trajectory(torch.zeros(100), 9)
    with pytest.raises(LatentError, match="span no circle"):
        circle(a, 9, toward=-2 * a)
    with pytest.raises(LatentError, match="span no circle"):
        orbit(a[:2], 9)
    with pytest.raises(LatentError, match="angle of 120 degrees is out of range"):
        orbit(a, 9, angle_deg=120)
    with pytest.raises(LatentError, match="0 frames shows nothing"):
        noise_path(16, 0)
    with pytest.raises(LatentError, match="40 segments in 30 frames are out of range"):
        noise_path(16, 30, segments=40)
