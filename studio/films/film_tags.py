"""What the file of a film says of itself: title, run, batches, points, licence and command."""

from __future__ import annotations

from collections.abc import Sequence

from checkpoints_index.errors import name_some

MAX_LABELS = 100  # So many points are named.


def write_tags(
    run: str, batches: Sequence[int], labels: Sequence[str], attribution: str, command: str
) -> tuple[tuple[str, str], ...]:
    """Tags by their names, in order; what is not known is left out.

    Args:
        batches: those that the film shows.
        labels: of its points.
        attribution: what is owed to those whose data it shows.
        command: what makes the same film, without folders of this machine.

    Example:
        >>> dict(write_tags("city", [1, 900], ["0.1"], "", "studio film city"))["title"]
        'city, batches 1 to 900'
    """
    first, last = min(batches), max(batches)
    span = f"batch {first:,}" if first == last else f"batches {first:,} to {last:,}"
    tags = {
        "title": f"{run}, {span}",
        "run": run,
        "batches": str(first) if first == last else f"{first} to {last}",
        "points": name_some(list(labels), MAX_LABELS),
        "copyright": attribution,
        "licence": attribution,
        "command": command,
    }
    return tuple((name, text) for name, text in tags.items() if text)
