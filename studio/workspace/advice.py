"""The next step that the studio adds to an error of a library, which tells only what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from checkpoints_index.errors import (
    DamagedCheckpointError,
    DamagedDescriptionError,
    DamagedSegmentsError,
    GeneratorOptionsError,
    MissingZDimError,
    NoRoomForCheckpointError,
    RunLockedError,
    UndrawnPointsError,
    UnknownRunError,
    UntrustedClassError,
    WrongInputError,
)
from checkpoints_index.importing.refusals import (
    AmbiguousFilesError,
    AssumedActivations,
    ImportedRunError,
    ImportedStorageError,
    LateFileError,
    MissingStridesError,
    NotFiniteError,
    NothingToImportError,
    UnknownHintError,
)
from latent.errors import TooFewFramesError
from renderers.errors import (
    CompilationError,
    FullDiskError,
    OutputTakenError,
    UnfinishedRenderError,
    UnknownVideoError,
    UnplannedVideoError,
)


def _say_strides(examples: Mapping[int, Sequence[int]]) -> str:
    """Options with the size of the picture that each makes, so that the right one can be chosen.

    Example:
        >>> _say_strides({32: [2, 2, 1]})
        '--option strides=[2,2,1] makes 32 px'
    """
    each = [
        f"--option strides=[{','.join(map(str, strides))}] makes {size} px"
        for size, strides in list(examples.items())[:MAX_EXAMPLES]
    ]
    return ", ".join(each)


MAX_EXAMPLES = 3

# The advice for a class of errors, and for classes that derive from it and have none of their own;
# an empty one adds nothing.
ADVICE: dict[type, Callable[[Any], str]] = {
    UnknownRunError: lambda error: f"Create one: studio train DATASET --run {error.run}",
    RunLockedError: lambda error: f"Stop that one first: studio stop {error.run}",
    UndrawnPointsError: lambda error: (
        "Name points that it has, such as its fixed point 0.0: "
        f"studio specimens list {error.run or 'RUN'}"
    ),
    DamagedDescriptionError: lambda error: "Do so: studio reindex",
    DamagedCheckpointError: lambda error: f"See what else is: studio verify {error.run} --deep",
    DamagedSegmentsError: lambda error: f"All that is damaged: studio verify {error.run} --deep",
    NoRoomForCheckpointError: lambda error: (
        f"Or stop the run and thin it out: studio thin {error.run} --every 2"
    ),
    UntrustedClassError: lambda error: f"If you trust it: studio trust {error.generator}",
    GeneratorOptionsError: lambda error: "Give options: --option NAME=VALUE",
    MissingZDimError: lambda error: "Say it: --option z_dim=N",
    WrongInputError: lambda error: "If only z_dim is wrong: --option z_dim=N",
    NothingToImportError: lambda error: (
        "A generator of another kind can be named: --generator package.module:Class"
    ),
    AmbiguousFilesError: lambda error: (
        f"For example: --pattern '{error.pattern}'"
        if error.pattern
        else "It is given as: --pattern REGEX"
    ),
    UnknownHintError: lambda error: "Those of a class of yours go with --generator.",
    ImportedRunError: lambda error: (
        "Import under another name: --run NAME"
        + (", or let it take the place of the one that is there: --replace" * error.is_imported)
    ),
    LateFileError: lambda error: "(--replace)",
    ImportedStorageError: lambda error: (
        "Leave --storage out to go on, import under another name (--run NAME), or import all "
        "again: --replace"
    ),
    MissingStridesError: lambda error: (
        f"({_say_strides(error.examples)})"
        if error.examples
        else "(no strides make a picture of a usual size: name its class by --generator)"
    ),
    NotFiniteError: lambda error: "(--storage exact)",
    AssumedActivations: lambda remark: (
        "For example: --option activation=leaky_relu --option output=sigmoid"
    ),
    TooFewFramesError: lambda error: "Raise the seconds.",
    CompilationError: lambda error: "" if error.advice else "Leave out --compile.",
    FullDiskError: lambda error: "Give the same command again: it goes on where it was.",
    UnfinishedRenderError: lambda error: "Give the same command again: it goes on where it was.",
    OutputTakenError: lambda error: "Choose another name, or replace it: --overwrite",
    UnknownVideoError: lambda error: "List what was rendered: studio jobs",
    UnplannedVideoError: lambda error: (
        "Give the command that began it again: it goes on where it was."
    ),
}


def explain(error: object) -> str:
    """The text of an error, and what to do next where the studio knows more than the library.

    Args:
        error: an error; or a reason or remark of a library whose class is in the table.

    Example:
        >>> explain(UnknownRunError("cty", ["city"]))
        "Run 'cty' is not in the index. Known: city. Create one: studio train DATASET --run cty"
        >>> explain(ValueError("an error that nobody expected"))
        'an error that nobody expected'
    """
    text = error.describe(explain) if isinstance(error, NothingToImportError) else str(error)
    # Notes of one line say where it happened, such as "On node a1."; longer ones are tracebacks.
    notes = [note for note in getattr(error, "__notes__", ()) if "\n" not in note]
    kinds = (kind for kind in type(error).__mro__ if kind in ADVICE)
    advice = [ADVICE[kind](error) for kind in kinds][:1]
    return " ".join([text, *notes, *advice]).rstrip()
