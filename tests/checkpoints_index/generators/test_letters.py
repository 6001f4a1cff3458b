"""The generator of letters: its two networks, its pictures, and what it refuses."""

import math

import numpy as np
import pytest
import torch

from checkpoints_index import GeneratorSpec
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.letters.bodies import SparseLinear, choose_seen
from checkpoints_index.generators.letters.fields import EDGE, FALLOFF
from checkpoints_index.generators.letters.letters_generator import build_body
from checkpoints_index.generators.letters.strip import (
    INK,
    LOWER_INK,
    PAPER,
    UPPER_INK,
    cut_strip,
    draw_letter,
)
from renderers.frames.passes import round_pictures

SIZES = {"z_dim": 1296, "image_size": 216}
SMALL = {"conv": [2, 3, 4, 3, 2], "dense": [5, 6], "sparse": [5, 6]}


def build(body="conv", **options):
    torch.manual_seed(0)
    return GeneratorSpec(
        "letters", {**SIZES, "body": body, "units": SMALL[body], **options}
    ).build()


def disc(radius_px=9.0):
    """The field of a disc in the middle of its box: float32 [1, 1296] in 0..1."""
    along = torch.arange(36) + 0.5 - 18
    inside_px = radius_px - torch.hypot(along[:, None], along[None, :])
    return (EDGE + FALLOFF * inside_px).clamp(0, 1).view(1, -1)


@pytest.mark.parametrize("body", SMALL)
def test_both_networks_turn_a_field_into_a_field_and_26_letters(body):
    G = build(body)
    fields = torch.rand(3, 1296)
    for network in (G.make_lowercase, G.make_uppercase):
        assert network(fields).shape == (3, 1322)
    assert G(2 * fields - 1).shape == (3, 3, 216, 216)
    assert not torch.equal(G.make_lowercase(fields), G.make_uppercase(fields))


def test_a_picture_has_the_letter_in_black_and_what_each_network_makes_of_it_and_of_that():
    """A third network's answer stands in the cell of its own ink."""
    G = build()
    told = []
    for name, radius in (("make_lowercase", 6.0), ("make_uppercase", 12.0)):
        answer = torch.cat((disc(radius), torch.zeros(1, 26)), 1)
        network = getattr(G, name)
        network.forward = lambda x, answer=answer, name=name: told.append((name, x)) or answer
    with torch.no_grad():
        picture = round_pictures(G(disc() * 2 - 1))[0].numpy() / 255
    middles = [[picture[top + 36, left + 36] for left in (0, 72, 144)] for top in (0, 108)]
    inks = [[INK, LOWER_INK, UPPER_INK], [INK, UPPER_INK, LOWER_INK]]
    assert np.allclose(middles, inks, atol=0.01)
    assert np.allclose(picture[2, 2], PAPER, atol=0.01)
    assert [name for name, _ in told] == [
        *("make_lowercase", "make_uppercase", "make_uppercase", "make_lowercase")
    ]
    assert torch.equal(told[2][1], disc(6.0)), "the upper-case letter of the lower-case one"
    grey = picture[72:108, 18:54, 0]
    assert np.allclose(grey, disc().view(36, 36), atol=0.01), "the field stands below its letter"
    strip = cut_strip((picture[None] * 255).round().astype(np.uint8))
    assert strip.shape == (1, 108, 360, 3)
    assert np.allclose(strip[0, 36, 36::72] / 255, [*inks[0], *inks[1][1:]], atol=0.01)


@pytest.mark.parametrize("size", [36, 72, 252])
def test_the_area_of_a_drawn_letter_is_that_of_the_letter_at_every_size(size):
    drawn = draw_letter(disc(9.0).view(1, 1, 36, 36), (0, 0, 0), size)[0, 0]
    paper = PAPER[0] * 2 - 1
    covered = ((paper - drawn) / (paper + 1)).sum() * (36 / size) ** 2
    assert covered.item() == pytest.approx(math.pi * 81, rel=0.01)


def test_a_sparse_unit_sees_its_share_of_what_lies_near_it():
    torch.manual_seed(1)
    seen = choose_seen(400, 100, 80)
    assert (seen.sum(1) == 80).all()
    places = torch.stack((torch.arange(400) // 20, torch.arange(400) % 20), 1) + 0.5
    own = 2 * (torch.stack((torch.arange(100) // 10, torch.arange(100) % 10), 1) + 0.5)
    distance = torch.cdist(own, places.float())
    assert seen[distance < 1.5].all(), "those around its own place are always seen"
    assert distance[seen].mean() < 0.7 * distance.mean()
    layer = SparseLinear(400, 100, 0.2)
    x = torch.randn(2, 400)
    moved = x + torch.where(layer.mask[7], 0.0, 5.0)
    assert torch.equal(layer(x)[:, 7], layer(moved)[:, 7])
    layer(x).square().sum().backward()
    assert (layer.weight.grad[~layer.mask] == 0).all()
    assert (layer.weight.detach()[~layer.mask] == 0).all()


def test_points_are_letters_that_cannot_be_drawn():
    spec = GeneratorSpec("letters", SIZES)
    assert not spec.can_draw
    assert spec.z_distribution == "picture"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"z_dim": 100}, "z_dim must be 1296, not 100"),
        ({"image_size": 64}, "pictures of 216, 432, 648 ... px, not 64"),
        ({"body": "wide"}, "body is one of conv, dense, sparse, not 'wide'"),
        ({"body": "sparse", "density": 0.0}, "density is a share above 0"),
        ({"units": [1, 2]}, "a list of 5 whole numbers"),
        ({"lowercase_deeper": [17, 0, 0, 0, 0]}, "from 0 to 16"),
        ({"body": "dense", "units": [1 << 17]}, "whole numbers from 1 to 65,536"),
        ({"body": "dense", "units": [65536] * 64}, "would have"),
    ],
)
def test_options_out_of_range_are_refused_in_a_sentence(options, said):
    with pytest.raises(CheckpointError, match=said.replace("(", "[(]")):
        GeneratorSpec("letters", {**SIZES, **options}).build()


@pytest.mark.parametrize(
    "options",
    [
        {"units": 5},
        {"lowercase_deeper": 3},
        {"body": "sparse", "density": "0.2"},
        {"body": "sparse", "density": [1]},
    ],
)
def test_options_of_another_kind_are_refused_by_whoever_builds_one_network(options):
    with pytest.raises(CheckpointError, match="not "):
        build_body(options, "lowercase")
