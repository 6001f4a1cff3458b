"""What can go wrong with stored checkpoints: a class for each thing that a program may handle.

Texts say what happened and what was expected. How to go on is the affair of the program that uses
this package; each error therefore carries what such advice needs, such as `run` and `batch`.
All of them survive pickling, since they cross from worker processes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path


class CheckpointError(Exception):
    """Anything about stored checkpoints that a person can act on."""


class RunNameError(CheckpointError, ValueError):
    """A text that cannot name a run, because it could not name its folder.

    Args:
        name: the text.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"'{self.name}' cannot be the name of a run. Use letters, digits, dots, dashes and "
            "underscores, beginning with a letter or digit."
        )


class UnknownRunError(CheckpointError, KeyError):
    """The index has no run of this name.

    Args:
        run: the name that was asked for.
        known: the names that there are.
    """

    def __init__(self, run: str, known: Sequence[str]) -> None:
        super().__init__(run, known)
        self.run, self.known = run, tuple(known)

    def __str__(self) -> str:
        return (
            f"Run '{self.run}' is not in the index. Known: {', '.join(self.known) or 'none yet'}."
        )


class RunExistsError(CheckpointError):
    """A run cannot be created, since there is one of this name.

    Args:
        run: its name.
    """

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self.run = run

    def __str__(self) -> str:
        return f"Run '{self.run}' exists already. Choose another name, or open it."


class RunLockedError(CheckpointError):
    """Another process writes to this run.

    Args:
        run: its name.
        holder: what is known of that process, such as "process 4711"; "" for nothing.
    """

    def __init__(self, run: str, holder: str = "") -> None:
        super().__init__(run, holder)
        self.run, self.holder = run, holder

    def __str__(self) -> str:
        holder = f" ({self.holder})" if self.holder else ""
        return (
            f"Run '{self.run}' is being written to by another process{holder}, "
            "and a run has one writer."
        )


class UnknownBatchError(CheckpointError, KeyError):
    """The run has no checkpoint of this batch.

    Args:
        run: its name.
        batch: the batch that was asked for.
        known: the batches that have a checkpoint, ascending.
    """

    def __init__(self, run: str, batch: int, known: Sequence[int]) -> None:
        super().__init__(run, batch, known)
        self.run, self.batch, self.known = run, batch, known

    def __str__(self) -> str:
        if not self.known:
            return f"Run '{self.run}' has no checkpoints yet. Train it, or choose another run."
        at = bisect_left(self.known, self.batch)
        nearest = self.known[max(0, at - 1) : at + 1]
        return (
            f"Run '{self.run}' has no checkpoint {self.batch}. It has {len(self.known):,} from "
            f"{self.known[0]} to {self.known[-1]}; the nearest: {' and '.join(map(str, nearest))}."
        )


class DamagedDescriptionError(CheckpointError):
    """The file that makes a folder a run is missing or cannot be read.

    Args:
        run: the run's name.
        file_name: the file's name in the folder of checkpoints.
        reason: what is wrong with it.
    """

    def __init__(self, run: str, file_name: str, reason: str) -> None:
        super().__init__(run, file_name, reason)
        self.run, self.file_name, self.reason = run, file_name, reason

    def __str__(self) -> str:
        return (
            f"Run '{self.run}' cannot be opened: {self.file_name} in its folder of checkpoints is "
            f"missing or damaged ({self.reason}). It can be made anew from the segments beside it."
        )


class DamagedCheckpointError(CheckpointError):
    """What is on disk is not what was written.

    Args:
        run: the run's name.
        batch: the checkpoint that cannot be read.
        path: the segment that it lies in.
        reason: what is wrong, as half a sentence.
    """

    def __init__(self, run: str, batch: int, path: Path, reason: str) -> None:
        super().__init__(run, batch, path, reason)
        self.run, self.batch, self.path, self.reason = run, batch, path, reason

    def __str__(self) -> str:
        return (
            f"Checkpoint {self.batch} of run '{self.run}' is damaged in {self.path.name}: "
            f"{self.reason}."
        )


