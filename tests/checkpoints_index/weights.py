"""Weights that tests compare, and those that were kept by older versions."""

import torch


def same(a, b):
    """Whether two state dicts hold the same tensors."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def weights_of_format_2(spec, moved):
    """A checkpoint of a run of format 2, by the formula that those were made with.

    Args:
        moved: how far it had moved, in a unit of which each weight has a multiple of its own.
    """
    weights = {}
    for name, tensor in spec.build().state_dict().items():
        counted = torch.arange(tensor.numel(), dtype=torch.float64)
        values = ((counted * 37) % 101 - 50) / 1024 + ((counted * 11) % 13 - 6) * moved
        weights[name] = values.reshape(tensor.shape).to(tensor.dtype)
    return weights
