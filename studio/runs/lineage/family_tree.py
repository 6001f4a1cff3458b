"""The runs of a workspace as a tree: each below the run that it began from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from checkpoints_index.storage.catalogue import read_spec
from studio.runs.lineage.parentage import (
    Parentage,
    iterate_ancestors,
    list_children,
    read_parentage,
)
from studio.workspace.names import GONE, IMPORT, LOOP, MISSING, THERE, TRAINING
from studio.workspace.paths import Workspace


@dataclass(frozen=True)
class Relative:
    """One run among its relatives.

    Attributes:
        kind: one of `studio.workspace.names.BEGINNINGS`, or training or import where it began by
            itself.
        parent: the run that it began from; None where it began by itself.
        batch: the batch of the parent.
        parent_is: there, deleted, missing (nobody deleted it here, and no run is called so), loop
            (it descends from the run itself); None where there is no parent.
        children: the runs that began from it.
    """

    run: str
    kind: str
    parent: str | None
    batch: int | None
    parent_is: str | None
    children: tuple[str, ...]

    @property
    def words(self) -> str:
        """How it began, such as `branch of city at batch 7,000`."""
        if self.parent is None or self.batch is None:
            return self.kind
        said = f"{self.kind} of {self.parent} at batch {self.batch:,}"
        return {
            GONE: f"{said}, which was deleted",
            MISSING: f"{said}, which is not here",
            LOOP: f"{said}, which descends from {self.run}: one of the two is not true",
        }.get(str(self.parent_is), said)


def list_relatives(workspace: Workspace, run: str | None = None) -> list[Relative]:
    """The runs of a workspace, each before its children; or only those related to one run.

    Nothing but settings and the database is read. A run that descends from itself, as edited
    settings may say, stands once, and says so.

    Raises:
        CheckpointError: there is no such run.
    """
    parents = read_parentage(workspace)
    if run is None:
        chosen = _in_order(parents, _find_roots(parents))
    else:
        read_spec(workspace.runs, run)
        ancestors = [*iterate_ancestors(parents, run)]
        chosen = _in_order(parents, [ancestors[-1] if ancestors else run])
    return [_relative(workspace, parents, name) for name in chosen]


def draw_tree(relatives: Sequence[Relative]) -> Iterator[str]:
    """The lines of a tree, each with a run and how it began.

    Args:
        relatives: each before its children, as `list_relatives` gives them.

    Example:
        >>> city = Relative("city", "training", None, None, None, ("lean",))
        >>> lean = Relative("lean", "vacuum", "city", 7000, "there", ())
        >>> print("\\n".join(draw_tree([city, lean])))
        city  training
        └─ lean  vacuum of city at batch 7,000
    """
    known = {relative.run: relative for relative in relatives}
    drawn: set[str] = set()
    for relative in relatives:
        if relative.run not in drawn:
            yield from _draw(known, relative.run, "", "", drawn)


def _draw(
    known: Mapping[str, Relative], run: str, begin: str, below: str, drawn: set[str]
) -> Iterator[str]:
    drawn.add(run)
    yield f"{begin}{run}  {known[run].words}"
    children = [child for child in known[run].children if child in known and child not in drawn]
    for child in children:
        is_last = child == children[-1]
        branch, rest = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _draw(known, child, below + branch, below + rest, drawn)


def _find_roots(parents: dict[str, Parentage | None]) -> list[str]:
    """The runs that begin a tree: those without a parent, and one of each circle."""
    roots = [run for run, begun in parents.items() if not _has_parent(parents, begun)]
    reached = {*_in_order(parents, roots)}
    for run in parents:
        if run not in reached:
            roots.append(run)
            reached |= {*_in_order(parents, [run])}
    return sorted(roots)


def _has_parent(parents: dict[str, Parentage | None], begun: Parentage | None) -> bool:
    return begun is not None and not begun.is_gone and begun.parent in parents


def _in_order(parents: dict[str, Parentage | None], roots: Sequence[str]) -> list[str]:
    """Runs and all below them, each once and before its children."""
    found: dict[str, None] = {}
    waiting = [*reversed(roots)]
    while waiting:
        run = waiting.pop()
        if run not in found:
            found[run] = None
            waiting += reversed(list_children(parents, run))
    return [*found]


def _relative(workspace: Workspace, parents: dict[str, Parentage | None], run: str) -> Relative:
    begun, children = parents[run], tuple(list_children(parents, run))
    if begun is None:
        kind = TRAINING if workspace.run_config(run).exists() else IMPORT
        return Relative(run, kind, None, None, None, children)
    state = THERE
    if begun.is_gone or begun.parent not in parents:
        state = GONE if begun.is_gone else MISSING
    elif begun.parent == run or run in iterate_ancestors(parents, begun.parent):
        state = LOOP
    return Relative(run, begun.kind, begun.parent, begun.batch, state, children)
