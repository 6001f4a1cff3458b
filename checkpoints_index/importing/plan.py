"""Planning an import: which file becomes which checkpoint, and which files are left out."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from checkpoints_index.errors import CheckpointError, UnusableFileError
from checkpoints_index.generators.spec import NORMAL, GeneratorSpec
from checkpoints_index.importing.finder import (
    LOOSE_SUFFIXES,
    SUFFIXES,
    FoundGenerator,
    GeneratorFinder,
    may_hold_weights,
)
from checkpoints_index.importing.formats.saved_model import is_saved_model
from checkpoints_index.importing.layers import natural_parts
from checkpoints_index.importing.numbering import choose_batches, compile_pattern
from checkpoints_index.importing.refusals import (
    AmbiguousFilesError,
    NothingToImportError,
    SkippedFile,
)

LINKED = "is a link to a folder, which is not followed; import the folder that it leads to"


@dataclass(frozen=True)
class PlannedFile:
    """A file that becomes a checkpoint.

    Args:
        batch: the batch that it becomes.
        path: the file, as it can be opened.
    """

    batch: int
    path: Path


@dataclass(frozen=True)
class ImportPlan:
    """What an import will do.

    Args:
        folder: the folder that is imported.
        spec: the one generator of all files.
        remarks: sentences that a person should know.
        files: those that become checkpoints, in the order of their batches.
        skipped: the others, and why.
    """

    folder: Path
    spec: GeneratorSpec
    remarks: tuple[str, ...]
    files: tuple[PlannedFile, ...]
    skipped: tuple[SkippedFile, ...]


def plan_import(
    source: Path,
    finder: GeneratorFinder,
    pattern: str | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportPlan:
    """Look into every file below a folder, one after another; only names and shapes are kept.

    Args:
        source: a folder, searched to any depth, or one file.
        finder: finds the generator in each file.
        pattern: a regular expression that finds the batch in a path; others are left out.
        on_progress: is told how many files were looked into, of how many.

    Raises:
        NothingToImportError: no file has a generator.
        AmbiguousFilesError: two generators differ, or their numbers leave a doubt.
        CheckpointError: there is no such folder, or the pattern is none.
    """
    folder, paths = list_files(source)
    is_one_file = len(paths) == 1 and folder / paths[0] == source
    compiled = compile_pattern(pattern) if pattern is not None else re.compile("")
    found: dict[PurePath, FoundGenerator] = {}
    links = () if is_one_file else _find_links(folder)
    skipped = [SkippedFile(link, UnusableFileError(LINKED)) for link in links]
    _learn_from_last(finder, [folder / p for p in paths if compiled.search(p.as_posix())])
    for done, path in enumerate(paths):
        on_progress(done, len(paths))
        try:
            if not compiled.search(path.as_posix()):
                raise UnusableFileError("does not match the pattern")
            generator = finder.find(folder / path)
        except UnusableFileError as reason:
            skipped.append(SkippedFile(folder / path, reason))
            continue
        found[path] = FoundGenerator(generator.spec, generator.part, {}, generator.remarks)
        _refuse_other(found, path)
    on_progress(len(paths), len(paths))
    if not found:
        raise NothingToImportError(source, folder, skipped)
    numbered, unnumbered = choose_batches(list(found), pattern)
    for path in unnumbered:
        numberless = UnusableFileError("has no number in its name, unlike others")
        skipped.append(SkippedFile(folder / path, numberless))
    files = tuple(PlannedFile(batch, folder / path) for batch, path in numbered)
    first = found[numbered[0][1]]
    remarks = (*first.remarks, *_say_changes_of_part(found))
    return ImportPlan(folder, first.spec, remarks, files, tuple(skipped))


def _learn_from_last(finder: GeneratorFinder, paths: Sequence[Path]) -> None:
    """Let the last file with a generator say what all of its shapes are.

    Running statistics tell the more, the longer they were measured: in an early file they are
    still what they began with.

    Args:
        finder: keeps what it was told.
        paths: the files, in their order.
    """
    for path in reversed(paths if len(paths) > 1 else ()):
        try:
            if finder.learn(path):
                return
        except UnusableFileError:
            continue  # It is told when its turn comes.


def list_files(source: Path) -> tuple[Path, list[PurePath]]:
    """A folder and the paths of the files in it that may hold weights, in natural order.

    Raises:
        CheckpointError: there is no such folder, or no such file in it.
    """
    if source.is_file() or is_saved_model(source):
        return source.parent, [PurePath(source.name)]
    if not source.is_dir():
        raise CheckpointError(
            f"There is no folder '{source}'. Name the one that holds the checkpoints."
        )
    paths = [path.relative_to(source) for path in _find_files(source)]
    if not paths:
        known = ", ".join((*SUFFIXES, *LOOSE_SUFFIXES))
        raise CheckpointError(
            f"'{source}' holds no file of {known}, and no SavedModel. Name another folder."
        )
    return source, sorted(paths, key=lambda path: natural_parts(path.as_posix()))


def _find_files(folder: Path) -> Iterator[Path]:
    """The files and SavedModels that may hold weights, at any depth, without hidden ones."""
    for parent, folders, names in os.walk(folder):
        if is_saved_model(Path(parent)):
            folders.clear()
            yield Path(parent)
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = (Path(parent, name) for name in names if not name.startswith("."))
        yield from filter(may_hold_weights, visible)


def _find_links(folder: Path) -> Iterator[Path]:
    """Links to folders below a folder, which may lead anywhere and are not followed."""
    for parent, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in folders if Path(parent, name).is_symlink())


def _refuse_other(found: dict[PurePath, FoundGenerator], path: PurePath) -> None:
    first = next(iter(found))
    spec, other = found[first].spec, found[path].spec
    if spec != other:
        raise AmbiguousFilesError(
            f"'{first}' and '{path}' hold different generators ({describe_spec(spec)}, and "
            f"{describe_spec(other)}), but a run has one. Choose files of one kind with a pattern, "
            "or name a folder that holds only them."
        )


def describe_spec(spec: GeneratorSpec) -> str:
    """A generator in a line: what it is, its sizes, and what else tells it from others.

    Example:
        >>> describe_spec(GeneratorSpec("dcgan", {"z_dim": 100, "image_size": 64, "width": 0.5}))
        'dcgan, z 100 -> 64 px, width 0.5'
    """
    options = {k: v for k, v in spec.options.items() if k not in ("z_dim", "image_size", "model")}
    layers = options.pop("layers", [])
    kinds = Counter(layer["layer"] for layer in layers if "name" in layer)
    inside = [f"{count} {kind}" for kind, count in kinds.items()]
    inside += [f"{name} {value}" for name, value in options.items()]
    inside += [] if spec.z_distribution == NORMAL else [f"{spec.z_distribution} z"]
    sizes = f"z {spec.z_dim} -> {spec.image_size} px"
    return f"{spec.architecture}, {sizes}" + (f", {', '.join(inside)}" if inside else "")


def _say_changes_of_part(found: dict[PurePath, FoundGenerator]) -> list[str]:
    """A remark where G_ema is taken from some files and G from others."""
    (first, found_first), *_ = found.items()
    other = next((path for path, f in found.items() if f.part != found_first.part), None)
    if other is None:
        return []
    return [f"'{found_first.part}' is taken from '{first}', '{found[other].part}' from '{other}'."]
