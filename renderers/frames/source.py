"""What a renderer asks of whoever gives it the checkpoints of a run."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from torch import nn

from renderers.errors import RenderError


class CheckpointSource(Protocol):
    """Gives the checkpoints of one run, in order.

    It can be pickled, so that worker processes open it too. Its errors keep their class, also
    where they come from a worker process.
    """

    def build(self) -> nn.Module:
        """A generator in eval mode on the CPU, into which checkpoints can be streamed."""
        ...

    def stream(
        self, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
    ) -> Iterator[tuple[int, nn.Module]]:
        """Yield (batch, G) for each of batches, G in eval mode on device.

        Args:
            into: modules on device that take turns at being G; each keeps its weights until all
                the others were asked for. The source uses one of its own if there are none.
        """
        ...


def stream_exactly(
    source: CheckpointSource, batches: Sequence[int], device: str, into: Sequence[nn.Module] = ()
) -> Generator[tuple[int, nn.Module], None, None]:
    """Stream checkpoints as `source.stream` does, and see that it yields every batch, in order.

    Args:
        batches, device, into: see `CheckpointSource.stream`.

    Raises:
        RenderError: a checkpoint is missing.
    """
    stream = iter(source.stream(batches, device, into))
    for expected in batches:
        batch, G = next(stream, (None, None))
        if batch != expected or G is None:
            came = "nothing more" if batch is None else f"batch {batch}"
            raise RenderError(
                f"The checkpoint of batch {expected} is missing: {came} came instead. "
                "Leave that batch out."
            )
        yield batch, G
