"""Pictures of a layer: which number is which brightness, and where each map stands."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from renderers.errors import RenderError
from renderers.frames.colour_maps import COLOUR_MAPS, colour_table
from renderers.frames.frame_renderer import render_frames
from renderers.frames.layer_pictures import LayerPictures, LayerView, measure_levels
from renderers.plan.options import RenderOptions


class Scaling(nn.Module):
    """Maps of 1 x 1: z times a weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, z):
        return self.weight * z[:, :, None, None]


class Ramp(nn.Module):
    """A generator of 1 x 1 pixels, with a layer `maps`: z [N, 4] -> [N, 3, 1, 1]."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.maps = Scaling(weight)

    def forward(self, z):
        return self.maps(z)[:, :3].tanh()


class Ramps:
    """A source of one checkpoint a batch, whose maps are z times the batch."""

    def build(self):
        return Ramp()

    def stream(self, batches, device, into=()):
        for batch in batches:
            yield batch, Ramp(float(batch)).to(device).eval()


def test_a_number_has_the_brightness_that_its_range_says_and_each_map_its_place():
    view = LayerView("maps", (0, 1, 2, 3), (0.0, 0.0, -1.0, 5.0), (1.0, 2.0, 1.0, 5.0))
    (frame,) = render_frames(LayerPictures(Ramp(), view), torch.tensor([[0.2, 3.0, 0.0, 7.0]]))
    assert frame.shape == (3, 3, 3)  # Two by two maps of a pixel, with a gap of one.
    assert frame[0, 0].tolist() == [51] * 3
    assert frame[0, 2].tolist() == [255] * 3  # Numbers beyond are shown as the nearest.
    assert frame[2, 0].tolist() == [128] * 3
    assert frame[2, 2].tolist() == [0] * 3  # A channel that never changes.
    assert frame[1].max() == frame[:, 1].max() == 0


def test_numbers_that_are_not_finite_are_drawn():
    view = LayerView("maps", (0, 1, 2), (0.0,) * 3, (1.0,) * 3, "viridis")
    z = torch.tensor([[torch.nan, torch.inf, -torch.inf, 0]])
    (frame,) = render_frames(LayerPictures(Ramp(), view), z)
    first, last = COLOUR_MAPS["viridis"][0], COLOUR_MAPS["viridis"][-1]
    assert frame[0, 0].tolist() == list(first)
    assert frame[0, 2].tolist() == list(last)
    assert frame[2, 0].tolist() == list(first)


def test_the_range_is_the_least_and_the_greatest_number_over_points_and_checkpoints():
    z = torch.tensor([[1.0, -2, 0, torch.nan], [3.0, 4, 0, torch.inf]])
    lows, highs = measure_levels(Ramps(), z, "maps", [1, 0, 2], [1, 5])
    assert (lows, highs) == ([-10, 1, 0], [20, 15, 0])


def test_channels_without_a_finite_number_have_an_empty_range():
    z = torch.full((1, 4), torch.nan)
    assert measure_levels(Ramps(), z, "maps", [3], [1]) == ([0], [0])


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colours_go_from_dark_to_light_without_turning(name):
    table = (colour_table(name).double() + 1) * 127.5
    assert table[0].tolist() == pytest.approx(COLOUR_MAPS[name][0], abs=1e-4)
    assert table[-1].tolist() == pytest.approx(COLOUR_MAPS[name][-1], abs=1e-4)
    light = table @ torch.tensor([0.2126, 0.7152, 0.0722], dtype=torch.float64)
    assert all(before < after for before, after in pairwise(light.tolist()))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"channels": (), "lows": (), "highs": ()}, "0 channels cannot be shown"),
        ({"channels": (1, 1)}, "each once"),
        ({"lows": (0.0,)}, "needs a least and a greatest number"),
        ({"highs": (1.0, float("inf"))}, "have to be finite"),
        ({"colours": "jet"}, "no colours 'jet'. Known: grey, viridis"),
    ],
)
def test_a_view_that_does_not_fit_is_refused(changed, sentence):
    fields = {"layer": "maps", "channels": (0, 1), "lows": (0.0, 0.0), "highs": (1.0, 1.0)}
    with pytest.raises(RenderError, match=sentence):
        LayerView(**{**fields, **changed})


def test_a_view_is_read_again_from_json_and_films_of_pictures_keep_their_digest():
    view = LayerView("maps", (0, 1), (0.0, 0.5), (1.0, 2.5), "viridis")
    options = RenderOptions(layer=view)
    assert RenderOptions.from_json(options.to_json()) == options
    assert options.visible()["layer"]["lows"] == (0.0, 0.5)
    assert "layer" not in RenderOptions().visible()
    earlier = RenderOptions().to_json()
    del earlier["layer"]  # As plans were written before there were films of layers.
    assert RenderOptions.from_json(earlier) == RenderOptions()
