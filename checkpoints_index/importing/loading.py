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
from checkpoints_index.importing.bounds.guard import find_wanted_class, guard_reading, look_at
from checkpoints_index.importing.bounds.tensors import MAX_TENSORS
from checkpoints_index.importing.inert_classes import INERT

LOOKED_AT_BYTES = 1 << 24


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
        try:
            content = _load_torch(path, is_zip)
        except Exception as error:  # The library says what it lacks, rather than what the file is.
            if _is_network(path):
                raise UnusableFileError(_describe_network(find_wanted_class(error))) from error
            raise
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
    with warnings.catch_warnings(), torch.serialization.safe_globals(INERT):
        warnings.simplefilter("ignore")  # They are about TorchScript; the error says more.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)


def _is_network(path: Path) -> bool:
    """Whether the beginning of a file has the names that every pickled `nn.Module` has in it."""
    with path.open("rb") as file:
        beginning = file.read(LOOKED_AT_BYTES)
    return all(name in beginning for name in (b"_modules", b"_parameters", b"_buffers"))


def _describe_network(wanted: str) -> str:
    """Why a whole network is not read; its class is named where it is known."""
    code = f"the code of '{wanted}'" if wanted else "its code"
    return (
        f"is a whole network that needs {code}, and code in files is not run; save its weights "
        "where that code is: torch.save(G.state_dict(), FILE)"
    )
