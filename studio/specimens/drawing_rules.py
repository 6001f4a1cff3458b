"""Points that nobody has to keep, since their labels say how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage.catalogue import (
    checkpoints_folder,
    holds_run,
    open_catalogue,
    read_description,
)
from latent.maps.neighbourhood import Neighbourhood
from latent.points import LatentPoint, Shape, keep_normal, sample_point, seeded_point
from studio.workspace.names import MAX_SHOWN
from studio.workspace.paths import Workspace


def shape_of(workspace: Workspace, run: str) -> Shape:
    """What makes latent points of a run of those that are drawn; a run to come has normal ones.

    Raises:
        UndrawnPointsError: the run's points are given, and cannot be drawn.
        DamagedDescriptionError: the run's description is damaged.
    """
    folder = checkpoints_folder(workspace.runs, run)
    if not holds_run(folder):
        return keep_normal
    spec, *_ = read_description(run, folder)
    spec.require_drawn(run)
    return spec.shape_z


def can_draw(workspace: Workspace, run: str) -> bool:
    """Whether latent points of a run can be drawn; those of a run to come can."""
    folder = checkpoints_folder(workspace.runs, run)
    return not holds_run(folder) or read_description(run, folder)[0].can_draw


@dataclass(frozen=True)
class DrawingRule:
    """The points of a run that nobody has to keep; what it needs of the run is read once."""

    workspace: Workspace
    run: str
    z_dim: int

    @cached_property
    def _shape(self) -> Shape:
        return shape_of(self.workspace, self.run)

    @cached_property
    def _spec(self) -> GeneratorSpec:
        return open_catalogue(self.workspace.runs, self.run).spec

    @cached_property
    def batches(self) -> list[int]:
        """The batches that have a checkpoint, ascending."""
        return open_catalogue(self.workspace.runs, self.run).batches

    def draw_seed(self, seed: int) -> LatentPoint:
        """The point `seed:N`."""
        return seeded_point(seed, self.z_dim, self._shape)

    def draw_shown(self, batch: int, number: int) -> LatentPoint | None:
        """The point of a label that pages and atlases show without keeping it; None for others."""
        trained = bool(self.batches) and self.batches[0] <= batch <= self.batches[-1]
        if not trained or number >= MAX_SHOWN or not self._spec.can_draw:
            return None
        return sample_point(batch, number, self.z_dim, shape=self._shape)

    def draw_around(self, centre: Tensor, around: Neighbourhood, number: int) -> LatentPoint:
        """A point of a neighbourhood, in the distribution that the run was trained with.

        Args:
            centre: the point in the middle, float32 [z_dim], which has the number 0.

        Raises:
            UndrawnPointsError: the run's points are given, and cannot be drawn.
        """
        self._spec.require_drawn(self.run)
        label = f"{around.prefix}{number}"
        if number == 0:
            return LatentPoint(label, centre)
        normal = around.place(self._spec.unshape_z(centre), number)
        return LatentPoint(label, self._spec.shape_z(normal))
