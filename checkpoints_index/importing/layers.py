"""The layers of a network and their order, from the names and shapes of its tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.chain import is_layer_name

MAX_LAYERS = 100
MAX_TRIALS = 5_000  # A search for the order of layers is given up after so many.
PICTURE_CHANNELS = (1, 3)
MIN_PICTURE_PX = 16  # A smaller one is rather a vector whose length happens to be a square.
_NORM = {"running_mean", "running_var"}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class NetworkLayer:
    """A module with weights.

    Args:
        name: its name in the state dict, such as "main.0".
        shapes: the shapes of its tensors by their last names, such as "weight".
    """

    name: str
    shapes: dict[str, Shape]

    @property
    def weight(self) -> Shape:
        """The shape of its weight; () where it has none."""
        return self.shapes.get("weight", ())

    @property
    def is_norm(self) -> bool:
        """Whether it is a batch norm with running statistics."""
        return self.shapes.keys() >= _NORM


@dataclass(frozen=True)
class Flow:
    """What passes between two layers: a vector, or a grid of maps.

    Args:
        is_grid: which of them.
        width: number of the vector's numbers, or of the grid's maps.
    """

    is_grid: bool
    width: int


@dataclass(frozen=True)
class PlacedLayer:
    """A layer in its place.

    Args:
        layer: the layer.
        kind: its class in torch.nn.
        taken: the width that it takes.
        given: what it gives to the next one.
    """

    layer: NetworkLayer
    kind: str
    taken: int
    given: Flow


def read_layers(weights: Mapping[str, Tensor]) -> list[NetworkLayer]:
    """The layers of a state dict, in the order of the file.

    Raises:
        UnusableFileError: one is of a kind whose meaning the shapes do not show.
    """
    shapes: dict[str, dict[str, Shape]] = {}
    for name, tensor in weights.items():
        module, _, kind = name.rpartition(".")
        shapes.setdefault(module, {})[kind] = tuple(tensor.shape)
    layers = [NetworkLayer(name, inside) for name, inside in shapes.items()]
    if len(layers) > MAX_LAYERS:
        raise UnusableFileError(f"has {len(layers)} layers, more than any plain generator")
    for layer in layers:
        _check(layer)
        if not is_layer_name(layer.name):
            raise UnusableFileError(f"names a layer '{layer.name}', as no module of PyTorch can be")
    return layers


def order_layers(layers: Sequence[NetworkLayer]) -> list[PlacedLayer]:
    """Put layers in the order in which they lead from a latent point to a picture.

    The order of the file is taken where it does; else (safetensors sort their names) the first one
    that does and keeps numbers in names ascending, `main.3` before `main.10`.

    Raises:
        UnusableFileError: there is no such order.
    """
    by_name = sorted(layers, key=lambda layer: natural_parts(layer.name))
    steps = Arrangement(layers, in_order=True).find() or Arrangement(by_name).find()
    if steps is None:
        raise UnusableFileError(_explain(layers, by_name))
    z_dim, given = steps[0].taken, steps[-1].given
    if not given.is_grid and z_dim >= given.width:
        raise UnusableFileError(
            f"turns {z_dim} numbers into {given.width}: an image-to-image network, "
            "which has no latent point"
        )
    return steps


class Arrangement:
    """A search for the order of layers in which each takes what the one before gives.

    Args:
        layers: the layers.
        in_order: whether no other order than this one is tried.
    """

    def __init__(self, layers: Sequence[NetworkLayer], in_order: bool = False) -> None:
        self._layers, self._in_order = layers, in_order
        self._trials = 0
        self._earlier = {
            layer.name: {other.name for other in layers if _must_precede(other.name, layer.name)}
            for layer in layers
        }

    def find(self) -> list[PlacedLayer] | None:
        """The first order that takes all layers and ends in a picture; None where there is none."""
        return self._go_on(list(self._layers), None)

    def _go_on(
        self, rest: list[NetworkLayer], last: PlacedLayer | None
    ) -> list[PlacedLayer] | None:
        self._trials += 1
        if self._trials > MAX_TRIALS:
            return None
        if not rest:
            return [] if last is not None and _is_picture(last.given) else None
        for layer in self._candidates(rest, last):
            for step in self._readings(layer, last.given if last else None):
                following = self._go_on([other for other in rest if other is not layer], step)
                if following is not None:
                    return [step, *following]
        return None

    def _candidates(self, rest: list[NetworkLayer], last: PlacedLayer | None) -> list[NetworkLayer]:
        """The layers that may come next; norms first where a convolution was the last."""
        if self._in_order:
            return rest[:1]
        names = {layer.name for layer in rest}
        possible = [layer for layer in rest if not self._earlier[layer.name] & names]
        wants_norm = last is not None and not last.layer.is_norm
        return sorted(possible, key=lambda layer: layer.is_norm != wants_norm)

    def _readings(self, layer: NetworkLayer, flow: Flow | None) -> Iterator[PlacedLayer]:
        """What a layer may be, given what flows into it; None stands for a latent point."""
        if layer.is_norm:
            yield from _read_norm(layer, flow)
        elif len(layer.weight) == 2:
            given, taken = layer.weight
            if flow is None or flow == Flow(False, taken):
                yield PlacedLayer(layer, "Linear", taken, Flow(False, given))
        else:
            for kind, taken, given in self._convolutions(layer):
                latent = flow is None and kind == "ConvTranspose2d" and layer.weight[2] > 1
                if latent or (flow is not None and _fits_grid(flow, taken)):
                    yield PlacedLayer(layer, kind, taken, Flow(True, given))

    def _convolutions(self, layer: NetworkLayer) -> list[tuple[str, int, int]]:
        """The classes that a convolution may be of, with its channels, the likelier one first.

        The weight of a transposed convolution is [in, out, k, k], that of a plain one [out, in, k,
        k].
        Where both would fit: generators narrow on their way, and an even kernel doubles.
        """
        a, b, kernel, _ = layer.weight
        bias = layer.shapes.get("bias")
        readings = [("ConvTranspose2d", a, b), ("Conv2d", b, a)]
        fitting = [reading for reading in readings if bias in (None, (reading[2],))]
        if a < b or (a == b and kernel % 2 and not self._transposes(kernel)):
            fitting.reverse()
        return fitting

    def _transposes(self, kernel: int) -> bool:
        """Whether the layers with this kernel that leave no doubt are all transposed."""
        shapes = [s.weight for s in self._layers if len(s.weight) == 4 and s.weight[2] == kernel]
        return any(a > b for a, b, *_ in shapes) and not any(a < b for a, b, *_ in shapes)


def natural_parts(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in names as numbers.

    Example:
        >>> sorted(["main.10", "main.3"], key=natural_parts)
        ['main.3', 'main.10']
    """
    parts = re.split(r"([0-9]+)", name)
    return [_number_key(part) if i % 2 else (0, 0, part) for i, part in enumerate(parts)]


