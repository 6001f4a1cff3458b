"""Reading other people's weights without running their code."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from checkpoints_index.errors import UnusableFileError

_ZIP = b"PK\x03\x04"
_WANTED_CLASS = re.compile(r"GLOBAL (\S+)")


def load_content(path: Path, check: bool = False) -> Mapping[Any, Any]:
    """What a file of `torch.save` or safetensors holds; tensors are read when they are used.

    Args:
        path: the file.
        check: hold all bytes against the checksums of the file, where it has some.

    Raises:
        UnusableFileError: it is empty or damaged, needs code to be read, or is no mapping.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(4)
    except OSError as error:
        raise UnusableFileError(f"cannot be read ({error.strerror})") from error
    if not beginning:
        raise UnusableFileError("is empty")
    if path.suffix.lower() == ".safetensors":
        return _load_safetensors(path)
    is_zip = beginning == _ZIP
    content = _load_torch(path, is_zip)
    if check and is_zip:
        _check_zip(path)
    if not isinstance(content, Mapping):
        raise UnusableFileError(f"holds a {type(content).__name__} rather than a state dict")
    return content


def _load_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UnusableFileError(f"is damaged, or no safetensors ({error})") from error


def _load_torch(path: Path, is_zip: bool) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # They are about TorchScript; the error says more.
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
        except Exception as error:  # Reading arbitrary bytes may lead to anything.
            raise UnusableFileError(_explain(error)) from error


def _explain(error: Exception) -> str:
    wanted = _WANTED_CLASS.search(str(error))
    if wanted:
        return (
            f"needs the code of '{wanted.group(1)}' to be read, and code in files is not run; "
            "re-save its weights alone where that code is: torch.save(G.state_dict(), FILE)"
        )
    if "TorchScript" in str(error):
        return (
            "is a TorchScript program; save its weights: "
            "torch.save(torch.jit.load(FILE).state_dict(), FILE)"
        )
    said = (str(error).strip().splitlines() or [""])[0].split(". ")[0]
    return f"is damaged, or no file of torch.save ({type(error).__name__}{said and ': '}{said})"


def _check_zip(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise UnusableFileError(f"is damaged ({error})") from error
    if broken is not None:
        raise UnusableFileError(f"is damaged: '{broken}' in it does not match its checksum")
