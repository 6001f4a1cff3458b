"""Points that a run was never trained on: those outside of its distribution."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints_index.run import CheckpointRun
from latent.points import LatentPoint


def describe_outside(checkpoints: CheckpointRun, points: Sequence[LatentPoint]) -> list[str]:
    """Say which points lie outside of the distribution that a run was trained with.

    Returns:
        A sentence for each; none where all lie inside.
    """
    spec = checkpoints.spec
    return [
        f"{point.label} lies outside of the {spec.z_distribution} distribution that run "
        f"'{checkpoints.name}' was trained with; what is made of it lies inside."
        for point in points
        if not spec.holds_z(point.z)
    ]
