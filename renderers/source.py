"""Where a renderer gets its generators from."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from torch import nn

from latent.errors import UserError


class CheckpointSource(Protocol):
    """Checkpoints of one run, in order. It can be pickled, so that worker processes open it too."""

    def stream(
        self, batches: Sequence[int], device: str, modules: int = 1
    ) -> Iterator[tuple[int, nn.Module]]:
        """Yield (batch, G) for each of batches, G in eval mode on device.

        Args:
            modules: a G stays as it is until so many more were asked for.
        """
        ...


def stream_exactly(
    source: CheckpointSource, batches: Sequence[int], device: str, modules: int = 1
) -> Generator[tuple[int, nn.Module], None, None]:
    """`source.stream`, which must yield every batch, in order.

    Raises:
        UserError: a checkpoint is missing.
    """
    stream = iter(source.stream(batches, device, modules))
    for expected in batches:
        batch, G = next(stream, (None, None))
        if batch != expected or G is None:
            came = "nothing more" if batch is None else f"batch {batch}"
            raise UserError(
                f"The checkpoint of batch {expected} is missing: {came} came instead. "
                "Leave that batch out."
            )
        yield batch, G
