"""One checkpoint as a file that other programs read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from checkpoints_index.errors import CheckpointError
from checkpoints_index.storage.files import create_whole
from checkpoints_index.storage.seals import KEY, UNSEALED, Seal, check_tensors, seal_tensors

Weights = dict[str, Tensor]


def _encode_with_torch(weights: Weights, facts: dict[str, str]) -> bytes:
    buffer = BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


def _encode_with_safetensors(weights: Weights, facts: dict[str, str]) -> bytes:
    return seal_tensors(safetensors.torch.save(weights, {**facts, KEY: UNSEALED}))


# What makes a file's content of a state dict and of what the file tells besides, by its suffix.
ENCODINGS: dict[str, Callable[[Weights, dict[str, str]], bytes]] = {
    ".safetensors": _encode_with_safetensors,
    ".pt": _encode_with_torch,
}


def find_export_damage(path: Path) -> str | None:
    """Why a file of `export_weights` is not what was written, as half a sentence; None if it is.

    A `.pt` file has checksums of its own. Files of older versions have none, and are believed.
    """
    try:
        if path.suffix == ".pt":
            with zipfile.ZipFile(path) as archive:
                changed = archive.testzip()
            return f"the checksum of its {changed} differs" if changed else None
        with safetensors.safe_open(path, framework="pt"):
            return "its checksum differs" if check_tensors(path) is Seal.BROKEN else None
    except (
        *(OSError, ValueError, EOFError, NotImplementedError),
        *(zipfile.BadZipFile, safetensors.SafetensorError),
    ) as error:
        return f"it cannot be read: {error}"


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
    suffix = path.suffix.lower()
    if suffix not in ENCODINGS:
        raise CheckpointError(
            f"'{path.name}' cannot be exported: a checkpoint is written as .safetensors or .pt."
        )
    if path.exists() and not overwrite:
        raise CheckpointError(f"{path} exists already. Choose another name, or overwrite it.")
    content = ENCODINGS[suffix](read(), facts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        create_whole(path, content)
    except OSError as error:
        raise CheckpointError(
            f"Checkpoint {facts['batch']} of run '{facts['run']}' ({len(content):,} bytes) could "
            f"not be written to {path}: {error.strerror}. Choose another place, or put that right."
        ) from error
