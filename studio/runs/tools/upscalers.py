"""A run at a batch as a tool that makes pictures larger."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from checkpoints_index import CheckpointIndex
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.architectures import ARCHITECTURES
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.catalogue import list_runs, open_catalogue, read_spec
from studio.runs.selection import choose_batches, last_batch
from studio.workspace.errors import StudioError
from studio.workspace.names import split_checkpoint
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class RunUpscaler:
    """The network of a run at a batch, which enlarges pictures of any size.

    Attributes:
        run, batch: where it comes from.
        network: in eval mode, on the CPU; an `EnlargingNetwork` of `renderers.upscaling.tiles`.
        digest: of its weights.
    """

    run: str
    batch: int
    network: nn.Module
    digest: str

    def __str__(self) -> str:
        return f"{self.run}@{self.batch}"

    @property
    def scale(self) -> int:
        """How many times as wide and high pictures become."""
        network: Any = self.network
        return int(network.scale)


def can_enlarge(spec: GeneratorSpec) -> bool:
    """Whether the network of a run enlarges pictures."""
    return hasattr(ARCHITECTURES.get(spec.architecture), "enlarge")


def find_upscaler(workspace: Workspace, text: str) -> tuple[str, int, GeneratorSpec]:
    """Read RUN@BATCH, or RUN for its newest batch, without reading weights.

    Raises:
        StudioError: the text is neither, the run makes nothing larger, or has no such batch.
        CheckpointError: there is no such run.
    """
    run, batch = split_checkpoint(text)
    catalogue = open_catalogue(workspace.runs, run)
    if not can_enlarge(catalogue.spec):
        others = ", ".join(filter(partial(_enlarges, workspace), list_runs(workspace.runs)))
        advice = "Train one, or import published weights: studio import FILE --run NAME"
        advice = f"Runs that do: {others}." if others else advice
        raise StudioError(f"Run '{run}' draws pictures and makes none larger. {advice}")
    batch = last_batch(catalogue.batches, run) if batch is None else batch
    choose_batches(catalogue.batches, str(batch), run)
    return run, batch, catalogue.spec


def open_upscaler(workspace: Workspace, text: str) -> RunUpscaler:
    """The upscaler that RUN@BATCH names, or RUN for its newest batch.

    Raises:
        StudioError: as `find_upscaler`.
        CheckpointError: there is no such run, or its checkpoint cannot be read.
    """
    run, batch, _ = find_upscaler(workspace, text)
    checkpoints = CheckpointIndex(workspace.runs)[run]
    network = checkpoints.generator(batch).requires_grad_(False)
    return RunUpscaler(run, batch, network, checkpoints.digest([batch]))


def _enlarges(workspace: Workspace, run: str) -> bool:
    try:
        return can_enlarge(read_spec(workspace.runs, run))
    except CheckpointError:  # What cannot be read is no run to be proposed.
        return False
