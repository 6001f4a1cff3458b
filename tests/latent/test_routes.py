import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latent.easing import EASINGS, count_frames
from latent.errors import LatentError
from latent.interpolation import slerp
from latent.routes import KINDS, route


def gaussian_points(count, z_dim=100, seed=1):
    return list(torch.randn(count, z_dim, generator=torch.Generator().manual_seed(seed)))


def speeds(z):
    return z.diff(dim=0).norm(dim=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("easing", ["linear", "smooth"])
@pytest.mark.parametrize("count", [2, 3, 6])
def test_every_route_visits_its_points_in_order(kind, loop, easing, count):
    points = gaussian_points(count)
    z = route(points, count_frames(count, 20, loop), kind, loop=loop, easing=easing)
    assert z.dtype == torch.float32
    assert torch.allclose(z[::20], torch.stack(points), atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [3, 5])
def test_a_loop_goes_on_into_its_beginning_without_a_doubled_frame(kind, count):
    z = route(gaussian_points(count), count_frames(count, 30, loop=True), kind, loop=True)
    steps = speeds(torch.cat([z, z[:1]]))
    assert steps.min() > 0.2 * steps.mean()
    assert steps.max() < 3 * steps.mean()


def test_a_slerp_route_is_great_circles_end_to_end():
    a, b, c = gaussian_points(3)
    t = torch.linspace(0, 1, 11)
    expected = torch.cat([slerp(a, b, t)[:-1], slerp(b, c, t)])
    assert torch.allclose(route([a, b, c], 21), expected, atol=1e-5)


@pytest.mark.parametrize("loop", [False, True])
def test_a_spline_has_no_corner_where_great_circles_do(loop):
    def sharpest_turn(kind):
        z = route(gaussian_points(5), count_frames(5, 100, loop), kind, loop=loop)
        steps = torch.nn.functional.normalize((torch.cat([z, z[:1]]) if loop else z).diff(dim=0))
        return torch.rad2deg(torch.arccos((steps[1:] * steps[:-1]).sum(1).clamp(-1, 1))).max()

    assert sharpest_turn("slerp") > 60
    assert sharpest_turn("spline") < 5


def test_a_spline_has_lengths_between_those_of_its_points_where_a_line_would_not():
    points = gaussian_points(6)
    lengths = torch.stack(points).norm(dim=1)
    shortest, longest = lengths.min() - 1e-3, lengths.max() + 1e-3
    on_spline = route(points, 300, "spline", loop=True).norm(dim=1)
    assert shortest < on_spline.min() <= on_spline.max() < longest
    assert route(points, 300, "linear", loop=True).norm(dim=1).min() < 0.8 * shortest


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loop", [False, True])
def test_points_that_repeat_or_lie_opposite_or_at_the_origin_give_finite_routes(kind, loop):
    a, b = gaussian_points(2)
    z = route([a, a, -a, torch.zeros(100), b], 50, kind, loop=loop)
    assert torch.isfinite(z).all()


def test_what_cannot_be_a_route_is_told():
    a, b = gaussian_points(2)
    with pytest.raises(LatentError, match=r"no route 'zigzag'\. Known: slerp, linear, spline"):
        route([a, b], 10, "zigzag")
    with pytest.raises(LatentError, match="at least two latent points, not 1"):
        route([a], 10)
    with pytest.raises(LatentError, match="too few to visit 2 points"):
        route([a, b], 1, loop=True)


@settings(max_examples=50, deadline=None)
@given(
    count=st.integers(2, 8),
    spare=st.integers(0, 40),
    kind=st.sampled_from(KINDS),
    loop=st.booleans(),
    easing=st.sampled_from(EASINGS),
    seed=st.integers(0, 1000),
)
def test_any_route_leaves_from_its_first_point_and_ends_at_its_last(
    count, spare, kind, loop, easing, seed
):
    points = gaussian_points(count, 12, seed)
    z = route(points, count + spare, kind, loop=loop, easing=easing)
    assert z.shape == (count + spare, 12)
    assert torch.isfinite(z).all()
    assert torch.allclose(z[0], points[0], atol=1e-4)
    assert loop or torch.allclose(z[-1], points[-1], atol=1e-4)
    if kind != "linear":
        lengths = torch.stack(points).norm(dim=1)
        assert lengths.min() - 1e-3 <= z.norm(dim=1).min()
        assert z.norm(dim=1).max() <= lengths.max() + 1e-3