def _number_key(digits: str) -> tuple[int, int, str]:
    """Sorts digits as numbers without making numbers of them, which may be thousands of digits."""
    plain = digits.lstrip("0")
    return 1, len(plain), plain


def _must_precede(name: str, other: str) -> bool:
    """Whether two names first differ in a number, and this one's is smaller."""
    for a, b in zip(natural_parts(name), natural_parts(other), strict=False):
        if a != b:
            return a[0] == b[0] == 1 and a < b
    return False


def _read_norm(layer: NetworkLayer, flow: Flow | None) -> Iterator[PlacedLayer]:
    (width,) = layer.shapes["running_mean"]
    if flow == Flow(False, width):
        yield PlacedLayer(layer, "BatchNorm1d", width, Flow(False, width))
    elif flow is not None and _fits_grid(flow, width):
        yield PlacedLayer(layer, "BatchNorm2d", width, Flow(True, width))


def _fits_grid(flow: Flow, channels: int) -> bool:
    """Whether a flow is a grid of so many maps, or a vector that can be folded into one."""
    if flow.is_grid:
        return flow.width == channels
    pixels, rest = divmod(flow.width, channels)
    return rest == 0 and pixels > 1 and math.isqrt(pixels) ** 2 == pixels


def picture_channels(width: int) -> int | None:
    """The channels, 3 or 1, with which a vector can be a square picture; None where it cannot.

    Example:
        >>> picture_channels(3 * 64 * 64), picture_channels(100)
        (3, None)
    """
    for channels in PICTURE_CHANNELS:
        side = math.isqrt(width // channels)
        if side >= MIN_PICTURE_PX and channels * side**2 == width:
            return channels
    return None


def _is_picture(flow: Flow) -> bool:
    if flow.is_grid:
        return flow.width in PICTURE_CHANNELS
    return picture_channels(flow.width) is not None


def _check(layer: NetworkLayer) -> None:
    """Refuse a layer whose meaning its shapes do not show."""
    known = {"weight", "bias"}
    if not all(size for shape in layer.shapes.values() for size in shape):
        raise UnusableFileError(f"'{layer.name}' has a tensor without numbers")
    if layer.is_norm and layer.shapes.keys() <= known | _NORM | {"num_batches_tracked"}:
        return
    ndim, plain = len(layer.weight), layer.shapes.keys() <= known
    if plain and ndim == 1:
        raise UnusableFileError(
            f"'{layer.name}' is a normalisation without running statistics, or a learned "
            "activation, whose settings the shapes do not show"
        )
    square = ndim == 4 and layer.weight[2] == layer.weight[3]
    if not plain or not (ndim == 2 or square):
        inside = ", ".join(f"{kind} {list(shape)}" for kind, shape in layer.shapes.items())
        raise UnusableFileError(f"'{layer.name}' ({inside}) is no layer of a plain generator")


def _explain(in_file: Sequence[NetworkLayer], by_name: Sequence[NetworkLayer]) -> str:
    for first in (in_file[0], by_name[0]):
        if len(first.weight) == 4 and first.weight[1] <= 4:
            return (
                f"begins with a convolution of pictures ('{first.name}', {first.weight[1]} "
                "channels): a discriminator or an image-to-image network, with no latent point"
            )
    weighted = [layer for layer in by_name if not layer.is_norm]
    if weighted and weighted[-1].weight[0] == 1:
        return f"ends in one number ('{weighted[-1].name}'): a discriminator"
    return "its layers do not follow one another from a latent point to a picture"
