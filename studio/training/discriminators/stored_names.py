"""Keeps the name under which training states hold the last layer of discriminators."""

from __future__ import annotations

from typing import Any

from torch import nn

STORED, NAMED = "judge.", "to_logit."


def keep_stored_names(D: nn.Module) -> None:
    """Let a discriminator's state dict, saved and loaded, name its layer to_logit as states do."""
    D.register_state_dict_post_hook(_write_stored)
    D.register_load_state_dict_pre_hook(_read_stored)


def _write_stored(D: nn.Module, weights: dict[str, Any], prefix: str, metadata: Any) -> None:
    _rename(weights, prefix + NAMED, prefix + STORED)


def _read_stored(D: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    _rename(weights, prefix + STORED, prefix + NAMED)


def _rename(weights: dict[str, Any], before: str, after: str) -> None:
    for name in [name for name in weights if name.startswith(before)]:
        weights[after + name.removeprefix(before)] = weights.pop(name)
