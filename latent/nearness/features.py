"""Describe latent points by features, in which nearness can be measured: the spaces.

- `z`            the latent vectors themselves;
- `w`            what a mapping network makes of them, if there is one (Karras et al. 2019);
- `pictures`     what one sees: the generated pictures, averaged down to 16 x 16 pixels;
- `activations`  what the generator sees: its hidden maps, each averaged to 4 x 4, of all layers
                 after a non-linearity or of one layer by its name;
- `features`     what another network sees in the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latent.errors import LatentError
from latent.nearness.layers import find_layer

Z_SPACE = "z"
SPACES = ("pictures", "activations", Z_SPACE, "w", "features")
PLAIN_SPACES = ("pictures", "activations", Z_SPACE)  # Every generator has them by itself.
OF_PICTURES = ("pictures", "features")  # Spaces that also describe pictures nobody generated.
CHUNK = 64  # So many pictures are rendered at a time.
PICTURE_PX, MAP_PX = 16, 4


@dataclass(frozen=True)
class Space:
    """A space by its name, with what it needs besides the generator.

    Args:
        name: one of SPACES.
        layer: of `activations`: the name of one layer, as `G.named_modules()` has it.
        network: of `features`: pictures float32 [N, 3, H, W] in -1..1 -> float [N, ...].
        network_name: what people call the network.

    Raises:
        LatentError: no such space, or a layer or a network where it has no meaning, or none where
            it is needed.
    """

    name: str = "pictures"
    layer: str | None = None
    network: nn.Module | None = None
    network_name: str = ""

    def __post_init__(self) -> None:
        if self.name not in SPACES:
            known = ", ".join(SPACES)
            raise LatentError(f"There is no feature space '{self.name}'. Known: {known}.")
        if self.layer is not None and self.name != "activations":
            raise LatentError(f"A layer is of the space activations; '{self.name}' has none.")
        if (self.network is not None) != (self.name == "features"):
            raise LatentError(
                "The space features is what a network sees, and no other space has one: name the "
                "space features and a network together."
            )

    @property
    def title(self) -> str:
        """The space in words that tell it from others: `activations of blocks.2`."""
        further = self.layer or self.network_name
        return f"{self.name} of {further}" if further else self.name


def compute_features(
    G: nn.Module,
    z: Tensor,
    space: str | Space = "pictures",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Describe latent points by one vector each.

    Args:
        G: generator in eval mode, z [N, z_dim] -> [N, 3, H, W] in -1..1.
        z: float32 [N, z_dim].
        space: a Space, or the name of one that needs nothing else.
        on_progress: called with the number of points described and of all.

    Returns:
        float32 [N, num_features] on the CPU.

    Raises:
        LatentError: there is no such space or layer, the generator has no `w`, or it gives numbers
            that are not finite.
    """
    space = Space(space) if isinstance(space, str) else space
    if space.name == "z":
        return z.float().cpu()
    with torch.inference_mode():
        G.forward(z[:1].to(_device(G)))  # Foreign networks are tried out when they are first used.
    rows = []
    for chunk in torch.split(z, CHUNK):
        rows.append(_describe(G, chunk.to(_device(G)), space).float().cpu())
        on_progress(min(len(rows) * CHUNK, len(z)), len(z))
    features = torch.cat(rows)
    if not features.isfinite().all():
        raise LatentError(
            f"The generator gives numbers that are not finite, so nothing is near in "
            f"'{space.title}': its weights are damaged, or training had failed. Choose an earlier "
            "checkpoint."
        )
    return features


@torch.inference_mode()
def describe_pictures(pictures: Tensor, space: str | Space = "pictures") -> Tensor:
    """Describe pictures that need not be generated ones, such as those a run was trained on.

    Args:
        pictures: float32 [N, 3, H, W] in -1..1, a few at a time.
        space: one of OF_PICTURES.

    Returns:
        float32 [N, num_features], as `compute_features` gives for a generator's pictures.

    Raises:
        LatentError: the space describes latent points alone.
    """
    space = Space(space) if isinstance(space, str) else space
    if space.network is not None:
        seen: Tensor = space.network(pictures)
        return seen.flatten(1).float()
    if space.name not in OF_PICTURES:
        raise LatentError(
            f"Pictures that no latent point made have no place in '{space.title}': use "
            f"{' or '.join(OF_PICTURES)}."
        )
    return F.adaptive_avg_pool2d(pictures, PICTURE_PX).flatten(1)


def has_mapping(G: nn.Module) -> bool:
    """Whether a generator has a space `w`: a module `mapping` that takes z."""
    return isinstance(getattr(G, "mapping", None), nn.Module)


@torch.inference_mode()
def _describe(G: nn.Module, z: Tensor, space: Space) -> Tensor:
    if space.name == "w":
        return _map(G, z)
    if space.name == "activations":
        return _describe_activations(G, z, space.layer)
    return describe_pictures(G(z), space)


def _map(G: nn.Module, z: Tensor) -> Tensor:
    """What the mapping makes of z; where it gives the same w for every layer, one of them."""
    if not has_mapping(G):
        raise LatentError(
            "This generator has no space w: it has no module called mapping. Use z, pictures or "
            "activations."
        )
    mapping = G.mapping
    assert isinstance(mapping, nn.Module)
    # As the generator calls it: with z normalised, with labels, or whatever.
    _, given = _watch(G, [mapping], z)
    if not given:
        raise LatentError("This generator has a module called mapping, and does not use it for z.")
    w = given[-1]
    return w[:, 0] if w.ndim == 3 and bool((w == w[:, :1]).all()) else w.flatten(1)


def _describe_activations(G: nn.Module, z: Tensor, layer: str | None) -> Tensor:
    """Hidden maps, each scaled by its size so that large ones do not win."""
    modules = list(_nonlinearities(G)) if layer is None else [find_layer(G, layer)]
    pictures, outputs = _watch(G, modules, z)
    maps: list[Tensor] = []
    for output in outputs:
        if output.ndim == 4:
            pooled = F.adaptive_avg_pool2d(output, MAP_PX).flatten(1)
            maps.append(pooled / pooled.shape[1] ** 0.5)
        elif layer is not None:
            maps.append(output.flatten(1))
    if not maps and layer is not None:
        raise LatentError(f"Layer '{layer}' gives no maps for a latent point. Name another.")
    return torch.cat(maps, 1) if maps else describe_pictures(pictures)


def _watch(G: nn.Module, modules: list[nn.Module], z: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The pictures of points, and what some modules give on the way, in the order in which they do.

    A network that draws noise is called for each point by itself, so that its pictures are a
    function of the point; then each point is watched by itself as well.

    Returns:
        (float [N, 3, H, W], tensors with a row for each point).
    """
    pictures, outputs = _record(G, G, modules, z)
    if all(len(output) == len(z) for output in outputs):
        return pictures, outputs
    each = [_record(G, G.forward, modules, row)[1] for row in z.split(1)]
    return pictures, [torch.cat(parts) for parts in zip(*each, strict=True)]


def _record(
    G: nn.Module, call: Callable[[Tensor], Tensor], modules: list[nn.Module], z: Tensor
) -> tuple[Tensor, list[Tensor]]:
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output)

    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        return call(z), outputs
    finally:
        for hook in hooks:
            hook.remove()


def _nonlinearities(G: nn.Module) -> Iterator[nn.Module]:
    return (m for m in G.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU | nn.SiLU | nn.GELU))


def _device(G: nn.Module) -> torch.device:
    return next(G.parameters()).device
