"""How large a generator may be, whoever describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checkpoints_index.errors import CheckpointError

MAX_Z_DIM, MAX_IMAGE_SIZE = 1 << 16, 1 << 13
MAX_WEIGHTS = 1 << 32  # Of one generator.


def refuse_sizes(options: Mapping[str, Any]) -> None:
    """Refuse latent points and pictures of sizes that none has, before anything is allocated.

    Raises:
        CheckpointError: z_dim or image_size is no number, or is too large.
    """
    for name, most in (("z_dim", MAX_Z_DIM), ("image_size", MAX_IMAGE_SIZE)):
        size = options.get(name, 1)
        if isinstance(size, bool) or not isinstance(size, int) or size > most:
            raise CheckpointError(
                f"A generator's {name} is a whole number up to {most:,}, not {size!r:.40}."
            )


def check_counts(
    architecture: str,
    option: str,
    counts: Sequence[int],
    length: int,
    *,
    least: int = 0,
    most: int = 1 << 16,
) -> list[int]:
    """A list of counts, one for each layer; empty where none is given.

    Raises:
        CheckpointError: it has another length, or a count that cannot be.
    """
    is_list = isinstance(counts, list | tuple)  # Whoever describes it may have written another.
    given = [*counts] if is_list else []
    fits = all(isinstance(n, int) and not isinstance(n, bool) and least <= n <= most for n in given)
    if not is_list or (given and (len(given) != length or not fits)):
        raise CheckpointError(
            f"Generator '{architecture}' takes {option} as a list of {length} whole numbers from "
            f"{least} to {most:,}, not {counts!r:.60}."
        )
    return given
