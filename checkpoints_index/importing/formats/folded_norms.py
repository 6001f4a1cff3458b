"""Weights under spectral norm and weight norm, computed from the factors that a file holds."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

# The endings of (weight, u, v) under spectral norm, and of (length, direction) under weight norm.
_SPECTRAL = (
    ("weight_orig", "weight_u", "weight_v"),
    (
        "parametrizations.weight.original",
        "parametrizations.weight.0._u",
        "parametrizations.weight.0._v",
    ),
    ("weight_bar", "weight_u", "weight_v"),
)
_LENGTHS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


def fold_norms(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights with which a network computes, where a file holds those under a norm.

    Args:
        weights: a state dict; what is under no norm stays as it is, in its place.
    """
    folded: dict[str, Tensor] = {}
    used: set[str] = set()
    for name in weights:
        if name in used:
            continue
        found = _fold_spectral(name, weights) or _fold_length(name, weights)
        if found is None:
            folded[name] = weights[name]
        else:
            module, weight, taken = found
            folded[f"{module}weight"] = weight
            used.update(taken)
    return {name: tensor for name, tensor in folded.items() if name not in used}


def _fold_spectral(
    name: str, weights: Mapping[str, Tensor]
) -> tuple[str, Tensor, list[str]] | None:
    """A weight divided by its largest singular value, as u and v estimate it (Miyato 2018)."""
    for endings in _SPECTRAL:
        module = name.removesuffix(endings[0])
        names = [module + ending for ending in endings]
        if module != name and all(other in weights for other in names):
            weight, u, v = (weights[other].float() for other in names)
            sigma = max(
                (torch.dot(u, matrix @ v) for matrix in _matrices(weight, u, v)),
                key=lambda value: float(value.abs()),
                default=None,
            )
            return None if sigma is None else (module, weight / sigma, names)
    return None


def _matrices(weight: Tensor, u: Tensor, v: Tensor) -> list[Tensor]:
    """The weight as a matrix from v to u: its rows are of axis 0, or 1 if it is transposed."""
    if weight.ndim < 2:
        return []
    unfolded = [weight.flatten(1), weight.transpose(0, 1).flatten(1)]
    return [matrix for matrix in unfolded if matrix.shape == (len(u), len(v))]


def _fold_length(name: str, weights: Mapping[str, Tensor]) -> tuple[str, Tensor, list[str]] | None:
    """A direction brought to its length (Salimans and Kingma 2016)."""
    for endings in _LENGTHS:
        module = next((name.removesuffix(e) for e in endings if name.endswith(e)), None)
        if module is None or not all(module + ending in weights for ending in endings):
            continue
        names = [module + ending for ending in endings]
        length, direction = (weights[other].float() for other in names)
        axes = [a for a in range(direction.ndim) if length.ndim == 0 or length.shape[a] == 1]
        norm = direction.square().sum(axes, keepdim=length.ndim > 0).sqrt()
        return module, direction * (length / norm), names
    return None
