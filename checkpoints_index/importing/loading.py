"""Reading other people's weights without running their code."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.archives import ZIP, bound_torch_archive, check_sums
from checkpoints_index.importing.bounds.guard import guard_reading, look_at
from checkpoints_index.importing.bounds.tensors import MAX_TENSORS


def load_content(path: Path, check: bool = False) -> Mapping[Any, Any]:
    """What a file of `torch.save` or safetensors holds; tensors are read when they are used.

    Args:
        path: the file.
        check: hold all bytes against the checksums of the file, where it has some.

    Raises:
        UnusableFileError: it is empty or damaged, needs code to be read, or is no mapping.
    """
    with guard_reading():
        look = look_at(path)
        if path.suffix.lower() == ".safetensors":
            return _load_safetensors(path)
        is_zip = look.beginning.startswith(ZIP)
        if is_zip:
            bound_torch_archive(path, look.size_bytes)
        content = _load_torch(path, is_zip)
        if check and is_zip:
            check_sums(path)
    if not isinstance(content, Mapping):
        raise UnusableFileError(f"holds a {type(content).__name__} rather than a state dict")
    return content


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        if len(names) > MAX_TENSORS:
            raise UnusableFileError(f"has {len(names):,} tensors, at most {MAX_TENSORS:,} are read")
        return {name: file.get_tensor(name) for name in names}


def _load_torch(path: Path, is_zip: bool) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # They are about TorchScript; the error says more.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
