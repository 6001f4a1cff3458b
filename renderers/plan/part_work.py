"""What engines do with the parts of a film: render them, or look at what they will show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, Self

from renderers.plan.cutting import Part
from renderers.progress import OnProgress


class WholeParts(Protocol):
    """Knows which parts are done; the record is in a folder that all machines share."""

    @property
    def folder(self) -> Path:
        """Where what is done lies."""
        ...

    def is_whole(self, part: Part) -> bool:
        """Whether all that is to be made of a part is there."""
        ...


class PartWork(Protocol):
    """Work that is done part by part, on any device. It can be pickled, before its first part."""

    @property
    def parts(self) -> WholeParts:
        """Which parts are done."""
        ...

    def render(self, part: Part, device: str, on_frame: Callable[[int], None]) -> None:
        """Do a part on a device.

        Args:
            on_frame: called with the number of frames of the part that are done so far.
        """
        ...

    def for_other_process(self) -> Self:
        """The same work, without what this process holds on its devices."""
        ...


class Engine(Protocol):
    """Does parts somewhere, such as `renderers.jobs.workers.render_parts` on some devices.

    Args:
        on_progress: called with the number of frames of these parts that are done and of all, and
            the rate of each device.
    """

    def __call__(
        self, renderer: PartWork, parts: Sequence[Part], *, on_progress: OnProgress
    ) -> None: ...
