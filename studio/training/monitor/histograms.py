"""Histograms of weights, biases and activations of the layers of G and D, and dead units."""

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
SAMPLE = 1 << 16  # So many values of a larger tensor stand for all of them.
RECTIFIERS = {
    *(F.relu, F.relu_, F.leaky_relu, F.leaky_relu_),
    *(torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
}


@dataclass(frozen=True)
class Histogram:
    """Counts of finite values in equal bins from low to high; empty where no value is finite."""

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
        activations: the histogram of its output.
        units: the number of channels after a ReLU or LeakyReLU, else None.
        dead_units: the number of these that were nowhere above zero, for no picture.
    """

    layer: str
    weights: Histogram | None
    biases: Histogram | None
    activations: Histogram
    units: int | None = None
    dead_units: int | None = None


@torch.no_grad()
def measure_layers(network: nn.Module, inputs: Tensor) -> list[LayerHistograms]:
    """Measure all layers of a network while it runs on one batch, and leave it as it was.

    The network is in eval mode meanwhile, so that the statistics of batch norm and the vectors of
    spectral norm stay. Rectifiers are found both as modules and as functions.

    Args:
        inputs: z [N, z_dim] for G, pictures [N, 3, S, S] for D; an N of 16 or more finds dead
            units reliably.

    Returns:
        The layers in the order in which they run.
    """
    with evaluating(network), _LayerRecorder(network) as recorder:
        network(inputs)
    return recorder.layers


def append_histograms(
    path: Path, batch: int, networks: Mapping[str, Sequence[LayerHistograms]]
) -> None:
    """Append a line to histograms.jsonl: {"batch", "networks": {"G": [...], "D": [...]}}."""
    layers = {name: [asdict(layer) for layer in found] for name, found in networks.items()}
    line: dict[str, Any] = {"networks": layers}
    log = MetricsLog(path)
    try:
        log.append(batch, line)
    finally:
        log.close()


def histogram_of(values: Tensor) -> Histogram:
    """The histogram of a tensor [...]; for a large one, of values at even distances."""
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
    """Put a network into eval mode, and then each of its modules back into its mode."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class _LayerRecorder(TorchFunctionMode):
    """Measures every layer with weights, and every rectifier, when it runs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layers: list[LayerHistograms] = []
        self._network = network
        self._within: list[str] = []

    def __enter__(self) -> _LayerRecorder:
        self._hooks: list[Any] = []
        for name, module in self._network.named_modules():
            self._hooks.append(module.register_forward_pre_hook(self._entering(name)))
            self._hooks.append(module.register_forward_hook(self._leave))
        mode: Any = super()  # torch has no types for these two methods.
        mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        mode: Any = super()
        mode.__exit__(*error)
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
        """The name of a rectifier: its module; for a function, its caller and which call it is."""
        inside = self._within[-1]
        if isinstance(self._network.get_submodule(inside), nn.ReLU | nn.LeakyReLU):
            return inside
        base = f"{inside}.{kind}".lstrip(".")
        taken = sum(layer.layer.split("#")[0] == base for layer in self.layers)
        return f"{base}#{taken + 1}" if taken else base
