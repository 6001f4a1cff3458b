"""Reading other people's weights without running their code."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.importing.bounds.archives import ZIP, bound_torch_archive, check_sums
from checkpoints_index.importing.bounds.guard import OpenFile, find_wanted_class, guard_reading
from checkpoints_index.importing.bounds.tensors import bound_count
from checkpoints_index.importing.inert_classes import INERT
from checkpoints_index.storage.seals import Seal, check_tensors

SAFETENSORS = ".safetensors"
LOOKED_AT_BYTES = 1 << 24


def load_content(
    file: OpenFile, is_safetensors: bool = False, check: bool = False
) -> Mapping[Any, Any]:
    """What a file of `torch.save` or safetensors holds; tensors are read when they are used.

    Args:
        file: what `open_once` opened.
        is_safetensors: which of both it is.
        check: hold all bytes against the checksums of the file, where it has some.

    Raises:
        UnusableFileError: it is damaged, needs code to be read, or is no mapping.
    """
    with guard_reading():
        if is_safetensors:
            return _load_safetensors(file.path)
        is_zip = file.beginning.startswith(ZIP)
        try:
            sizes = bound_torch_archive(file.path, file.size_bytes) if is_zip else {}
            content = _load_torch(file.path, mmap=is_zip)
            if is_zip:
                _require_whole_storages(content, sizes, file.path)
        except UnusableFileError:
            raise
        except Exception as error:  # The library says what it lacks, rather than what the file is.
            if _is_network(file.path):
                raise UnusableFileError(_describe_network(find_wanted_class(error))) from error
            raise
        if check and is_zip:
            check_sums(file.path)
    if not isinstance(content, Mapping):
        raise UnusableFileError(f"holds a {type(content).__name__} rather than a state dict")
    return content


def _require_whole_storages(content: object, sizes: Mapping[int, int], path: Path) -> None:
    """Hold what tensors claim against the parts of the file that their numbers lie in.

    Mapped into memory, a part that is too short would go on with whatever bytes follow it.

    Args:
        content: what was loaded, which tells whether there is anything to be held.
        sizes: the bytes of each part, by the byte of the file that it begins at.
        path: the file.

    Raises:
        UnusableFileError: a tensor claims another number of bytes than its part has.
    """
    layouts = {tensor.layout for tensor in _find_tensors(content)}
    if layouts != {torch.strided}:
        return  # There is no tensor, or some of a kind that cannot be looked at and is refused.
    for tensor in _find_tensors(_load_torch(path, "meta")):
        storage = tensor.untyped_storage()
        start = getattr(storage, "_checkpoint_offset", None)
        if start is not None and sizes.get(start) != storage.nbytes():
            raise UnusableFileError(
                f"is damaged: {sizes.get(start, 0):,} bytes of it stand for weights of "
                f"{storage.nbytes():,}"
            )


def _find_tensors(content: object) -> Iterator[Tensor]:
    """The tensors in nested mappings, each mapping once."""
    waiting, seen = [content], set[int]()
    while waiting:
        held = waiting.pop()
        if isinstance(held, Tensor):
            yield held
        elif isinstance(held, Mapping) and id(held) not in seen:
            seen.add(id(held))
            waiting += held.values()


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    if check_tensors(path) is Seal.BROKEN:
        raise UnusableFileError("was exported here and has changed since: its checksum differs")
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        bound_count(len(names))
        return {name: file.get_tensor(name) for name in names}


def _load_torch(path: Path, device: str = "cpu", mmap: bool = False) -> object:
    with warnings.catch_warnings(), torch.serialization.safe_globals(INERT):
        warnings.simplefilter("ignore")  # They are about TorchScript; the error says more.
        return torch.load(str(path), map_location=device, weights_only=True, mmap=mmap)


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
