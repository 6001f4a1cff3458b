"""What an import of a folder would do: which file is which batch, and which are left out."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from checkpoints_index.errors import CheckpointError, UnusableFileError, name_some
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.importing.finder import SUFFIXES, Found, GeneratorFinder
from checkpoints_index.importing.layers import natural_parts
from checkpoints_index.importing.numbering import choose_batches, compile_pattern

MOST_NAMED = 5  # so many files are named for each reason


@dataclass(frozen=True)
class PlannedFile:
    """A file that becomes a checkpoint."""

    batch: int
    path: Path


@dataclass(frozen=True)
class SkippedFile:
    """A file that does not, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class ImportPlan:
    """Files in the order of their batches, all of one generator; paths as they can be opened."""

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
        pattern: a regular expression that finds the batch in a path; others are left out.

    Raises:
        CheckpointError: no file has a generator, two differ, or their numbers leave a doubt.
    """
    folder, paths = list_files(source)
    compiled = compile_pattern(pattern) if pattern is not None else re.compile("")
    found: dict[PurePath, Found] = {}
    skipped = []
    for done, path in enumerate(paths):
        on_progress(done, len(paths))
        try:
            if not compiled.search(path.as_posix()):
                raise UnusableFileError("does not match --pattern")
            generator = finder.find(folder / path)
        except UnusableFileError as reason:
            skipped.append(SkippedFile(folder / path, str(reason)))
            continue
        found[path] = Found(generator.spec, generator.part, {}, generator.remarks)
        _refuse_other(found, path)
    on_progress(len(paths), len(paths))
    if not found:
        raise CheckpointError(
            f"There is no generator to import in '{source}'. "
            + " ".join(f"{line}." for line in group_skipped(skipped, folder))
            + " A generator of another kind can be named: --generator package.module:Class"
        )
    numbered, unnumbered = choose_batches(list(found), pattern)
    for path in unnumbered:
        skipped.append(SkippedFile(folder / path, "has no number in its name, unlike others"))
    files = tuple(PlannedFile(batch, folder / path) for batch, path in numbered)
    first = found[numbered[0][1]]
    remarks = (*first.remarks, *_say_changes_of_part(found))
    return ImportPlan(folder, first.spec, remarks, files, tuple(skipped))


def list_files(source: Path) -> tuple[Path, list[PurePath]]:
    """A folder and the paths of the files in it that may hold weights, in natural order.

    Raises:
        CheckpointError: there is no such folder, or no such file in it.
    """
    if source.is_file():
        return source.parent, [PurePath(source.name)]
    if not source.is_dir():
        raise CheckpointError(
            f"There is no folder '{source}'. Name the one that holds the checkpoints."
        )
    paths = [path.relative_to(source) for path in _walk(source)]
    if not paths:
        raise CheckpointError(
            f"'{source}' holds no file of {', '.join(SUFFIXES)}. Name another folder."
        )
    return source, sorted(paths, key=lambda path: natural_parts(path.as_posix()))


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        visible = (Path(parent, name) for name in names if not name.startswith("."))
        yield from (path for path in visible if path.suffix.lower() in SUFFIXES)


def _refuse_other(found: dict[PurePath, Found], path: PurePath) -> None:
    first = next(iter(found))
    spec, other = found[first].spec, found[path].spec
    if spec != other:
        raise CheckpointError(
            f"'{first}' and '{path}' hold different generators ({describe_spec(spec)}, and "
            f"{describe_spec(other)}), but a run has one. Choose files of one kind with "
            "--pattern, or name a folder that holds only them."
        )


def describe_spec(spec: GeneratorSpec) -> str:
    """A generator in a line: what it is, and from what to what it goes."""
    options = {k: v for k, v in spec.options.items() if k not in ("z_dim", "image_size", "model")}
    layers = options.pop("layers", [])
    kinds = Counter(layer["layer"] for layer in layers if "name" in layer)
    inside = [f"{count} {kind}" for kind, count in kinds.items()]
    inside += [f"{name} {value}" for name, value in options.items()]
    sizes = f"z {spec.z_dim} -> {spec.image_size} px"
    return f"{spec.architecture}, {sizes}" + (f", {', '.join(inside)}" if inside else "")


def group_skipped(skipped: Iterable[SkippedFile], folder: Path) -> list[str]:
    """A line for each reason, with the files that it holds for."""
    reasons: dict[str, list[str]] = {}
    for file in skipped:
        reasons.setdefault(file.reason, []).append(f"'{file.path.relative_to(folder)}'")
    return [f"{name_some(names, MOST_NAMED)}: {reason}" for reason, names in reasons.items()]


def _say_changes_of_part(found: dict[PurePath, Found]) -> list[str]:
    """A line where G_ema is in some files and not in others."""
    (first, found_first), *_ = found.items()
    other = next((path for path, f in found.items() if f.part != found_first.part), None)
    if other is None:
        return []
    return [f"'{found_first.part}' is taken from '{first}', '{found[other].part}' from '{other}'."]
