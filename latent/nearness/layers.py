"""The layers of a generator: which there are, and what one of them makes of latent points."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latent.errors import LatentError

NAMED_LAYERS = 8  # A sentence names so many layers.


@dataclass(frozen=True)
class Layer:
    """A layer that gives maps.

    Args:
        name: as `G.named_modules()` has it.
        kind: its class.
        channels: how many maps it gives for a latent point.
        height_px, width_px: the size of each.
    """

    name: str
    kind: str
    channels: int
    height_px: int
    width_px: int


def find_layer(G: nn.Module, name: str) -> nn.Module:
    """A layer by its name.

    Raises:
        LatentError: there is none; the error names some.
    """
    known: dict[str, nn.Module] = dict(G.named_modules())
    if name not in known or not name:
        raise LatentError(f"The generator has no layer '{name}'. Known: {_some(list(known))}.")
    return known[name]


@torch.inference_mode()
def list_layers(G: nn.Module, z: Tensor) -> list[Layer]:
    """The layers that give maps, in the order in which they do.

    A layer that is used several times in a pass is listed as it was used last.

    Args:
        G: generator in eval mode.
        z: float32 [1, z_dim], any point, on the device of G.
    """
    found: dict[str, Layer] = {}

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                _, channels, height, width = output.shape
                found.pop(name, None)
                found[name] = Layer(name, type(module).__name__, channels, height, width)

        return hook

    named = [(name, module) for name, module in G.named_modules() if name]
    hooks = [module.register_forward_hook(keep(name)) for name, module in named]
    try:
        G(z)
    finally:
        for hook in hooks:
            hook.remove()
    return list(found.values())


class LayerMaps(nn.Module):
    """A generator that gives the maps of one of its layers instead of pictures.

    Args:
        G: generator in eval mode, whose weights may change in place later on.
        name: of the layer.
        channels: which maps, in the order in which they are given.

    Raises:
        LatentError: there is no such layer.
    """

    places: Tensor

    def __init__(self, G: nn.Module, name: str, channels: Sequence[int]) -> None:
        super().__init__()
        self.generator, self.name, self.channels = G, name, list(channels)
        first = next(G.parameters(), None)
        # On the device, since what is copied there cannot be recorded as a CUDA graph.
        device = None if first is None else first.device
        self.register_buffer("places", torch.tensor(self.channels, dtype=torch.long, device=device))
        # Passes of several threads through one generator each have maps of their own.
        self._kept = threading.local()
        find_layer(G, name).register_forward_hook(self._keep)

    def forward(self, z: Tensor) -> Tensor:
        """float [N, z_dim] -> float [N, channels, height, width].

        Raises:
            LatentError: the layer gives no maps, or has no such channel.
        """
        maps = self._draw(z)
        if len(maps) != len(z):  # A network that draws noise is called for each point by itself.
            maps = torch.cat([self._draw(row) for row in z.split(1)])
        return maps

    def _draw(self, z: Tensor) -> Tensor:
        self._kept.maps = None
        self.generator(z)
        maps: Tensor | None = self._kept.maps
        if maps is None:
            raise LatentError(
                f"Layer '{self.name}' gives no maps for a latent point. Name another."
            )
        self._kept.maps = None
        return maps

    def _keep(self, module: nn.Module, inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            return
        require_channels(self.name, self.channels, output.shape[1])
        # This copies, as what comes next in the network may write over its input.
        self._kept.maps = output.index_select(1, self.places)


def require_channels(layer: str, channels: Sequence[int], count: int) -> None:
    """Refuse channels that a layer has not.

    Raises:
        LatentError: one is out of range, or none was named.
    """
    wrong = [channel for channel in channels if not 0 <= channel < count]
    if wrong or not channels:
        named = f"there is no channel {wrong[0]}" if wrong else "none of them was named"
        raise LatentError(f"Layer '{layer}' has {count} channels, from 0 to {count - 1}: {named}.")


def _some(names: list[str]) -> str:
    named = [name for name in names if name]
    return ", ".join(named[:NAMED_LAYERS]) + (", ..." if len(named) > NAMED_LAYERS else "")
