"""Where the units of a chain's hidden layers lie, by walking along its description."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.units.hidden_layers import ConstantSum, HiddenLayer, TensorAxis

Layer = dict[str, Any]  # A layer as a chain describes it.
NAMELESS = "_nameless"  # Where a chain keeps its layers without a name.
WIDTHS = {  # By what makes and reads units: the options with the channels before and behind it.
    "Linear": ("in_features", "out_features"),
    "Conv2d": ("in_channels", "out_channels"),
    "ConvTranspose2d": ("in_channels", "out_channels"),
}
UNIT_AXES = {"Linear": (1, 0), "Conv2d": (1, 0), "ConvTranspose2d": (0, 1)}  # Read, made.
NORMS = ("BatchNorm1d", "BatchNorm2d", "InstanceNorm2d")
REFINEMENTS = {False: "DenseRefinement", True: "LeakyRefinement"}  # By whether it is a grid.
# Layers that do the same to each channel by itself.
ACTIVATIONS = ("ReLU", "LeakyReLU", "ELU", "SELU", "GELU", "SiLU", "Tanh", "Sigmoid")
SIZING = ("Upsample", "ZeroPad2d", "Identity")


@dataclass
class ChainUnits:
    """A hidden layer of a chain: what makes its units, what stands behind that, and what reads it.

    Attributes:
        maker, reader: positions in the chain.
        between: positions of the layers between them.
        spans: by the position of what has places of units in tensors, how many a unit takes.
        is_grid: whether units are channels of a grid, rather than numbers.
        obstacle: why its units cannot be told apart; empty where they can.
    """

    maker: int
    reader: int
    between: list[int] = field(default_factory=list)
    spans: dict[int, int] = field(default_factory=dict)
    is_grid: bool = False
    obstacle: str = ""


def list_chain_layers(layers: Sequence[Layer]) -> list[HiddenLayer]:
    """The hidden layers of a chain whose units can be told apart.

    Raises:
        CheckpointError: there are none; the text says why.
    """
    return [_declare(layers, each) for each in _changeable(layers)]


def resize_chain(layers: Sequence[Layer], units: Mapping[str, int]) -> list[Layer]:
    """The same chain with so many units in each of its hidden layers."""
    resized = copy.deepcopy([*layers])
    for each in _changeable(layers):
        count = units[layer_name(layers, each.maker)]
        maker, reader = resized[each.maker], resized[each.reader]
        maker[WIDTHS[maker["layer"]][1]] = count * each.spans[each.maker]
        reader[WIDTHS[reader["layer"]][0]] = count
        for position in each.between:
            layer = resized[position]
            if layer["layer"] in NORMS:
                layer["num_features"] = count * each.spans[position]
            elif layer["layer"] == "Unflatten":
                layer["unflattened_size"] = [count, *layer["unflattened_size"][1:]]
            elif layer["layer"] in REFINEMENTS.values():
                layer["channels"] = count
    return resized


def deepen_chain(layers: Sequence[Layer], name: str) -> list[Layer]:
    """The same chain with a refinement more behind a hidden layer.

    It stands behind the layer's norm and activation, and before the grid is enlarged.

    Raises:
        CheckpointError: there is no such hidden layer.
    """
    known = {layer_name(layers, each.maker): each for each in _changeable(layers)}
    if name not in known:
        raise CheckpointError(
            f"A chain takes a further layer behind {', '.join(known)}, not behind '{name}'."
        )
    each, names = known[name], {layer.get("name") for layer in layers}
    behind = [at for at in each.between if layers[at]["layer"] not in SIZING]
    position = 1 + max([each.maker, *behind])
    free = (f"{name}_refinement_{n}" for n in range(1, 2 + len(layers)))
    refinement = {
        "layer": REFINEMENTS[each.is_grid],
        "name": next(free_name for free_name in free if free_name not in names),
        "channels": _count(layers, each),
    }
    return [*layers[:position], refinement, *layers[position:]]


def layer_name(layers: Sequence[Layer], position: int) -> str:
    """The name of a layer of a chain in its state dict."""
    if "name" in layers[position]:
        return str(layers[position]["name"])
    return f"{NAMELESS}.{sum('name' not in layer for layer in layers[:position])}"


def _changeable(layers: Sequence[Layer]) -> list[ChainUnits]:
    found = [*_walk(layers)]
    changeable = [each for each in found if not each.obstacle]
    if not changeable:
        why = "; ".join(dict.fromkeys(each.obstacle for each in found))
        raise CheckpointError(
            f"No layer of this chain can be changed: {why or 'it has no hidden layer'}. Layers can "
            "where each channel goes its own way from one convolution or dense layer to the next."
        )
    return changeable


def _walk(layers: Sequence[Layer]) -> Iterator[ChainUnits]:
    """Each pair of layers with weights that follow one another, and what stands between."""
    makers = [at for at, layer in enumerate(layers) if layer["layer"] in WIDTHS]
    before = layers[: makers[0]] if makers else []
    is_grid = any(layer["layer"] == "Unflatten" for layer in before)
    for maker, reader in pairwise(makers):
        each = ChainUnits(maker, reader, [*range(maker + 1, reader)], {maker: 1}, is_grid)
        each.obstacle = _obstacle(layers, maker, is_grid)
        for position in each.between:
            _pass(layers, each, position)
        each.obstacle = each.obstacle or _obstacle(layers, reader, each.is_grid)
        is_grid = each.is_grid
        yield each


def _obstacle(layers: Sequence[Layer], position: int, is_grid: bool) -> str:
    """Why units cannot be told apart that a layer makes or reads; empty where they can."""
    layer, name = layers[position], layer_name(layers, position)
    if layer["layer"] == "Linear" and is_grid:
        return f"'{name}' is dense along the width of a grid"
    if layer.get("groups", 1) != 1:
        return f"'{name}' convolves in groups of channels"
    return ""


def _pass(layers: Sequence[Layer], each: ChainUnits, position: int) -> None:
    """Follow the units through a layer that stands between what makes and what reads them."""
    layer = layers[position]
    kind = layer["layer"]
    if kind == "Unflatten":
        sizes = [*layer["unflattened_size"]]
        if each.is_grid or layer["dim"] not in (1, -1) or len(sizes) != 3 or min(sizes) < 1:
            each.obstacle = f"behind '{layer_name(layers, each.maker)}' units lie in several axes"
            return
        each.is_grid = True
        each.spans = {at: sizes[1] * sizes[2] for at in each.spans}
    elif kind in NORMS or kind in REFINEMENTS.values():
        each.spans[position] = 1
    elif kind not in (*ACTIVATIONS, *SIZING):
        each.obstacle = f"{kind} behind '{layer_name(layers, each.maker)}' mixes channels"


def _count(layers: Sequence[Layer], each: ChainUnits) -> int:
    maker = layers[each.maker]
    return int(maker[WIDTHS[maker["layer"]][1]]) // each.spans[each.maker]


def _declare(layers: Sequence[Layer], each: ChainUnits) -> HiddenLayer:
    name, reader = layer_name(layers, each.maker), layer_name(layers, each.reader)
    axis = UNIT_AXES[layers[each.maker]["layer"]][1]
    own = [TensorAxis(f"{name}.weight", axis, each.spans[each.maker])]
    if layers[each.maker].get("bias", True):
        own.append(TensorAxis(f"{name}.bias", 0, each.spans[each.maker]))
    read, readers = [], []
    for position in each.between:
        part, kind = layer_name(layers, position), layers[position]["layer"]
        if kind in NORMS:
            tensors = _norm_tensors(layers[position])
            own += [TensorAxis(f"{part}.{t}", 0, each.spans[position]) for t in tensors]
        elif kind in REFINEMENTS.values():
            own += [TensorAxis(f"{part}.{t}", 0) for t in ("weight", "bias")]
            read.append(TensorAxis(f"{part}.weight", 1))
            readers.append(part)
    unit_axis, out_axis = UNIT_AXES[layers[each.reader]["layer"]]
    read.append(TensorAxis(f"{reader}.weight", unit_axis))
    constant = None
    is_padded = any(layers[position]["layer"] == "ZeroPad2d" for position in each.between)
    if not readers and not is_padded and _sums_exactly(layers[each.reader]):
        constant = ConstantSum(f"{reader}.bias", f"{reader}.weight", unit_axis, out_axis)
    places = tuple(own), tuple(read), (*readers, reader)
    return HiddenLayer(name, _count(layers, each), *places, constant=constant)


def _norm_tensors(norm: Layer) -> list[str]:
    is_instance = norm["layer"] == "InstanceNorm2d"
    scales = ["weight", "bias"] if norm.get("affine", not is_instance) else []
    is_tracked = norm.get("track_running_stats", not is_instance)
    return [*scales, *(["running_mean", "running_var"] if is_tracked else [])]


def _sums_exactly(reader: Layer) -> bool:
    """Whether a layer meets each unit with all of its weights at each place, and has a bias."""
    if not reader.get("bias", True):
        return False
    return reader["layer"] == "Linear" or (
        reader["layer"] == "Conv2d" and reader.get("padding", 0) in (0, [0, 0], (0, 0), "valid")
    )
