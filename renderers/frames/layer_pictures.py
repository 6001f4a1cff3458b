"""Pictures of what a layer of a generator makes of a latent point: maps side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from latent.nearness.layers import LayerMaps
from renderers.errors import RenderError
from renderers.frames.colour_maps import COLOUR_MAPS, LEVELS, colour_table
from renderers.frames.source import CheckpointSource, stream_exactly
from renderers.progress import OnProgress, ignore_progress

MAX_CHANNELS = 64
GAP_PX = 1  # Between two maps.


@dataclass(frozen=True)
class LayerView:
    """What is shown of a layer, and which number is which brightness.

    Args:
        layer: its name, as `G.named_modules()` has it.
        channels: the maps that are shown, row by row in the squarest grid.
        lows, highs: for each channel the number that has the first colour and the last one;
            numbers beyond have these as well.
        colours: one of COLOUR_MAPS.

    Raises:
        RenderError: a value does not fit.
    """

    layer: str
    channels: tuple[int, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    colours: str = "grey"

    def __post_init__(self) -> None:
        count = len(self.channels)
        if not 1 <= count <= MAX_CHANNELS or len(set(self.channels)) != count:
            raise RenderError(
                f"{count} channels cannot be shown: choose 1 to {MAX_CHANNELS}, each once."
            )
        if len(self.lows) != count or len(self.highs) != count:
            raise RenderError("Each channel needs a least and a greatest number.")
        if not all(map(math.isfinite, (*self.lows, *self.highs))):
            raise RenderError("The least and the greatest number of a channel have to be finite.")
        if self.colours not in COLOUR_MAPS:
            known = ", ".join(COLOUR_MAPS)
            raise RenderError(f"There are no colours '{self.colours}'. Known: {known}.")

    @property
    def columns(self) -> int:
        """How many maps stand side by side."""
        return math.ceil(math.sqrt(len(self.channels)))

    @property
    def rows(self) -> int:
        """How many rows of maps there are."""
        return math.ceil(len(self.channels) / self.columns)

    def size_px(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Height and width of a picture of maps of this size."""
        height = self.rows * (height_px + GAP_PX) - GAP_PX
        return height, self.columns * (width_px + GAP_PX) - GAP_PX

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> LayerView:
        """A view from its fields, as JSON has them.

        Raises:
            RenderError: a value does not fit.
        """
        lists = {name: tuple(document[name]) for name in ("channels", "lows", "highs")}
        return cls(**{**document, **lists})


class LayerPictures(nn.Module):
    """A generator that gives pictures of one of its layers.

    Args:
        G: generator in eval mode, whose weights may change in place later on.

    Raises:
        LatentError: there is no such layer.
    """

    table: Tensor
    lows: Tensor
    spans: Tensor

    def __init__(self, G: nn.Module, view: LayerView) -> None:
        super().__init__()
        self.view, self.maps = view, LayerMaps(G, view.layer, view.channels)
        device = next(G.parameters()).device
        lows, highs = (torch.tensor(each)[:, None, None] for each in (view.lows, view.highs))
        self.register_buffer("table", colour_table(view.colours).to(device))
        self.register_buffer("lows", lows.to(device))
        self.register_buffer("spans", (highs - lows).to(device))
        self.eval()

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, 3, height, width] in -1..1; NaN has the first colour.

        Raises:
            LatentError: the layer gives no maps, or has no such channel.
        """
        maps = self.maps(z).float()  # Shape [N, channels, h, w].
        shares = torch.where(self.spans > 0, (maps - self.lows) / self.spans, 0.0)
        levels = shares.nan_to_num(0).clamp(0, 1).mul(LEVELS - 1).round().long()
        return self._lay_out(self.table[levels])

    def _lay_out(self, coloured: Tensor) -> Tensor:
        """float [N, channels, h, w, 3] -> float [N, 3, height, width], with black gaps."""
        count, channels, h, w, _ = coloured.shape
        grid = coloured.new_full((count, *self.view.size_px(h, w), 3), -1)
        for channel in range(channels):
            y, x = divmod(channel, self.view.columns)
            top, left = y * (h + GAP_PX), x * (w + GAP_PX)
            grid[:, top : top + h, left : left + w] = coloured[:, channel]
        return grid.permute(0, 3, 1, 2)


@torch.inference_mode()
def measure_levels(
    source: CheckpointSource,
    z: Tensor,
    layer: str,
    channels: Sequence[int],
    batches: Sequence[int],
    device: str = "cpu",
    on_progress: OnProgress = ignore_progress,
) -> tuple[list[float], list[float]]:
    """The least and the greatest number of each channel, at some points over some checkpoints.

    Args:
        z: float32 [N, z_dim].
        layer, channels: as in `LayerView`.
        batches: ascending.
        on_progress: called with the number of checkpoints done and of all.

    Returns:
        (lows, highs), a number for each channel; 0 where a channel has no finite number.

    Raises:
        RenderError: a checkpoint is missing.
        LatentError: there is no such layer or channel.
    """
    lows = torch.full((len(channels),), math.inf)
    highs, maps = -lows, None
    for done, (_, G) in enumerate(stream_exactly(source, batches, device), 1):
        if maps is None or maps.generator is not G:
            maps = LayerMaps(G, layer, channels)
        for point in z.to(device).split(1):  # One by one, as a large layer of many fills a card.
            given = maps(point).float().transpose(0, 1).flatten(1).cpu()
            finite = given.isfinite()
            lows = torch.minimum(lows, given.where(finite, math.inf).amin(1))
            highs = torch.maximum(highs, given.where(finite, -math.inf).amax(1))
        on_progress(done, len(batches))
    seen = highs >= lows
    return lows.where(seen, 0).tolist(), highs.where(seen, 0).tolist()
