"""One checkpoint as a file that other programs read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from checkpoints_index.errors import CheckpointError
from checkpoints_index.files import create_whole
from checkpoints_index.run import CheckpointRun

Weights = dict[str, Tensor]


def _encode_with_torch(weights: Weights, facts: dict[str, str]) -> bytes:
    buffer = BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


ENCODINGS: dict[str, Callable[[Weights, dict[str, str]], bytes]] = {
    ".safetensors": safetensors.torch.save,
    ".pt": _encode_with_torch,
}


def export_checkpoint(run: CheckpointRun, batch: int, path: Path, overwrite: bool = False) -> None:
    """Write the state dict at a batch, whole or not at all.

    Args:
        path: ends in `.safetensors`, which also tells the run, the batch, the architecture with
            its options (JSON), the storage and the promise (JSON); or in `.pt`, as `torch.save`
            writes it.
        overwrite: replace a file of that name.

    Raises:
        CheckpointError: another suffix, a file that is there already, or one that cannot be
            written; there is no such checkpoint, or it is damaged.
    """
    if path.suffix not in ENCODINGS:
        raise CheckpointError(
            f"'{path.name}' cannot be exported: a checkpoint is written as .safetensors or .pt."
        )
    if path.exists() and not overwrite:
        raise CheckpointError(f"{path} exists already. Choose another name, or overwrite it.")
    content = ENCODINGS[path.suffix](run.weights(batch), _describe(run, batch))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_whole(path, content)
    except OSError as error:
        raise CheckpointError(
            f"Checkpoint {batch} of run '{run.name}' ({len(content):,} bytes) could not be written "
            f"to {path}: {error.strerror}. Choose another place, or put that right."
        ) from error


def _describe(run: CheckpointRun, batch: int) -> dict[str, str]:
    return {
        "run": run.name,
        "batch": str(batch),
        "architecture": run.spec.architecture,
        "options": json.dumps(run.spec.options),
        "storage": run.storage,
        "promise": json.dumps(asdict(run.promise) if run.promise else None),
    }
