"""The layers of a run's generator."""

from __future__ import annotations

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.generators.representative import representative_z
from latent.nearness.layers import Layer, list_layers
from studio.workspace.errors import StudioError
from studio.workspace.names import shorten
from studio.workspace.paths import Workspace


def layers_of(checkpoints: CheckpointRun) -> list[Layer]:
    """The layers that give maps, in the order in which they do.

    Raises:
        CheckpointError: the generator cannot be built.
    """
    spec = checkpoints.spec
    return list_layers(checkpoints.build(), representative_z(spec, 1, seed=0))


def list_run_layers(workspace: Workspace, run: str) -> list[Layer]:
    """The layers of a run by its name; see `layers_of`.

    Raises:
        CheckpointError: unknown run, or its generator cannot be built.
    """
    return layers_of(CheckpointIndex(workspace.runs)[run])


def choose_layer(checkpoints: CheckpointRun, name: str) -> Layer:
    """A layer by its name.

    Raises:
        StudioError: the generator has no such layer, or it gives no maps.
    """
    found = {layer.name: layer for layer in layers_of(checkpoints)}
    if name not in found:
        raise StudioError(
            f"The generator of run '{checkpoints.name}' has no layer {shorten(name)} that gives "
            f"maps. List them: studio layers {checkpoints.name}"
        )
    return found[name]
