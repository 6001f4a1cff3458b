"""Changes the networks of a run at a batch, as a branch of it, and measures what that does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checkpoints_index import CheckpointIndex, GeneratorSpec
from checkpoints_index.storage.catalogue import open_catalogue
from renderers.progress import OnProgress
from studio.runs.config import TrainingConfig
from studio.runs.settings import SIZES
from studio.specimens.points import FIXED, points_of
from studio.training.loop.state import below
from studio.training.setup.branching import BranchOrigin, branch_off, read_first_state
from studio.training.surgery.branch_making import MadeNetworks, make_branch
from studio.training.surgery.effects import (
    NetworkSize,
    PictureChange,
    compare_pictures,
    draw_before_and_after,
    measure_size,
    time_pictures,
)
from studio.training.surgery.looked_at import choose_inputs
from studio.training.surgery.reshaping_plan import LayerChange, Reshaping, choose_layers
from studio.training.surgery.state_surgery import generators_of, reshape_state
from studio.workspace.errors import StudioError
from studio.workspace.paths import Workspace

PASS = 16  # Points of one pass, at least.
STEPS = 4  # Measuring, changing, comparing, writing.
# From the generator, its networks by name, and what they are run on, to what becomes of them.
Plan = Callable[[GeneratorSpec, Mapping[str, nn.Module], Sequence[Tensor]], Reshaping]


@dataclass(frozen=True)
class Surgery:
    """What is asked for.

    Attributes:
        origin: the run, and the batch at which it is changed.
        kind: one of vacuum, cull, widen and deepen.
        plan: decides which units go and come.
        words: what was asked for, such as `units below 1e-05`.
        points: at how many latent points units are looked at, and pictures compared.
        storage: exact or visual; that of the run where None.
    """

    origin: BranchOrigin
    kind: str
    plan: Plan
    words: str
    points: int
    storage: str | None = None


@dataclass(frozen=True)
class SurgeryOutcome:
    """What was changed, and what it does."""

    changes: Sequence[LayerChange]
    before: NetworkSize
    after: NetworkSize
    pictures: PictureChange


def check_surgery(workspace: Workspace, origin: BranchOrigin, layers: Sequence[str]) -> None:
    """Refuse networks that cannot be changed, as far as that shows before they are read.

    Args:
        layers: the names of layers, as somebody wrote them.

    Raises:
        StudioError: the recipe trains others, or there is no such layer.
        CheckpointError: unknown run, or an architecture that does not say where its units are.
    """
    spec = open_catalogue(workspace.runs, origin.run).spec
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        spec.build()  # What stands in a run's folder may describe no network at all.
    choose_layers(spec, layers)
    config = _read_config(workspace, origin)
    if config is not None:
        generators_of(config.recipe)


def operate(
    workspace: Workspace,
    surgery: Surgery,
    name: str | None,
    sheet: Path,
    device: str,
    on_progress: OnProgress,
) -> SurgeryOutcome:
    """Change the networks, measure what that does, and make a run of them.

    Args:
        name: that of the new run; None to measure alone.
        sheet: where a picture of before and after is written.
        device: pictures are timed on it.

    Raises:
        StudioError: there is nothing to change, or the run cannot be made.
        CheckpointError: as `check_surgery`.
    """
    origin = surgery.origin
    spec, config = open_catalogue(workspace.runs, origin.run).spec, _read_config(workspace, origin)
    state = None
    if config is not None:
        state = read_first_state(branch_off(workspace, origin, config))
    networks = _build_networks(workspace, origin, spec, config, state)
    chosen = choose_inputs(workspace, spec, config, surgery.points)
    inputs = [*chosen.tensor_split(max(1, len(chosen) // PASS))]  # None has one point alone.
    on_progress(1, STEPS)

    reshaping = surgery.plan(spec, networks, inputs)
    changes = [change for change in reshaping.changes if change.before != change.after]
    if reshaping.after == spec or (reshaping.fresh is None and not changes):
        raise StudioError(
            f"Nothing of run '{origin.run}' was changed at batch {origin.batch:,}: with "
            f"{surgery.words}, every unit of its layers stays."
        )
    made = _reshape(reshaping, networks, config, state, origin)
    made = dataclasses.replace(made, storage=surgery.storage or _storage_of(workspace, origin))
    on_progress(2, STEPS)

    rendered = next(iter(networks.values()))
    after = reshaping.after.build()
    after.load_state_dict(made.weights)
    pictures = compare_pictures(rendered, after, inputs)
    points = points_of(workspace, origin.run, FIXED)
    labels = [point.label for point in points] or [f"seed {i}" for i in range(PASS)]
    z = torch.stack([point.z for point in points]) if points else inputs[0][: len(labels)]
    draw_before_and_after(rendered, after, z, labels[: len(z)], sheet)
    paces = time_pictures([rendered.to(device), after.to(device)], inputs[0].to(device))
    old, new = measure_size(rendered, paces[0]), measure_size(after, paces[1])
    on_progress(3, STEPS)

    if name is not None:
        words = f"{surgery.kind} of {origin}, {surgery.words}: {tell_changes(changes, old, new)}"
        make_branch(workspace, name, made, origin.parentage(surgery.kind), words)
    on_progress(4, STEPS)
    return SurgeryOutcome(changes, old, new, pictures)


def tell_changes(changes: Sequence[LayerChange], before: NetworkSize, after: NetworkSize) -> str:
    """Which layers have how many units now, and how many weights there are, in words."""
    units = ", ".join(f"{c.layer} {c.before:,} -> {c.after:,}" for c in changes)
    weights = f"weights {before.weights:,} -> {after.weights:,}"
    return f"{units}; {weights}" if units else weights


def _read_config(workspace: Workspace, origin: BranchOrigin) -> TrainingConfig | None:
    """The settings in force at the batch; None of a run that was imported."""
    if not workspace.run_config(origin.run).exists():
        return None
    return TrainingConfig.from_dict(origin.settings(workspace))


def _storage_of(workspace: Workspace, origin: BranchOrigin) -> str:
    return open_catalogue(workspace.runs, origin.run).storage


def _build_networks(
    workspace: Workspace,
    origin: BranchOrigin,
    spec: GeneratorSpec,
    config: TrainingConfig | None,
    state: tuple[dict[str, Any], dict[str, Tensor]] | None,
) -> dict[str, nn.Module]:
    """The generators of the run, the rendered one first; one that learns is in training mode."""
    if config is None or state is None:
        return {"G_ema": CheckpointIndex(workspace.runs)[origin.run].generator(origin.batch)}
    networks = {}
    for name, optimizer in generators_of(config.recipe).items():
        network = spec.build()
        network.load_state_dict(below(state[1], name))
        networks[name] = network.train(optimizer is not None)
    return networks


def _reshape(
    reshaping: Reshaping,
    networks: Mapping[str, nn.Module],
    config: TrainingConfig | None,
    state: tuple[dict[str, Any], dict[str, Tensor]] | None,
    origin: BranchOrigin,
) -> MadeNetworks:
    """The changed networks: the weights to be rendered, the settings and the state to train on."""
    rendered, network = next(iter(networks.items()))
    if config is None or state is None:
        weights = reshaping.weights(network.state_dict(), rendered)
        return MadeNetworks(reshaping.after, weights, None, None, "")
    options = {k: v for k, v in reshaping.after.options.items() if k not in SIZES}
    config = dataclasses.replace(config, generator_options=options, parent=str(origin))
    changed = reshape_state(*state, reshaping, config)
    weights = below(changed[1], rendered)
    return MadeNetworks(reshaping.after, weights, config, changed, "")
