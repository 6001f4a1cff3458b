"""What the layers of G and D hold: weights, biases, activations, and units that are dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from studio.runs.metrics import MetricsLog

BINS = 32
SAMPLE = 1 << 16  # values that stand for all of a tensor's
RECTIFIERS = {
    *(F.relu, F.relu_, F.leaky_relu, F.leaky_relu_),
    *(torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
}


@dataclass(frozen=True)
class Histogram:
    """Counts of finite values in bins of equal width from low to high; none where none is."""

    low: float
    high: float
    counts: tuple[int, ...]
    mean: float
    deviation: float


@dataclass(frozen=True)
class LayerHistograms:
    """One layer's histograms.

    Attributes:
        layer: its name in the network, such as `blocks.0.1`.
        weights, biases: None where it has none.
        activations: what came out of it.
        units: channels after a ReLU or LeakyReLU, else None;
        dead_units: those among them that were above zero nowhere, for no picture.
    """

    layer: str
    weights: Histogram | None
    biases: Histogram | None
    activations: Histogram
    units: int | None = None
    dead_units: int | None = None


@torch.no_grad()
def measure_layers(network: nn.Module, inputs: Tensor) -> list[LayerHistograms]:
    """Look into a network while it works on one batch, and leave it as it was.

    Batch norm's statistics and spectral norm's vectors stay, since the network is in eval mode
    meanwhile. Rectifiers are seen as modules and as functions alike.

    Args:
        inputs: z [N, z_dim] for G, pictures [N, 3, S, S] for D; 16 or more tell dead units well.

    Returns:
        Layers in the order in which they work.
    """
    with evaluating(network), _Looking(network) as looking:
        network(inputs)
    return looking.layers


def append_histograms(
    path: Path, batch: int, networks: Mapping[str, Sequence[LayerHistograms]]
) -> None:
    """Add a line to a run's histograms.jsonl: {"batch", "networks": {"G": [...], "D": [...]}}."""
    layers = {name: [asdict(layer) for layer in found] for name, found in networks.items()}
    line: dict[str, Any] = {"networks": layers}
    log = MetricsLog(path)
    try:
        log.append(batch, line)
    finally:
        log.close()


def histogram_of(values: Tensor) -> Histogram:
    """The histogram of a tensor; of a large one, of values at even distances."""
    flat = values.detach().flatten()
    flat = flat[:: -(-flat.numel() // SAMPLE)].float().cpu()
    flat = flat[flat.isfinite()]
    if not flat.numel():
        return Histogram(0.0, 0.0, (), 0.0, 0.0)
    low, high = float(flat.min()), float(flat.max())
    counts = torch.histc(flat, BINS, low, high)
    mean, deviation = float(flat.mean()), float(flat.std(correction=0))
    return Histogram(low, high, tuple(counts.int().tolist()), mean, deviation)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Eval mode, and then for each module the mode that it was in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class _Looking(TorchFunctionMode):
    """Notes every layer with weights, and every rectifier, as it works."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layers: list[LayerHistograms] = []
        self._network = network
        self._within: list[str] = []

    def __enter__(self) -> _Looking:
        self._hooks: list[Any] = []
        for name, module in self._network.named_modules():
            self._hooks.append(module.register_forward_pre_hook(self._entering(name)))
            self._hooks.append(module.register_forward_hook(self._leave))
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in RECTIFIERS and output.ndim > 1:
            self.layers.append(self._rectified(func.__name__.rstrip("_"), output))
        return output

    def _entering(self, name: str) -> Any:
        return lambda module, inputs: self._within.append(name)

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        name = self._within.pop()
        weight = getattr(module, "weight", None)
        if isinstance(weight, Tensor) and isinstance(output, Tensor):
            bias = getattr(module, "bias", None)
            biases = histogram_of(bias) if isinstance(bias, Tensor) else None
            self.layers.append(
                LayerHistograms(name, histogram_of(weight), biases, histogram_of(output))
            )

    def _rectified(self, kind: str, output: Tensor) -> LayerHistograms:
        units = output.transpose(0, 1).flatten(1).amax(1)  # [C]
        dead = int((units <= 0).sum())
        name = self._free_name(kind)
        return LayerHistograms(name, None, None, histogram_of(output), len(units), dead)

    def _free_name(self, kind: str) -> str:
        """The rectifier itself, or the module that calls it as a function, and which call it is."""
        inside = self._within[-1]
        if isinstance(self._network.get_submodule(inside), nn.ReLU | nn.LeakyReLU):
            return inside
        base = f"{inside}.{kind}".lstrip(".")
        taken = sum(layer.layer.split("#")[0] == base for layer in self.layers)
        return f"{base}#{taken + 1}" if taken else base