class DamagedSegmentsError(CheckpointError):
    """A run was thinned except for segments in which something cannot be read.

    Args:
        run: the run's name.
        damages: the first damage of each segment that was left as it was.
    """

    def __init__(self, run: str, damages: Sequence[DamagedCheckpointError]) -> None:
        super().__init__(run, damages)
        self.run, self.damages = run, tuple(damages)

    def __str__(self) -> str:
        named = "; ".join(
            f"{damage.path.name} (checkpoint {damage.batch}: {damage.reason})"
            for damage in self.damages
        )
        return (
            f"Run '{self.run}' is thinned, but for what holds damaged checkpoints, since only what "
            f"can be read back is written anew: {named}. Drop those checkpoints as well, or leave "
            "it so."
        )


class DiskFullError(CheckpointError):
    """There was no room on the disk; everything written before is whole."""


class NoRoomForCheckpointError(DiskFullError):
    """There was no room for a checkpoint, which waits in memory until there is.

    Args:
        run: the run's name.
        batch: the checkpoint.
        size_bytes: what it would take.
    """

    def __init__(self, run: str, batch: int, size_bytes: int) -> None:
        super().__init__(run, batch, size_bytes)
        self.run, self.batch, self.size_bytes = run, batch, size_bytes

    def __str__(self) -> str:
        return (
            f"No room for checkpoint {self.batch} of run '{self.run}' ({self.size_bytes:,} bytes). "
            "All checkpoints before it are whole, and it waits in memory. "
            "Free some space and go on."
        )


class GeneratorOptionsError(CheckpointError, TypeError):
    """A class of somebody else's cannot be built with, or used with, the options that were given.

    `MissingZDimError` and `WrongInputError` are about the option z_dim alone.
    """


class UntrustedClassError(CheckpointError):
    """A run names a class of another program that nobody named here; its code was not run.

    Args:
        generator: its `package.module:Class`.
        found: where its package lies now, if it was named and lay elsewhere then.
        place: where it lay when it was named.
    """

    def __init__(
        self, generator: str, found: Path | None = None, place: Path | None = None
    ) -> None:
        super().__init__(generator, found, place)
        self.generator, self.found, self.place = generator, found, place

    def __str__(self) -> str:
        if self.found is not None:
            return (
                f"The generator '{self.generator}' was named when it lay at {self.place}, and is "
                f"found at {self.found} now, so its code is not run."
            )
        return (
            f"The generator '{self.generator}' is a class that nobody named here, so its code is "
            "not run."
        )


class MissingZDimError(GeneratorOptionsError):
    """Nothing says how long the latent points of a generator are.

    Args:
        generator: its `package.module:Class`.
    """

    def __init__(self, generator: str) -> None:
        super().__init__(generator)
        self.generator = generator

    def __str__(self) -> str:
        return f"How long are the latent points of '{self.generator}'? The option z_dim says it."


class WrongInputError(GeneratorOptionsError):
    """A generator takes no latent points of this length, or makes no pictures of them."""


class UndrawnPointsError(CheckpointError, ValueError):
    """Latent points were to be drawn of a generator whose points are pictures that are given.

    Args:
        run: the run that was asked about; "" where there is none.
    """

    def __init__(self, run: str = "") -> None:
        super().__init__(run)
        self.run = run

    def __str__(self) -> str:
        whose = f"run '{self.run}'" if self.run else "this generator"
        return (
            f"Latent points of {whose} are pictures that are given to it, so none can be drawn, or "
            "moved along a direction."
        )


class UnusableFileError(CheckpointError):
    """A file has no generator for us; its text is a reason, without the name of the file."""


def name_some(names: Sequence[str], most: int) -> str:
    """Name the first of many things, and say how many there are besides.

    Args:
        names: all of them.
        most: how many are named.

    Example:
        >>> name_some(["1", "3", "4", "9"], 2)
        '1, 3 and 2 more'
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
