"""Every checkpoint of a training run, stored small: batch -> generator.

`CheckpointIndex` maps names to runs, `CheckpointRun` maps batches to generators, and
`GeneratorSpec` rebuilds a generator. They are loaded when first used, so that listing runs does
not import torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checkpoints_index.generators.spec import GeneratorSpec

if TYPE_CHECKING:
    from checkpoints_index.index import CheckpointIndex
    from checkpoints_index.run import CheckpointRun

__all__ = ["CheckpointIndex", "CheckpointRun", "GeneratorSpec"]


def __getattr__(name: str) -> Any:
    if name == "CheckpointIndex":
        from checkpoints_index.index import CheckpointIndex

        return CheckpointIndex
    if name == "CheckpointRun":
        from checkpoints_index.run import CheckpointRun

        return CheckpointRun
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
