import torch
from torch import nn

from renderers.frames.frame_renderer import FrameRenderer, render_frames
from renderers.frames.small_pictures import SmallPictures


class Plain(nn.Module):
    """Gives pictures of one brightness, of 64 px, and notes how many at a time."""

    def __init__(self):
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()))
        self.asked = []

    def forward(self, z):
        self.asked.append(len(z))
        return self.level + z[:, :1, None, None].expand(-1, 3, 512, 512)


def test_small_pictures_show_what_large_ones_do():
    z = torch.tensor([[-1.0], [0.2], [1.0]])
    small = render_frames(SmallPictures(Plain(), 16), z)
    assert small.shape == (3, 16, 16, 3)
    assert [int(frame.mean()) for frame in small] == [0, 153, 255]


def test_so_many_are_drawn_at_a_time_as_fit_while_they_are_large():
    G = Plain()
    renderer = FrameRenderer()
    renderer.render(SmallPictures(G, 16), torch.zeros(20, 1))
    assert max(G.asked) == renderer.max_batch == 4
