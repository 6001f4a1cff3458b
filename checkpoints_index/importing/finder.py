"""Finding the one generator in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checkpoints_index.errors import UnusableFileError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing import keras_files
from checkpoints_index.importing.bounds.archives import ZIP
from checkpoints_index.importing.bounds.guard import OpenFile, guard_reading, open_once
from checkpoints_index.importing.bounds.tensors import bound_tensors, convert
from checkpoints_index.importing.formats.saved_model import is_saved_model, read_saved_model
from checkpoints_index.importing.keras_files import KerasFinder
from checkpoints_index.importing.loading import SAFETENSORS, load_content
from checkpoints_index.importing.parts import FilePart, Role, find_parts, is_unmeasured
from checkpoints_index.importing.recognition import (
    ByName,
    Recogniser,
    are_finite,
    choose_recogniser,
    distribute,
)

SUFFIXES = (".pt", ".pth", ".ckpt", SAFETENSORS, *keras_files.SUFFIXES)
# These may be anything; what they begin with tells whether torch.save, or pickle, wrote them.
LOOSE_SUFFIXES = (".tar", ".bin", ".pkl", ".model")
BEGINNINGS = (ZIP, b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def may_hold_weights(path: Path) -> bool:
    """Whether a file is looked into: by its suffix, and where that says little by its content."""
    suffix = path.suffix.lower()
    if suffix not in LOOSE_SUFFIXES:
        return suffix in SUFFIXES
    try:
        with open_once(path) as opened:
            return opened.beginning.startswith(BEGINNINGS)
    except (OSError, UnusableFileError):
        return False


@dataclass(frozen=True)
class FoundGenerator:
    """A generator in a file.

    Args:
        spec: what rebuilds it; its generator loads the weights as they are.
        part: where in the file it was, such as "models.netG"; "" for the whole of it.
        weights: its state dict.
        remarks: sentences that a person should know.
    """

    spec: GeneratorSpec
    part: str
    weights: dict[str, Tensor] = field(repr=False)
    remarks: tuple[str, ...] = ()

    @property
    def is_finite(self) -> bool:
        """Whether all of its weights are numbers."""
        return are_finite(self.weights)


class GeneratorFinder:
    """Finds the generator in each of many files.

    Args:
        generator: `package.module:Class`, or an architecture of this package; recognised by its
            shapes if None.
        options: those of that class or architecture; without a name, those of `Hints`.
        z_distribution: how its latent points are distributed; None: as it is told, or normal.
        known: the generator that all files are to be of, where that is not to be found out.

    Raises:
        CheckpointError: there is no such generator, or it does not take the options.
    """

    def __init__(
        self,
        generator: str | None = None,
        options: Mapping[str, Any] | None = None,
        z_distribution: str | None = None,
        known: GeneratorSpec | None = None,
    ) -> None:
        self._z_distribution = z_distribution
        self._recogniser: Recogniser
        if known is None:
            self._recogniser = choose_recogniser(generator, options or {}, z_distribution)
        else:
            self._recogniser, self._z_distribution = ByName(known), known.z_distribution
        self._keras = KerasFinder()

    def find(self, path: Path, check: bool = False) -> FoundGenerator:
        """The generator in a file. Its tensors are read when they are used.

        Args:
            path: the file, of one of SUFFIXES, or the folder of a SavedModel.
            check: hold the file against its checksums, for which all of it is read.

        Raises:
            UnusableFileError: there is none; the text says why.
        """
        with guard_reading():
            if is_saved_model(path):
                spec, weights = read_saved_model(path, check)
                return FoundGenerator(distribute(spec, self._z_distribution), "", weights)
            if path.suffix.lower() in keras_files.SUFFIXES:
                spec, weights = self._keras.find(path)
                return FoundGenerator(distribute(spec, self._z_distribution), "", weights)
            with open_once(path) as opened:
                return self._find(opened, path.suffix.lower() == SAFETENSORS, check)

    def learn(self, path: Path) -> bool:
        """Recognise the generator of a file, as that of all that have its shapes.

        Returns:
            False where nothing can be told by it, since its weights are not finite.

        Raises:
            UnusableFileError: it has no generator; the text says why.
        """
        if is_saved_model(path) or path.suffix.lower() in keras_files.SUFFIXES:
            return True  # Its configuration says what it is.
        return self.find(path).is_finite

    def _find(self, file: OpenFile, is_safetensors: bool, check: bool) -> FoundGenerator:
        parts = find_parts(load_content(file, is_safetensors, check))
        reasons = []
        for part in parts:
            held = _with_counters(self._recogniser.prepare(part.weights))
            try:
                bound_tensors(held, file.size_bytes)
                recognised = self._recogniser.recognise(held)
            except UnusableFileError as reason:
                reasons.append(reason)
                continue
            fitting = {
                name: convert(name, held[name], tensor.dtype)
                for name, tensor in recognised.expected.items()
            }
            remarks = (*_say_choice(part, parts), *recognised.remarks)
            return FoundGenerator(recognised.spec, part.name, fitting, remarks)
        raise reasons[0]


def _with_counters(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the counters of batch norm, which files from before PyTorch 0.4.1 do not have."""
    norms = [name.removesuffix("running_mean") for name in weights if name.endswith("running_mean")]
    counters = (f"{norm}num_batches_tracked" for norm in norms)
    missing = (name for name in counters if name not in weights)
    return {**weights, **{name: torch.zeros((), dtype=torch.long) for name in missing}}


def _say_choice(chosen: FilePart, parts: Sequence[FilePart]) -> tuple[str, ...]:
    """A line for files that hold more than one generator, such as G and G_ema."""
    others = [p.name for p in parts if p.role <= Role.GENERATOR and p.name != chosen.name]
    if not others:
        return ()
    said = f"'{chosen.name}' is taken; {', '.join(others)} beside it is left out."
    unmeasured = [p.name for p in parts if p.name in others and is_unmeasured(p)]
    if unmeasured and not is_unmeasured(chosen):
        said += f" The batch norms of {', '.join(unmeasured)} were never updated."
    return (said,)
