"""One checkpoint as a file that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage.files import create_whole

Weights = dict[str, Tensor]


def _encode_with_torch(weights: Weights, facts: dict[str, str]) -> bytes:
    buffer = BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


# What makes a file's content of a state dict and of what the file tells besides, by its suffix.
ENCODINGS: dict[str, Callable[[Weights, dict[str, str]], bytes]] = {
    ".safetensors": safetensors.torch.save,
    ".pt": _encode_with_torch,
}


def export_weights(
    read: Callable[[], Weights], facts: dict[str, str], path: Path, overwrite: bool
) -> None:
    """Write a state dict, whole or not at all; see `CheckpointRun.export`.

    Args:
        read: gives the weights; it is called when nothing else stands in the way.
        facts: what a `.safetensors` file tells beside its tensors; "run" and "batch" are there.
        path: ends in one of ENCODINGS; its folder is made if it is not there.
        overwrite: replace a file of that name.

    Raises:
        CheckpointError: another suffix, a file that is there already, or one that cannot be
            written; or `read` raises it.
    """
    if path.suffix not in ENCODINGS:
        raise CheckpointError(
            f"'{path.name}' cannot be exported: a checkpoint is written as .safetensors or .pt."
        )
    if path.exists() and not overwrite:
        raise CheckpointError(f"{path} exists already. Choose another name, or overwrite it.")
    content = ENCODINGS[path.suffix](read(), facts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_whole(path, content)
    except OSError as error:
        raise CheckpointError(
            f"Checkpoint {facts['batch']} of run '{facts['run']}' ({len(content):,} bytes) could "
            f"not be written to {path}: {error.strerror}. Choose another place, or put that right."
        ) from error
