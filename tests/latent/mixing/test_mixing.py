"""Sums, truncation, grids between corners and walks near a point have the right values."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latent.errors import LatentError, TooFewFramesError
from latent.interpolation import slerp
from latent.mixing.corners import blend_corners
from latent.mixing.expression import MAX_CHARACTERS, Term, parse_expression
from latent.mixing.mixtures import mix, truncate
from latent.mixing.walks import MAX_RADIUS, walk_near
from latent.points import draw_z


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("16500.28", [(1, "16500.28")]),
        ("16500.28 + 16500.3 - seed:4", [(1, "16500.28"), (1, "16500.3"), (-1, "seed:4")]),
        ("0.5*16500.28 - .25 * seed:4", [(0.5, "16500.28"), (-0.25, "seed:4")]),
        ("- Old-harbour 2 + seed:1", [(-1, "Old-harbour 2"), (1, "seed:1")]),
        ('2*"a + b*.jpg" - "c - d.jpg"', [(2, "a + b*.jpg"), (-1, "c - d.jpg")]),
        ("40.77-0a1b2c3d\n+\tseed:1", [(1, "40.77-0a1b2c3d"), (1, "seed:1")]),
    ],
)
def test_a_sum_is_read_as_it_is_written(text, terms):
    assert parse_expression(text) == [Term(*term) for term in terms]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "A point is missing"),
        (" + ", "A point is missing"),
        ("seed:1 + ", "A point is missing"),
        ("seed:1 + - seed:2", "A point is missing"),
        ('seed:1 + " "', "is no part of a sum"),
        ("seed:1+seed:2", "a space on either side"),
        ("16500.28*0.5", "before its point, as in 0.5"),
        ("seed:1 * seed:2", "a weight before its point"),
        ('"seed:1', "is no part of a sum"),
        ("0*seed:1", "The weight 0 is out of range"),
        ("1001*seed:1", "The weight 1001 is out of range"),
        (" + ".join(["seed:1"] * 65), "65 points is too long"),
        ("x" * (MAX_CHARACTERS + 1), "8,001 characters is too long"),
    ],
)
def test_what_is_no_sum_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(LatentError, match=sentence):
        parse_expression(text)


@given(st.text(alphabet=st.sampled_from('12.*+-" seed:\n\x1b/é'), max_size=80))
def test_any_text_is_a_sum_or_is_refused(text):
    said = ""
    try:
        terms = parse_expression(text)
        assert all(term.point.strip() and term.weight for term in terms)
    except LatentError as error:
        said = str(error)
    assert said.isprintable()


@given(
    st.lists(
        st.tuples(st.sampled_from([1, -1, 0.5, -2.25]), st.sampled_from(["1.2", "seed:3"])),
        min_size=1,
        max_size=8,
    )
)
def test_a_sum_that_is_written_from_its_terms_is_read_again(terms):
    wanted = [Term(*term) for term in terms]
    assert parse_expression(" ".join(map(str, wanted))) == wanted


def test_a_plain_sum_adds_up_and_a_typical_one_is_as_long_as_points_are():
    a, b, c = draw_z(3, 4000, 0)
    points, weights = torch.stack([a, b, c]), torch.tensor([1.0, 1.0, -1.0])
    assert torch.allclose(mix(points, weights, typical=False), a + b - c, atol=1e-5)
    assert torch.allclose(mix(points, weights), (a + b - c) / math.sqrt(3), atol=1e-5)
    mean = mix(points, torch.full((3,), 1 / 3))
    assert float(mean.norm()) == pytest.approx(math.sqrt(4000), rel=0.05)
    assert float(mix(points, torch.full((3,), 1 / 3), typical=False).norm()) < 40


def test_a_point_alone_stays_what_it_is_whatever_its_weight():
    z = draw_z(1, 50, 1)
    assert torch.equal(mix(z, torch.tensor([2.0])), z[0])


def test_a_sum_of_which_nothing_is_left_is_refused():
    z = draw_z(1, 50, 1)
    with pytest.raises(LatentError, match="Nothing is left"):
        mix(torch.cat([z, z]), torch.tensor([1.0, -1.0]))


def test_truncation_scales_the_length():
    z = draw_z(4, 50, 1)
    assert torch.allclose(truncate(z, 0.7).norm(dim=1), 0.7 * z.norm(dim=1))
    for psi in (0.0, -1.0, 1.01, math.nan):
        with pytest.raises(LatentError, match="out of range"):
            truncate(z, psi)


def test_a_grid_has_its_corners_bit_for_bit_and_great_circles_for_edges():
    corners = draw_z(4, 64, 2)
    grid = blend_corners(list(corners), 5, 7)
    assert grid.shape == (5, 7, 64)
    assert torch.equal(grid[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    across, down = torch.linspace(0, 1, 7), torch.linspace(0, 1, 5)
    assert torch.allclose(grid[0], slerp(corners[0], corners[1], across), atol=1e-5)
    assert torch.allclose(grid[:, -1], slerp(corners[1], corners[3], down), atol=1e-5)
    middle = slerp(
        slerp(corners[0], corners[2], down)[2],
        slerp(corners[1], corners[3], down)[2],
        torch.tensor([0.5]),
    )[0]
    assert torch.allclose(grid[2, 3], middle, atol=1e-5)
    lengths = corners.norm(dim=1)
    assert grid.norm(dim=2).min() >= lengths.min() - 1e-3
    assert grid.norm(dim=2).max() <= lengths.max() + 1e-3


def test_a_grid_of_equal_angles_turns_at_one_rate():
    x, y = torch.eye(2)
    grid = blend_corners([x, y, x, y], 2, 4)
    angles = torch.rad2deg(torch.atan2(grid[1, :, 1], grid[1, :, 0]))
    assert torch.allclose(angles, torch.tensor([0.0, 30.0, 60.0, 90.0]), atol=1e-3)


def test_a_grid_needs_four_corners_and_room_for_them():
    corners = list(draw_z(4, 8, 2))
    with pytest.raises(LatentError, match="four corners, not 3"):
        blend_corners(corners[:3], 3, 3)
    with pytest.raises(LatentError, match="1 x 7"):
        blend_corners(corners, 1, 7)


@pytest.mark.parametrize("radius", [0.1, 0.5, 1.4])
def test_a_walk_sets_out_from_its_point_and_never_goes_further_than_the_radius(radius):
    z = draw_z(1, 128, 3)[0]
    walk = walk_near(z, 240, radius)
    assert torch.equal(walk[0], z)
    assert torch.allclose(walk.norm(dim=1), z.norm().expand(240), rtol=1e-4)
    apart = (walk - z).norm(dim=1) / math.sqrt(128)
    assert float(apart.max()) == pytest.approx(radius, rel=1e-3)
    steps = (walk.roll(-1, 0) - walk).norm(dim=1)
    assert float(steps[-1]) <= float(steps.max())  # The way back is no jump.
    assert float(steps.max()) < 0.2 * math.sqrt(128)


def test_another_seed_walks_elsewhere_and_the_same_one_the_same_way():
    z = draw_z(1, 32, 3)[0]
    assert torch.equal(walk_near(z, 24, 0.5, seed=4), walk_near(z, 24, 0.5, seed=4))
    assert not torch.allclose(walk_near(z, 24, 0.5, seed=4)[12], walk_near(z, 24, 0.5, seed=5)[12])


def test_a_walk_that_cannot_be_is_refused():
    z = draw_z(1, 32, 3)[0]
    for radius in (0, -1, MAX_RADIUS + 0.01, math.nan):
        with pytest.raises(LatentError, match="out of range"):
            walk_near(z, 24, radius)
    with pytest.raises(LatentError, match="no length"):
        walk_near(torch.zeros(32), 24, 0.5)
    with pytest.raises(LatentError, match="one number"):
        walk_near(torch.ones(1), 24, 0.5)
    with pytest.raises(TooFewFramesError):
        walk_near(z, 0, 0.5)
