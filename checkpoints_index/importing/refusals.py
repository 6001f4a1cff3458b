"""Why files are not imported: errors, and reasons for a single file.

Like all texts of this package they do not say how an option is given; what a program needs to say
it is in their attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from checkpoints_index.errors import CheckpointError, UnusableFileError, name_some

MAX_NAMED = 5  # So many files are named for each reason.


class UnknownHintError(CheckpointError):
    """An option that recognising a generator does not know.

    Args:
        unknown: the names of such options.
        known: those that there are.
    """

    def __init__(self, unknown: Sequence[str], known: Sequence[str]) -> None:
        super().__init__(unknown, known)
        self.unknown, self.known = tuple(unknown), tuple(known)

    def __str__(self) -> str:
        return (
            f"There is no option {', '.join(self.unknown)} for generators that are recognised; "
            f"there are {', '.join(self.known)}."
        )


class AmbiguousFilesError(CheckpointError):
    """A person has to choose by a pattern which files are meant, or which number is the batch.

    Args:
        text: what leaves a doubt.
        pattern: a regular expression that may be the right one; None where nothing suggests one.
    """

    def __init__(self, text: str, pattern: str | None = None) -> None:
        super().__init__(text, pattern)
        self.text, self.pattern = text, pattern

    def __str__(self) -> str:
        return self.text


class ImportedRunError(CheckpointError):
    """There is a run of the name that was not begun by this import.

    Args:
        run: its name.
        what: what it is instead.
        is_imported: whether another import began it, which this one could replace.
    """

    def __init__(self, run: str, what: str, is_imported: bool = False) -> None:
        super().__init__(run, what, is_imported)
        self.run, self.what, self.is_imported = run, what, is_imported

    def __str__(self) -> str:
        return f"There is a run '{self.run}' already, {self.what}."


class ImportedStorageError(CheckpointError):
    """An import that is gone on with asks for another storage than that of its run.

    Args:
        run: the run's name.
        storage: its storage.
        wanted: what was asked for.
    """

    def __init__(self, run: str, storage: str, wanted: str) -> None:
        super().__init__(run, storage, wanted)
        self.run, self.storage, self.wanted = run, storage, wanted

    def __str__(self) -> str:
        return f"Run '{self.run}' keeps its checkpoints as '{self.storage}', not '{self.wanted}'."


class SkippedFile:
    """A file that does not become a checkpoint, and why.

    Args:
        path: the file, as it can be opened.
        error: the reason.
    """

    def __init__(self, path: Path, error: UnusableFileError) -> None:
        self.path, self.error = path, error

    @property
    def reason(self) -> str:
        """The reason, as half a sentence behind the name of the file."""
        return str(self.error)


class NothingToImportError(CheckpointError):
    """No file of a folder has a generator.

    Args:
        source: what was to be imported.
        folder: the folder that paths are named in.
        skipped: all its files, and why each is left out.
    """

    def __init__(self, source: Path, folder: Path, skipped: Sequence[SkippedFile]) -> None:
        super().__init__(source, folder, skipped)
        self.source, self.folder, self.skipped = source, folder, tuple(skipped)

    def __str__(self) -> str:
        return self.describe(str)

    def describe(self, explain: Callable[[UnusableFileError], str]) -> str:
        """The text of the error.

        Args:
            explain: gives the text of each reason.
        """
        lines = group_skipped(self.skipped, self.folder, explain)
        reasons = " ".join(f"{line}." for line in lines)
        return f"There is no generator to import in '{self.source}'. {reasons}"


class MissingStridesError(UnusableFileError):
    """Nothing in a file shows by how much its convolutions enlarge.

    Args:
        layers: the names of the convolutions.
        examples: width of a picture in px -> strides that were tried and make it; the likeliest
            first.
    """

    def __init__(self, layers: Sequence[str], examples: Mapping[int, Sequence[int]]) -> None:
        super().__init__(layers, examples)
        self.layers = tuple(layers)
        self.examples = {size: list(strides) for size, strides in examples.items()}

    def __str__(self) -> str:
        return (
            "nothing in it shows where it enlarges; say for each of its convolutions "
            f"({', '.join(self.layers)}) how much, 1 or 2, by the option strides"
        )


class LateFileError(UnusableFileError):
    """A file came, or became whole, when later batches were in the run already.

    Args:
        batch: that of the file.
        last: the last one of the run.
    """

    def __init__(self, batch: int, last: int) -> None:
        super().__init__(batch, last)
        self.batch, self.last = batch, last

    def __str__(self) -> str:
        return (
            f"batch {self.batch} lies before {self.last}, which is in the run already, and batches "
            "ascend; all can be imported again in their order"
        )


class NotFiniteError(UnusableFileError):
    """A file's weights have no picture, so that only exact storage could keep them.

    Args:
        tensor: the name of a tensor with numbers that are not finite.
    """

    def __init__(self, tensor: str) -> None:
        super().__init__(tensor)
        self.tensor = tensor

    def __str__(self) -> str:
        return (
            f"'{self.tensor}' holds numbers that are not finite, so there is no picture; "
            "exact storage keeps them all the same"
        )


class AssumedActivations(str):
    """The remark that activations were assumed, as shapes do not show them.

    Attributes:
        other_sizes: widths of pictures in px that the same kernels can make.
    """

    other_sizes: tuple[int, ...] = ()


class ToldByStatistics(str):
    """The remark that statistics of batch norm told what shapes do not show."""


def group_skipped(
    skipped: Sequence[SkippedFile],
    folder: Path,
    explain: Callable[[UnusableFileError], str] = str,
) -> list[str]:
    """A line for each reason, with the files that it holds for.

    Args:
        skipped: the files.
        folder: the folder that they are named in.
        explain: gives the text of a reason.
    """
    reasons: dict[str, list[str]] = {}
    for file in skipped:
        reasons.setdefault(explain(file.error), []).append(f"'{file.path.relative_to(folder)}'")
    return [f"{name_some(names, MAX_NAMED)}: {reason}" for reason, names in reasons.items()]
