"""How much memory appending takes beside the training, before there is a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index.codec.steps.calibration import may_be_rounded
from checkpoints_index.codec.steps.lean_calibration import PROBED_VALUES, is_large
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.writing.appender import max_snapshots

INTEGERS, TRACKERS = 2, 4  # bytes a weight of storage visual
COPIES, LEAN_COPIES = 3, 1  # of the integers: the newest, the next ones, those of the last hop


def estimate_memory(
    spec: GeneratorSpec, weights: Mapping[str, Tensor], storage: str, device: str | torch.device
) -> int:
    """About the bytes of memory, of the CPU, that appending takes at most.

    Weights that are lent, as the training loop does, are copied once where they are large.

    Args:
        spec: what rebuilds the generator.
        weights: its state dict, whose numbers do not matter.
        storage: "visual" or "exact".
        device: where the training has the generator. On a GPU, pictures take none of this.
    """
    size_bytes = sum(tensor.nbytes for tensor in weights.values())
    lean, on_cpu = is_large(weights), torch.device(device).type == "cpu"
    copies = size_bytes * (1 if lean else max_snapshots(weights))
    if storage == "exact":
        return copies + COPIES * size_bytes
    rounded = sum(tensor.numel() for tensor in weights.values() if may_be_rounded(tensor))
    integers = INTEGERS * rounded * (LEAN_COPIES if lean else COPIES)
    trackers = 0 if lean and on_cpu else TRACKERS * rounded
    if not lean:  # The generator of the pictures, and rounded weights for it.
        return copies + integers + trackers + 2 * size_bytes
    if not on_cpu:
        return copies + integers + trackers
    return copies + integers + (bytes_of_a_pass(spec) if spec.is_ours else 2 * size_bytes)


@torch.inference_mode()
def bytes_of_a_pass(spec: GeneratorSpec) -> int:
    """About what the calibration of a large generator of ours holds while it renders.

    That is the maps, or the weights, of the layer that has most of them. Nothing is computed.
    """
    most = [0]

    def look(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        tensors = [t for t in (*given, made) if isinstance(t, Tensor)]
        own = _bytes_of(module.parameters(recurse=False))
        most[0] = max(most[0], _bytes_of(tensors), own)

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        G = spec.build()
        for module in G.modules():
            if not any(module.children()):
                module.register_forward_hook(look)
        pictures = max(1, math.ceil(PROBED_VALUES / (3 * spec.image_size**2)))
        G(torch.empty(pictures, spec.z_dim))
    return most[0]


def _bytes_of(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
